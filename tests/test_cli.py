import csv
import io
import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from conftest import make_ferplus
from fake_detector import FakeDetector
from PIL import Image

import fer
from fer.cli import main
from fer.evaluation import evaluate, publish
from fer.evaluation.evaluate import EvaluationRequest, evaluate_checkpoint
from fer.io.images import read_image, write_image
from fer.labels import EMOTIONS
from fer.models.checkpoint import load_checkpoint, read_description, save_checkpoint
from fer.results.rows import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
rng = np.random.default_rng(0)


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
    assert header.split() == ["image", "face", "emotion", "confidence", "box"]
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


def test_jsonl(tiny_checkpoint, photos, tmp_path):
    assert predict(tiny_checkpoint, photos / "b.png", tmp_path / "gone.png", "--out", tmp_path / "faces.jsonl") == 1
    rows = [json.loads(line) for line in (tmp_path / "faces.jsonl").read_text().splitlines()]
    assert [list(r) for r in rows] == [[*COLUMNS, *EMOTIONS]] * 2
    assert rows[0]["label"] in EMOTIONS and isinstance(rows[0]["unsure"], bool)
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "{tmp}", "--weights", "{tiny}"], "no image or video in"),
        (["predict", "x.jpg", "--weights", "nothing"], "no weights 'nothing'"),
        (
            ["predict", "x.jpg", "--weights", "{tiny}", "--detector", "none", "--out", "faces.xml"],
            "ends with .csv, .jsonl, .parquet",
        ),
        (
            ["predict", "x.jpg", "--weights", "{tiny}", "--detector-weights", "gone.onnx"],
            "gone.onnx: no such detector model",
        ),
        (["train", "--recipe", "nothing"], "known recipes"),
        (["train", "--out", "x"], "--data"),
        (
            ["evaluate", "--dataset", "ferplus", "--data", "{tmp}", "--out", "x", "--weights", "{tiny}"],
            "no FER\\+ here",
        ),
        (["measure-template", "ferplus", "{tmp}", "--detector-weights", "x"], "no FER\\+ here"),
        (["predict", "", "--weights", "{tiny}"], "an empty path"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, message, tiny_checkpoint, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    filled = [a.format(tmp=tmp_path / "empty", tiny=tiny_checkpoint) for a in arguments]
    assert main(filled) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert re.search(message, err)


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


def test_the_exit_status_tells_of_errors_before(tiny_checkpoint, photos, tmp_path, capsys):
    (photos / "aaa.jpg").write_bytes(b"no image")
    out = tmp_path / "faces.csv"
    assert predict(tiny_checkpoint, photos, "--out", out) == 1
    assert predict(tiny_checkpoint, photos, "--out", out, "--resume") == 1
    assert "not read before: 1; --retry-errors" in capsys.readouterr().err
    (photos / "aaa.jpg").write_bytes((photos / "b.png").read_bytes())
    assert predict(tiny_checkpoint, photos, "--out", out, "--retry-errors") == 0
    assert out.read_text().count("aaa.jpg") == 1


def test_file_names_do_not_reach_the_terminal_raw(tiny_checkpoint, photos, capsys):
    (photos / "a\x1b[31m\r.jpg").write_bytes(b"")
    assert predict(tiny_checkpoint, photos, photos / "gone\x1b]0;title\x07") == 1
    assert main(["predict", "x", "--weights", "\x1b[2J.safetensors"]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out + err
    assert "\\x1b[31m\\r.jpg" in out and "\\x1b[2J.safetensors" in err


@pytest.mark.parametrize("redirection", ["2>&-", ">&-", "<&- --list -"])
def test_closed_streams(tiny_checkpoint, photos, redirection):
    command = (
        f"'{sys.executable}' -m fer predict '{photos}' --weights '{tiny_checkpoint}' --detector none {redirection}"
    )
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == (2 if "--list" in redirection else 0)
    assert "Traceback" not in run.stderr
    assert ("the input is closed" in run.stderr) == ("--list" in redirection)


def test_quiet_says_nothing_of_success(tiny_checkpoint, photos, tmp_path, capsys):
    assert predict(tiny_checkpoint, photos, "--out", tmp_path / "x.csv", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_progress_is_no_bar_where_there_is_no_terminal(tiny_checkpoint, photos, tmp_path):
    command = [sys.executable, "-m", "fer", "predict", photos, "--weights", tiny_checkpoint, "--detector", "none"]
    run = subprocess.run([*command, "--out", tmp_path / "x.csv"], capture_output=True, text=True, cwd=ROOT)
    assert run.stderr.splitlines()[0] == "2 files, 2 faces, 0 without a face, 0 could not be read"
    assert "\r" not in run.stderr


def test_the_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"dan-fer {fer.__version__}\n"


def test_usage_errors_have_status_2():
    with pytest.raises(SystemExit) as error:
        main(["predict", "--nonsense"])
    assert error.value.code == 2


def test_train_then_evaluate(tmp_path, capsys):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 16, "FER2013Valid": 16, "FER2013Test": 8})
    write_image(data / "FER2013Test" / "fer0000001.png", read_image(data / "FER2013Train" / "fer0000001.png"))
    run = tmp_path / "run"
    small = "--epochs=1 --batch-size=8 --input-size=32 --num-heads=1 --workers=0 --device=cpu --no-amp"
    small += " --template 0.31 0.39 0.69 0.39 0.5 0.6 0.35 0.76 0.65 0.76"  # measuring it would download a detector
    assert main(["train", "--data", str(data), "--out", str(run), *small.split()]) == 0
    assert "best epoch 1: validation accuracy" in capsys.readouterr().out

    alone = tmp_path / "alone"
    alone.mkdir()
    (data / "FER2013Test").rename(alone / "FER2013Test")
    arguments = ["evaluate", "--dataset", "ferplus", "--weights", str(run / "best.safetensors"), "--data", str(alone)]
    assert main([*arguments, "--out", str(tmp_path / "eval")]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["rule"], metrics["accuracy_without_duplicates"]) == (8, "majority", None)
    for picture in ("confusion.png", "reliability.png", "attention.png"):
        assert read_image(tmp_path / "eval" / picture).shape[2] == 3

    assert main([*arguments, "--out", str(tmp_path / "eval"), "--duplicates-of", str(data), "--flip"]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["n_without_duplicates"], metrics["flip"]) == (8, 7, True)
    assert "without duplicates" in capsys.readouterr().out


def test_train_py_is_the_same_command():
    script = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert script.returncode == 0 and "--recipe" in script.stdout


@pytest.mark.parametrize(("trained_on", "asked"), [("ferplus", []), ("parquet", ["--dataset", "ferplus"])])
def test_publish_stores_the_figures_of_the_stored_file(tmp_path, tiny_checkpoint, capsys, trained_on, asked):
    data = make_ferplus(tmp_path / "data", {"FER2013Valid": 16})
    model, description = load_checkpoint(tiny_checkpoint)
    description.dataset = trained_on
    description.recipe = {"data": "/home/me/data", "init_weights": "/home/me/runs/a/best.safetensors", "epochs": 3}
    save_checkpoint(tmp_path / "best.safetensors", model, description)
    out = tmp_path / "shipped.safetensors"
    terms = ["--data", str(data), "--licence", "research only", "--device", "cpu", *asked]
    assert main(["publish", str(tmp_path / "best.safetensors"), "--out", str(out), *terms]) == 0
    shipped = read_description(out)
    assert (shipped.licence, shipped.dataset) == ("research only", "ferplus")
    assert shipped.recipe == {"init_weights": "a/best.safetensors", "epochs": 3}  # nothing about this machine
    calibration = shipped.metrics.pop("calibration")
    figures = evaluate_checkpoint(EvaluationRequest(out, "ferplus", data, "val", device="cpu")).to_dict()
    assert shipped.metrics == figures | {"epoch": None}
    assert calibration["n"] == 16 and figures["expected_calibration_error"] <= calibration["error_before"] + 0.1
    assert (shipped.temperature, shipped.unsure_below) == (figures["temperature"], figures["unsure_below"])
    assert shipped.temperature != 1.0
    assert f"{out.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out

    kept = out.read_bytes()
    terms[1] = str(tmp_path / "nowhere")  # no data there: the shipped file stays
    assert main(["publish", str(tmp_path / "best.safetensors"), "--out", str(out), *terms]) == 2
    assert out.read_bytes() == kept


@pytest.mark.parametrize("out", ["file/shipped.safetensors", "folder.safetensors", "shipped.pt"])
def test_publish_says_before_the_work_where_it_cannot_write(tmp_path, tiny_checkpoint, capsys, monkeypatch, out):
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    monkeypatch.setattr(publish, "predict_split", lambda *_, **__: pytest.fail("work was done"))
    command = ["publish", str(tiny_checkpoint), "--data", str(tmp_path), "--dataset", "ferplus", "--licence", "mine"]
    assert main([*command, "--out", str(tmp_path / out)]) == 2
    assert str(tmp_path / out.split("/")[0]) in capsys.readouterr().err


@pytest.mark.parametrize("recipe", [{"teachers": [3], "init_weights": {"a": 1}}, {"mean_of": "runs/a/b/c"}, {}])
def test_any_recipe_is_published(recipe):
    assert publish.without_places(recipe).keys() == recipe.keys()


def test_publish_with_a_second_crop_calibrates_on_found_faces(tmp_path, tiny_checkpoint, monkeypatch):
    data, asked = make_ferplus(tmp_path / "data", {"FER2013Valid": 16}), []
    monkeypatch.setattr(evaluate, "create_detector", lambda *names: asked.append(names) or FakeDetector())
    out = tmp_path / "shipped.safetensors"
    command = ["publish", str(tiny_checkpoint), "--dataset", "ferplus", "--data", str(data), "--licence", "mine"]
    assert main([*command, "--out", str(out), "--second-crop", "--detector-weights", "yunet.onnx"]) == 0
    assert asked == [("yunet", "yunet.onnx")]
    shipped = read_description(out)
    assert shipped.second_crop and shipped.metrics["detector"] == "fake"


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


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_killed_run_resumes_to_the_same_rows(tiny_checkpoint, tmp_path, suffix):
    """kill -9 at random moments, three times; then the file is that of an uninterrupted run."""
    for i in range(300):
        if i % 20 == 7:
            (tmp_path / "photos" / f"{i:03d}.jpg").write_bytes(b"" if i % 40 == 7 else b"no image")
        else:
            write_image(tmp_path / "photos" / f"{i:03d}.jpg", np.full((60, 60, 3), i % 256, np.uint8))
    start = [sys.executable, "-m", "fer.cli", "predict", str(tmp_path / "photos"), "--weights", str(tiny_checkpoint)]
    start += ["--detector", "none", "--device", "cpu", "--batch-size", "4", "--out"]
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    assert subprocess.run([*start, str(whole)], cwd=ROOT, capture_output=True).returncode == 1  # some could not be read
    growing = out.with_name(f".{out.name}.rows.jsonl") if suffix == ".parquet" else out
    for size in (3_000, 12_000, 25_000):
        run = subprocess.Popen([*start, str(out), "--resume"], cwd=ROOT, stderr=subprocess.DEVNULL)
        while run.poll() is None and not (growing.exists() and growing.stat().st_size > size):
            time.sleep(0.001)
        run.kill()
        run.wait()
    assert subprocess.run([*start, str(out), "--resume"], cwd=ROOT, capture_output=True).returncode == 1
    if suffix == ".parquet":
        assert pyarrow.parquet.read_table(out).equals(pyarrow.parquet.read_table(whole))
    else:
        assert out.read_bytes() == whole.read_bytes()
