"""Ray gives the rows of the plain run, in its order; what is wrong is told."""

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from fer.cli import main
from fer.errors import FerError
from fer.inference import ray_engine
from fer.io.images import encode_image, write_image

ROOT = Path(__file__).resolve().parents[2]
rng = np.random.default_rng(0)


@pytest.fixture
def ray():
    """The package, and an end after four minutes whatever Ray does."""

    def stop(*_):
        raise TimeoutError("Ray took more than four minutes")

    ray = pytest.importorskip("ray", reason="Ray is absent: pip install 'dan-fer[ray]'")
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(240)
    yield ray
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def files(tmp_path) -> Path:
    """All kinds of files: photos, names that are not Unicode, a video, a table, broken ones, an animation."""
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(11):
        shutil.copy(ROOT / "samples" / ("astronaut.jpg", "grace_hopper.jpg")[i % 2], folder / f"{i:02d} é😀.jpg")
    Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff.jpg")).write_bytes((folder / "00 é😀.jpg").read_bytes())
    write_image(folder / "03 wall.png", np.full((80, 80, 3), 120, np.uint8))
    (folder / "04 text.jpg").write_text("no image")
    (folder / "05 broken.mp4").write_bytes(b"no video")
    frames = [Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)) for _ in range(3)]
    frames[0].save(folder / "06.gif", save_all=True, append_images=frames[1:])
    write_video(folder / "07.mp4")
    table = {"image": [encode_image(rng.integers(0, 255, (40, 40, 3), np.uint8)), b"nothing"]}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "table.parquet")
    return folder


def write_video(path: Path) -> None:
    """A face that moves to the right."""
    import av

    picture = np.asarray(Image.open(ROOT / "samples" / "astronaut.jpg").convert("RGB"))[:256, 100:356]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "yuv420p"
        for i in range(12):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * i, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def predict(weights, *arguments) -> int:
    fixed = ["--weights", weights, "--detector", "yunet", "--device", "cpu"]
    return main(["predict", *map(str, [*arguments, *fixed])])


def predict_elsewhere(weights, *arguments) -> int:
    """`predict` by Ray in a process of its own."""
    fixed = ["--weights", weights, "--detector", "yunet", "--device", "cpu", "--engine", "ray"]
    command = [sys.executable, "-m", "fer.cli", "predict", *map(str, [*arguments, *fixed])]
    return subprocess.run(command, timeout=120, capture_output=True).returncode


def address(ray) -> str:
    return ray.get_runtime_context().gcs_address


def told(err: str) -> list[str]:
    """The lines of the tally."""
    return re.findall(r"\d+ files, .*|faces: .*|not read: .*", err)


