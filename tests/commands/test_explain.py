"""fer explain: pictures, exit statuses, and what it never overwrites."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fer.cli import main
from fer.io.images import read_image, write_image

rng = np.random.default_rng(0)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for name in ("b.png", "b.jpg", "inner/c.webp"):
        write_image(folder / name, rng.integers(0, 255, (60, 80, 3), np.uint8))
    return folder


def explain(checkpoint, *arguments) -> int:
    """`fer explain` of images that are crops."""
    return main(["explain", "--weights", str(checkpoint), "--detector", "none", *map(str, arguments)])


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_pictures_of_a_folder(tiny_graph, photos, tmp_path, capsys):
    (photos / "text.jpg").write_text("no image")
    (photos / "clip.mp4").touch()
    originals = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    assert explain(tiny_graph, photos, tmp_path / "gone.jpg", "--recursive", "--out", tmp_path / "out") == 1
    assert files(tmp_path / "out") == [
        *("b.jpg", "b.jpg.face0.png", "b.png", "b.png.face0.png", "inner/c.webp", "inner/c.webp.face0.png"),
    ]
    assert read_image(tmp_path / "out" / "b.png").shape == (60, 80, 3)
    assert (read_image(tmp_path / "out" / "b.png") != read_image(photos / "b.png")).any()
    assert read_image(tmp_path / "out" / "b.png.face0.png").shape[1] == 10 + 4 * 178  # crop, all heads, two heads
    out, err = capsys.readouterr()
    lines = {Path(line.split("  ")[0]).name: line.split("-  ")[-1] for line in out.splitlines()}
    assert (lines["text.jpg"], lines["gone.jpg"]) == ("not an image file", "no such file")
    assert lines["clip.mp4"] == "a video; fer explain takes images"
    assert "6 files, 3 faces, 0 without a face, 3 could not be read" in err
    assert originals == {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}


def test_a_photo_without_a_face(tiny_graph, tmp_path, capsys):
    write_image(tmp_path / "wall.png", np.full((80, 80, 3), 120, np.uint8))
    assert explain(tiny_graph, tmp_path / "wall.png", "--out", tmp_path / "out", "--detector", "yunet") == 0
    assert "no face found" in capsys.readouterr().out
    assert files(tmp_path / "out") == ["wall.png"]


@pytest.mark.parametrize("existing", ["b.png", "b.png.face0.png", "b.png.face12.png"])
def test_what_exists_is_not_overwritten_silently(tiny_graph, photos, tmp_path, capsys, existing):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / existing).write_text("of yesterday")
    (tmp_path / "out" / "other.png.face0.png").write_text("of another photo")
    arguments = [photos / "b.png", "--out", tmp_path / "out"]
    assert explain(tiny_graph, *arguments) == 2
    assert f"{existing} exists: add --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out" / existing).read_text() == "of yesterday"
    assert len(files(tmp_path / "out")) == 2
    assert explain(tiny_graph, *arguments, "--overwrite") == 0
    assert read_image(tmp_path / "out" / "b.png.face0.png").shape[2] == 3
    assert (tmp_path / "out" / "other.png.face0.png").read_text() == "of another photo"


def test_originals_are_never_replaced(tiny_graph, photos, capsys):
    """Neither by a copy, nor by a sheet whose name a photo has."""
    before = (photos / "b.png").read_bytes()
    assert explain(tiny_graph, photos, "--out", photos, "--overwrite") == 2
    assert "would overwrite" in capsys.readouterr().err
    (photos / "inner" / "b.png.face0.png").write_bytes(before)
    assert explain(tiny_graph, photos / "b.png", photos / "inner" / "b.png.face0.png", "--out", photos / "out") == 0
    assert files(photos / "out") == [
        *("b.png", "b.png.face0.png", "b.png.face0.png.face0.png", "b.png.face0_2.png"),
    ]
    assert read_image(photos / "out" / "b.png.face0.png").shape == (60, 80, 3)  # the copy of that photo
    assert (photos / "b.png").read_bytes() == before


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (["--out", "/proc/xx"], "--out /proc/xx: not a writable folder"),
        (["--out", "{out}", "--device", "cuda", "--runtime", "openvino"], "OpenVINO runs on the CPU, not on 'cuda'"),
        (["{table}", "--out", "{out}"], "--out: no picture can be drawn of a table"),
    ],
)
def test_mistakes(tiny_graph, photos, tmp_path, capsys, mistake, message):
    names = {"out": str(tmp_path / "out"), "table": str(tmp_path / "x.parquet")}
    words = [word.format(**names) for word in mistake]
    assert explain(tiny_graph, *([] if "{table}" in mistake else [photos / "b.png"]), *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists() or files(tmp_path / "out") == []


def test_grad_cam(tiny_checkpoint, tiny_graph, photos, tmp_path, capsys):
    """A picture more on each sheet; from the checkpoint only."""
    pytest.importorskip("pytorch_grad_cam")
    arguments = [photos / "b.png", "--grad-cam", "--out", tmp_path / "out"]
    assert explain(tiny_checkpoint, *arguments) == 0
    assert read_image(tmp_path / "out" / "b.png.face0.png").shape[1] == 10 + 5 * 178
    assert explain(tiny_graph, *arguments, "--overwrite") == 2
    assert "expected a .safetensors file" in capsys.readouterr().err


def test_grad_cam_without_its_package(tiny_checkpoint, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    assert explain(tiny_checkpoint, photos / "b.png", "--grad-cam", "--out", tmp_path / "out") == 2
    assert "needs the package pytorch_grad_cam: pip install 'dan-fer[train]'" in capsys.readouterr().err
