"""Classes of one's own, from a folder of images to the rows, pictures and page of a trained network."""

import csv
import json

import numpy as np
import pytest

from conftest import pattern_image
from fer.cli import main
from fer.io.images import read_image, write_image
from fer.labels import _tell_others
from fer.models.checkpoint import read_description
from fer.results.rows import COLUMNS
from fer.visualization.colors import color_of

PATTERNS = {
    "tired": "fear",
    "calm $1": "sadness",
    "happy": "anger",
    "_odd": "neutral",
}  # folder: what the images look like
CLASSES = ("happiness", "_odd", "calm $1", "tired")  # emotions first
SMALL = "--backbone=mobilefacenet-128 --epochs=1 --batch-size=8 --input-size=32 --num-heads=1 --workers=0 --no-amp"
SMALL += " --template 0.31 0.39 0.69 0.39 0.5 0.6 0.35 0.76 0.65 0.76"  # measuring it would download a detector


@pytest.fixture
def data(tmp_path):
    _tell_others.cache_clear()
    rng = np.random.default_rng(0)
    for folder, pattern in PATTERNS.items():
        for i in range(12):
            write_image(tmp_path / "data" / folder / f"{i}.png", pattern_image(pattern, rng))
    return tmp_path / "data"


def test_train_evaluate_predict(tmp_path, data, capsys, caplog):
    run, dataset = tmp_path / "run", ["--dataset", "folder", "--data", str(data), "--device", "cpu"]
    with caplog.at_level("INFO", "fer"):
        assert main(["train", *dataset, "--out", str(run), *SMALL.split()]) == 0
    assert "classes that are not among the 8 emotions: _odd, calm $1, tired" in caplog.messages
    weights = str(run / "best.safetensors")
    assert read_description(weights).classes == CLASSES

    assert main(["evaluate", *dataset, "--weights", weights, "--out", str(tmp_path / "eval")]) == 0
    metrics = json.loads((tmp_path / "eval/metrics.json").read_text())
    assert (tuple(metrics["per_class"]), metrics["n"]) == (CLASSES, 4)

    predict = ["predict", str(data / "tired"), "--weights", weights, "--detector", "none", "--device", "cpu"]
    assert main([*predict, "--out", str(tmp_path / "rows.csv"), "--annotate", str(tmp_path / "drawn")]) == 0
    with open(tmp_path / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*COLUMNS, *CLASSES)
    assert len(rows) == 12 and {row["label"] for row in rows} <= set(CLASSES)
    assert sum(float(rows[0][name]) for name in CLASSES) == pytest.approx(1, abs=0.001)
    drawn = read_image(tmp_path / "drawn/0.png")
    assert (drawn == color_of(rows[0]["label"], CLASSES)).all(2).any()
    capsys.readouterr()
    assert main(predict) == 0
    assert all(any(name in line for name in CLASSES) for line in capsys.readouterr().out.splitlines()[1:])


def test_check_data(tmp_path, data, capsys):
    assert main(["check-data", "folder", str(data), "--workers", "0", "--out", str(tmp_path / "report")]) in (0, 1)
    assert "calm $1 -> calm $1, e.g. calm $1/" in capsys.readouterr().out
    assert {"train-calm--1.png", "train-_odd.png"} <= {p.name for p in (tmp_path / "report").iterdir()}