@pytest.mark.slow
def test_rows_are_those_of_the_plain_run(ray, va_graph, files, tmp_path, monkeypatch, capsys, caplog):
    """Also relative names, warnings of the processes, and going on at the address of a running cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where the package is not installed
    plain, out = tmp_path / "plain.csv", tmp_path / "ray.csv"
    command = [va_graph, "files", "table.parquet", "gone.jpg", "--every", "2"]
    assert predict(*command, "--out", plain) == 1
    tally, warnings = told(capsys.readouterr().err), sorted(caplog.messages)
    assert len(tally) == 5 and any("06.gif: only the first of its 3 frames" in message for message in warnings)
    caplog.clear()
    with ray_engine.ray_cluster(workers=2) as cpus:
        assert cpus == 2
        assert predict(*command, "--engine", "ray", "--workers", "2", "--out", out) == 1
        assert out.read_bytes() == plain.read_bytes()
        assert sorted(caplog.messages) == warnings
        assert told(capsys.readouterr().err) == tally
        lines = plain.read_bytes().splitlines(keepends=True)
        out.write_bytes(b"".join(lines[: len(lines) // 2])[:-3])  # killed while it wrote a row
        monkeypatch.setenv(
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0"
        )  # or Ray looks for 127.0.0.1 at this machine's other address
        assert predict_elsewhere(*command, "--out", out, "--resume", "--address", address(ray)) == 1
        assert out.read_bytes() == plain.read_bytes()
        missing = {"weights": tmp_path / "gone.onnx", "detector": "none"}
        with pytest.raises(FerError, match="Ray: a worker failed: .*gone.onnx: no such file"):
            list(ray_engine.predict_with_ray(["files/00 é😀.jpg"], missing))
        assert ray.is_initialized()  # who starts a cluster ends it
    assert not ray.is_initialized()
    with open(plain, newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert {r["status"] for r in rows} == {"ok", "no_face", "error"} and "0" in {r["track"] for r in rows}
    assert all((r["valence"] != "") == (r["status"] == "ok") for r in rows)


@pytest.mark.slow
def test_the_command_alone(ray, tiny_graph, tmp_path):
    """It starts a cluster, writes Parquet, and leaves nothing behind."""
    for i in range(5):
        write_image(tmp_path / "in" / f"{i}.png", rng.integers(0, 255, (40, 40, 3), np.uint8))
    command = ["predict", str(tmp_path / "in"), "--weights", str(tiny_graph), "--detector", "none", "--out"]
    assert main([*command, str(tmp_path / "plain.parquet")]) == 0
    start = [sys.executable, "-m", "fer", *command, str(tmp_path / "ray.parquet"), "--engine", "ray", "--workers", "2"]
    said = subprocess.run(start, cwd=ROOT, capture_output=True, text=True, timeout=200, check=True)
    tables = [pyarrow.parquet.read_table(tmp_path / f"{name}.parquet") for name in ("plain", "ray")]
    assert tables[0].equals(tables[1]) and tables[0].num_rows == 5
    assert "5 files, 5 faces" in said.stderr and "Warning" not in said.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "ray", "--annotate", "drawn"], "--annotate needs --engine plain"),
        (["--address", "auto"], "add --engine ray"),
        (["--engine", "ray", "--workers", "0"], "--workers with Ray takes a number of at least 1"),
        (["--engine", "ray", "--address", "127.0.0.1:{port}"], "no Ray cluster answers .*refused"),
        (["--engine", "ray", "--address", "nowhere"], "no Ray cluster answers .*expected HOST:PORT"),
    ],
)
def test_mistakes_leave_the_rows_alone(ray, tiny_checkpoint, tmp_path, capsys, arguments, message):
    with socket.socket() as unused:  # a port on which nobody listens
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        out = tmp_path / "rows.csv"
        out.write_text("kept")
        filled = [a.format(port=port) for a in arguments]
        assert predict(tiny_checkpoint, ROOT / "samples", "--out", out, "--overwrite", *filled) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert out.read_text() == "kept"


def test_without_ray_the_error_says_what_to_install(tiny_checkpoint, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert predict(tiny_checkpoint, ROOT / "samples", "--engine", "ray") == 2
    assert "pip install 'dan-fer[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paths", "size", "pieces"),
    [
        ([], 2, []),
        (["a.jpg", "b.jpg", "c.jpg"], 2, [["a.jpg", "b.jpg"], ["c.jpg"]]),
        (["a.jpg", "v.mp4", "w.MKV", "b.jpg"], 2, [["a.jpg"], ["v.mp4"], ["w.MKV"], ["b.jpg"]]),
        (["a.parquet", "b.parquet"], 9, [["a.parquet"], ["b.parquet"]]),
    ],
)
def test_videos_and_tables_are_pieces_of_their_own(paths, size, pieces):
    assert list(ray_engine._to_pieces(paths, size)) == pieces


@pytest.mark.parametrize(
    ("device", "gpus", "workers", "share"),
    [
        ("cpu", 2, 2, 0),
        ("auto", 0, 2, 0),
        ("auto", 1, 4, 0.25),
        ("cuda", 2, 2, 1),
        ("cuda", 2, 3, 0.5),  # two on the one, one on the other
        ("cuda", 4, 2, 1),
        ("cuda", 0, 2, None),
    ],
)
def test_workers_share_the_gpus(ray, monkeypatch, device, gpus, workers, share):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0} | ({"GPU": float(gpus)} if gpus else {}))
    if share is None:
        with pytest.raises(ValueError, match="the Ray cluster has no GPU"):
            ray_engine._share_gpus(device, workers)
    else:
        assert ray_engine._share_gpus(device, workers) == share
