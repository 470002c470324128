"""fer predict: rows, copies, exit statuses, and what a killed run leaves."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from fer import EmotionRecognizer
from fer.cli import main
from fer.io.images import encode_image, read_image, write_image
from fer.io.video import VideoReader
from fer.labels import EMOTIONS
from fer.results.rows import COLUMNS
from fer.results.sinks import SINKS
from outcomes import read
from videos import make_video

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 255, (40 + i, 60, 3), np.uint8) for i in range(5)]
FILES = [encode_image(image) for image in IMAGES]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for name in ("b.png", "Zoë 😀.jpg", "inner/c.png"):
        write_image(folder / name, rng.integers(0, 255, (60, 60, 3), np.uint8))
    return folder


def predict(tiny_checkpoint, *arguments) -> int:
    """`fer predict` of images that are crops."""
    fixed = ["--weights", tiny_checkpoint, "--detector", "none", "--device", "cpu"]
    return main(["predict", *map(str, [*fixed, *arguments])])


def test_table(tiny_checkpoint, photos, capsys):
    assert predict(tiny_checkpoint, photos) == 0
    out, err = capsys.readouterr()
    header, *lines = out.splitlines()
    assert header.split() == ["image", "face", "emotion", "confidence", "box", "unsure"]
    assert ["Zoë 😀.jpg" in lines[0], "b.png" in lines[1]] == [True, True]
    assert "2 files, 2 faces, 0 without a face, 0 could not be read\nfaces: " in err


def test_csv(tiny_checkpoint, photos, tmp_path):
    (photos / "text.jpg").write_text("no image")
    assert predict(tiny_checkpoint, photos, "--recursive", "--out", tmp_path / "out/faces.csv") == 1
    with open(tmp_path / "out/faces.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, *EMOTIONS]
    assert [Path(r["path"]).name for r in rows] == ["Zoë 😀.jpg", "b.png", "text.jpg", "c.png"]
    assert [r["status"] for r in rows] == ["ok", "ok", "error", "ok"]
    assert rows[2]["error"] == "not an image file" and rows[2]["label"] == ""
    assert sum(float(rows[0][name]) for name in EMOTIONS) == pytest.approx(1, abs=0.001)
    assert [float(rows[0][k]) for k in ("x1", "y1", "x2", "y2")] == [0, 0, 60, 60]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_embeddings(tiny_checkpoint, photos, tmp_path, capsys, suffix):
    """Columns after those of the emotions, also where a run goes on; without them it does not go on."""
    out = tmp_path / f"faces{suffix}"
    command = [photos, "--recursive", "--out", out]
    assert predict(tiny_checkpoint, photos / "b.png", "--out", out, "--embeddings") == 0
    assert predict(tiny_checkpoint, *command, "--resume") == 2
    assert "columns" in capsys.readouterr().err
    assert predict(tiny_checkpoint, *command, "--embeddings", "--resume") == 0
    rows = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    recognizer = EmotionRecognizer.from_pretrained(tiny_checkpoint, detector="none", device="cpu")
    assert len(rows) == 3 and list(rows)[len(COLUMNS) + len(EMOTIONS) :] == list(rows.filter(like="embedding_"))
    for path, found in zip(rows["path"], rows.filter(like="embedding_").to_numpy()):
        np.testing.assert_allclose(found, recognizer.embed(path)[0], rtol=1e-3, atol=1e-3)
    assert predict(tiny_checkpoint, photos, "--embeddings") == 2
    assert "--embeddings are for a file; name it by --out" in capsys.readouterr().err


def test_another_mix_of_classes(photos, tmp_path, capsys):
    """A class that is not to be expected is not predicted; a mistake is reported before the work."""
    shares = dict.fromkeys(EMOTIONS, 0) | {"disgust": 1, "contempt": 1}
    (tmp_path / "mix.json").write_text(json.dumps(shares))
    arguments = ["predict", str(photos), "--recursive", "--detector", "none", "--out", str(tmp_path / "rows.csv")]
    assert main([*arguments, "--prior", str(tmp_path / "mix.json")]) == 0
    assert {row["label"] for row in read(tmp_path / "rows.csv")} <= {"disgust", "contempt"}
    assert main([*arguments, "--overwrite", "--prior", str(tmp_path / "gone.json")]) == 2
    assert "not a readable JSON or YAML file (No such file or directory)" in capsys.readouterr().err


def test_jsonl(tiny_checkpoint, photos, tmp_path):
    assert predict(tiny_checkpoint, photos / "b.png", tmp_path / "gone.png", "--out", tmp_path / "faces.jsonl") == 1
    rows = [json.loads(line) for line in (tmp_path / "faces.jsonl").read_text().splitlines()]
    assert [list(r) for r in rows] == [[*COLUMNS, *EMOTIONS]] * 2
    assert rows[0]["label"] in EMOTIONS and rows[0]["unsure"] in (None, "low confidence")
    assert rows[1]["error"] == "no such file" and rows[1]["neutral"] is None


def test_an_image_without_a_face_is_a_row(tiny_checkpoint, tmp_path, capsys):
    write_image(tmp_path / "wall.png", np.full((80, 80, 3), 120, np.uint8))
    arguments = ["--weights", str(tiny_checkpoint), "--detector", "yunet", "--out", str(tmp_path / "faces.jsonl")]
    assert main(["predict", str(tmp_path / "wall.png"), *arguments]) == 0
    assert json.loads((tmp_path / "faces.jsonl").read_text())["status"] == "no_face"
    assert main(["predict", str(tmp_path / "wall.png"), *arguments[:4]]) == 0
    assert "no face found" in capsys.readouterr().out


def test_annotated_copies(tiny_checkpoint, photos, tmp_path):
    Image.new("P", (40, 40)).save(photos / "inner" / "d.gif")
    (photos / "text.jpg").write_text("no image")
    before = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    assert predict(tiny_checkpoint, photos, "--recursive", "--annotate", tmp_path / "drawn") == 1
    drawn = sorted(str(p.relative_to(tmp_path / "drawn")) for p in (tmp_path / "drawn").rglob("*") if p.is_file())
    assert drawn == ["Zoë 😀.jpg", "b.png", "inner/c.png", "inner/d.gif.jpg"]
    assert (read_image(tmp_path / "drawn" / "b.png") != read_image(photos / "b.png")).any()
    assert before == {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}


def test_an_output_that_cannot_be_written(tiny_checkpoint, photos, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert predict(tiny_checkpoint, photos, "--out", tmp_path / "file" / "faces.csv") == 2
    assert "file" in capsys.readouterr().err


def test_annotated_copies_never_replace_the_originals(tiny_checkpoint, photos, capsys):
    before = (photos / "b.png").read_bytes()
    assert predict(tiny_checkpoint, photos, "--annotate", photos) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (photos / "b.png").read_bytes() == before


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (["--workers", "-1"], "--workers: must be at least 0, not -1"),
        (["--every", "0"], "--every: must be at least 1"),
        (["--max-pixels", "-5"], "--max-pixels: must be at least 1"),
        (["--batch-size", "0"], "--batch-size: must be at least 1"),
        (["--min-face", "nan"], "--min-face: must be at least 0"),
        (["--annotate", ""], "--annotate: an empty name"),
        (["--annotate", "/proc/xx"], "--annotate /proc/xx: not a writable folder"),
        (["--detector", "yunet", "--detector-weights", "x", "--min-score", "7"], "min_score is .* between 0 and 1"),
        (["--device", "tpu"], "device 'tpu' is not available"),
        ([], "holds results: add --resume to go on with it, or --overwrite"),
    ],
)
def test_a_mistake_leaves_existing_results_alone(tiny_checkpoint, photos, tmp_path, capsys, mistake, message):
    out = tmp_path / "keep.csv"
    out.write_text("what a day's work left\n")
    overwrite = ["--overwrite"] if mistake else []
    with suppress(SystemExit):
        assert predict(tiny_checkpoint, photos, "--out", out, *overwrite, *mistake) == 2
    err = capsys.readouterr().err
    assert re.search(message, err) and "Traceback" not in err
    assert out.read_text() == "what a day's work left\n"


@pytest.mark.parametrize("suffix", SINKS)
@pytest.mark.parametrize("name", ["aaa.jpg", "aaa\udcff.jpg"])  # the second is not Unicode
def test_the_exit_status_tells_of_errors_before(tiny_checkpoint, photos, tmp_path, capsys, name, suffix):
    (photos / name).write_bytes(b"no image")
    out = tmp_path / f"faces{suffix}"
    assert predict(tiny_checkpoint, photos, "--out", out) == 1
    assert predict(tiny_checkpoint, photos, "--out", out, "--resume") == 1
    assert "not read before: 1; --retry-errors" in capsys.readouterr().err
    (photos / name).write_bytes((photos / "b.png").read_bytes())
    assert predict(tiny_checkpoint, photos, "--out", out, "--retry-errors") == 0
    assert [row["status"] for row in read(out)] == ["ok"] * 3


def test_file_names_do_not_reach_the_terminal_raw(tiny_checkpoint, photos, capsys):
    (photos / "a\x1b[31m\r.jpg").write_bytes(b"")
    assert predict(tiny_checkpoint, photos, photos / "gone\x1b]0;title\x07") == 1
    assert main(["predict", "x", "--weights", "\x1b[2J.safetensors"]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out + err
    assert "\\x1b[31m\\r.jpg" in out and "\\x1b[2J.safetensors" in err


@pytest.mark.parametrize("redirection", ["2>&-", ">&-", "<&- --list -"])
def test_closed_streams(tiny_graph, photos, redirection):
    command = f"'{sys.executable}' -m fer predict '{photos}' --weights '{tiny_graph}' --detector none {redirection}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == (2 if "--list" in redirection else 0)
    assert "Traceback" not in run.stderr
    assert ("the input is closed" in run.stderr) == ("--list" in redirection)


def test_quiet_says_nothing_of_success(tiny_checkpoint, photos, tmp_path, capsys):
    assert predict(tiny_checkpoint, photos, "--out", tmp_path / "x.csv", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_progress_is_no_bar_where_there_is_no_terminal(tiny_graph, photos, tmp_path):
    command = [sys.executable, "-m", "fer", "predict", photos, "--weights", tiny_graph, "--detector", "none"]
    run = subprocess.run([*command, "--out", tmp_path / "x.csv"], capture_output=True, text=True, cwd=ROOT)
    assert run.stderr.splitlines()[0] == "2 files, 2 faces, 0 without a face, 0 could not be read"
    assert "\r" not in run.stderr


def test_paths_from_a_file(tiny_checkpoint, photos, tmp_path, capsys, monkeypatch):
    names = "\n".join(str(p) for p in sorted(photos.glob("*.*"))) + "\n\n"
    (tmp_path / "names.txt").write_text(names)
    assert predict(tiny_checkpoint, "--list", tmp_path / "names.txt") == 0
    assert "2 files, 2 faces" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO(names))
    assert predict(tiny_checkpoint, "--list", "-") == 0
    assert "2 files, 2 faces" in capsys.readouterr().err
    assert predict(tiny_checkpoint) == 2
    assert "name images, videos or folders" in capsys.readouterr().err


def test_large_images_are_refused(tiny_checkpoint, photos, tmp_path, capsys):
    assert predict(tiny_checkpoint, photos, "--max-pixels", "100") == 1
    assert "not read: 2 " in capsys.readouterr().err


@pytest.mark.parametrize("suffix", SINKS)
def test_a_killed_run_resumes_to_the_same_rows(tiny_graph, tmp_path, suffix):
    """kill -9 while the rows are few and while they are many; then the file is that of an uninterrupted run."""
    for i in range(300):
        if i % 20 == 7:
            (tmp_path / "photos" / f"{i:03d}.jpg").write_bytes(b"" if i % 40 == 7 else b"no image")
        else:
            write_image(tmp_path / "photos" / f"{i:03d}.jpg", np.full((60, 60, 3), i % 256, np.uint8))
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    command = [
        "predict",
        str(tmp_path / "photos"),
        "--weights",
        str(tiny_graph),
        "--detector",
        "none",
        "--device",
        "cpu",
    ]
    command += ["--batch-size", "4", "--out"]
    assert main([*command, str(whole)]) == 1  # some could not be read
    growing = SINKS[suffix].journal_of(out)
    for size in (3_000, 20_000):
        start = [sys.executable, "-m", "fer", *command, str(out), "--resume"]
        run = subprocess.Popen(start, cwd=ROOT, stderr=subprocess.DEVNULL)
        while run.poll() is None and not (growing.exists() and growing.stat().st_size > size):
            time.sleep(0.001)
        run.kill()
        assert run.wait() == -signal.SIGKILL
    assert main([*command, str(out), "--resume"]) == 1
    assert read(out) == read(whole)


def test_videos(tiny_checkpoint, tmp_path, capsys):
    """A video among images: rows of each frame, an annotated copy as long as the video; a broken one is a row."""
    make_video(tmp_path / "in" / "b.mp4") if (tmp_path / "in").mkdir() is None else None
    (tmp_path / "in" / "c.mp4").write_bytes(b"no video")
    out = tmp_path / "rows.csv"
    command = [
        "predict",
        str(tmp_path / "in"),
        "--weights",
        str(tiny_checkpoint),
        "--detector",
        "none",
        "--device",
        "cpu",
    ]
    assert main([*command, "--out", str(out), "--annotate", str(tmp_path / "drawn"), "--every", "3"]) == 1
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["status"]) for row in rows] == [
        *((str(n), "ok") for n in range(0, 30, 3)),
        ("", "error"),
    ]
    assert [float(row["time"]) for row in rows[:-1]] == pytest.approx(np.arange(0, 30, 3) / 15, abs=2e-3)
    assert rows[0]["track"] == "0" and "cannot be read as a video" in rows[-1]["error"]
    assert "2 files, 10 frames, 10 faces" in capsys.readouterr().err
    copy = VideoReader(tmp_path / "drawn" / "b.mp4")
    assert len(list(copy)) == 30 and copy.rate == Fraction(15)
    assert read_image(tmp_path / "drawn" / "b.timeline.png").shape[1] == 1100
    before = out.read_bytes()
    assert main([*command, "--out", str(out), "--resume", "--every", "3"]) == 1
    assert out.read_bytes() == before


def test_tables(tiny_checkpoint, tmp_path, capsys):
    """A table between images; one that is missing; going on."""
    write_image(tmp_path / "a.png", IMAGES[0])
    table = tmp_path / "b.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"image": FILES}), table, row_group_size=2)
    out = tmp_path / "rows.csv"
    fixed = ["--weights", str(tiny_checkpoint), "--detector", "none", "--device", "cpu"]
    paths = [tmp_path / "a.png", table, tmp_path / "gone.parquet"]
    command = ["predict", *map(str, paths), *fixed]
    assert main([*command, "--out", str(out)]) == 1
    assert "3 files, 5 frames, 6 faces" in capsys.readouterr().err
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["path"], r["frame"]) for r in rows] == [
        *[(str(paths[0]), ""), *((str(table), str(i)) for i in range(5))],
        (str(paths[2]), ""),
    ]
    assert rows[-1]["error"] == "no such file"
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])
    assert main([*command, "--out", str(out), "--resume"]) == 1
    assert out.read_bytes() == whole
    assert (
        main(["predict", str(tmp_path), *fixed, "--out", str(out), "--overwrite"]) == 0
    )  # a folder gives its images alone
    capsys.readouterr()
    assert main([*command, "--annotate", str(tmp_path / "drawn")]) == 2
    assert "--annotate: no picture can be drawn of a table" in capsys.readouterr().err
