"""The recipes of RAF-DB and AffectNet, from the official trees to a checkpoint that recognises."""

import json

import numpy as np
import pytest

from fer import EmotionRecognizer
from fer.cli import main
from fer.data import load_samples
from fer.data.datasets.affectnet import COLUMNS
from fer.io.images import write_image
from fer.training.config import TrainConfig
from fer.training.template import measure_missing_template
from trees import write_text

TEMPLATE = ["0.31", "0.39", "0.69", "0.39", "0.5", "0.6", "0.35", "0.76", "0.65", "0.76"]
SMALL = ["--epochs", "1", "--batch-size", "4", "--input-size", "64", "--num-heads", "2", "--workers", "0"]
SMALL += ["--device", "cpu", "--no-amp"]


def noise(side: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def make_rafdb(root):
    """Three images of each class in train, one in test."""
    lines = [f"{part}_{i:05d}.jpg {i % 7 + 1}" for part, n in (("train", 21), ("test", 7)) for i in range(n)]
    write_text(root / "basic" / "EmoLabel" / "list_patition_label.txt", *lines)
    for i, line in enumerate(lines):
        name = line.split(".")[0]
        write_image(root / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg", noise(100, i))


def make_affectnet(root):
    """Photos with boxes and points, three of each class in training, one in validation."""
    points = np.random.default_rng(0).uniform(40, 110, (68, 2)).round(1)
    for name, n in (("training", 24), ("validation", 8)):
        rows = []
        for i in range(n):
            write_image(root / "Manually_Annotated_Images" / name / f"{i}.jpg", noise(150, i))
            text = ";".join(str(v) for v in points.ravel())
            rows.append(f"{name}/{i}.jpg,30,30,90,90,{text},{i % 8},0,0")
        header = ",".join([*COLUMNS, "valence", "arousal"])
        write_text(root / "Manually_Annotated_file_lists" / f"{name}.csv", header, *rows)


@pytest.mark.parametrize(
    ("recipe", "make", "dataset", "classes", "more"),
    [
        ("rafdb", make_rafdb, "rafdb", 7, ["--template", *TEMPLATE]),  # crops: measuring would download a detector
        ("rafdb-mobilefacenet", make_rafdb, "rafdb", 7, ["--template", *TEMPLATE]),
        ("affectnet8", make_affectnet, "affectnet8", 8, []),
        ("affectnet7", make_affectnet, "affectnet7", 7, []),
        ("affectnet8-mobilefacenet", make_affectnet, "affectnet8", 8, []),
        ("affectnet7-mobilefacenet", make_affectnet, "affectnet7", 7, []),
    ],
)
def test_from_the_release_to_a_checkpoint(recipe, make, dataset, classes, more, tmp_path, capsys):
    make(tmp_path / "data")
    data, run = str(tmp_path / "data"), tmp_path / "run"
    more = more + ([] if "mobilefacenet" in recipe else ["--backbone-weights", ""])  # those of timm would be downloaded
    assert main(["train", "--recipe", recipe, "--data", data, "--out", str(run), *SMALL, *more]) == 0
    arguments = ["--dataset", dataset, "--data", data, "--weights", str(run / "best.safetensors")]
    assert main(["evaluate", *arguments, "--split", "test", "--out", str(tmp_path / "eval")]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], len(metrics["classes"]), metrics["rule"]) == (classes, classes, "label")
    recognizer = EmotionRecognizer.from_pretrained(run / "best.safetensors", detector="none")
    assert len(recognizer.description.template) == 5
    assert recognizer.predict_crops([noise(100, 1)])[0].shape == (classes,)


def test_photos_are_packed_as_training_cuts_them(tmp_path):
    """By their landmarks, though no recipe gives a template."""
    make_affectnet(tmp_path / "data")
    assert main(["pack", "affectnet8", str(tmp_path / "data"), str(tmp_path / "out"), "--splits", "train"]) == 0
    photos = load_samples("affectnet8", tmp_path / "data", "train")
    packed = load_samples("parquet", tmp_path / "out", "train")
    template = np.reshape(measure_missing_template(TrainConfig(), photos).template, (5, 2))
    for i in range(len(photos)):
        np.testing.assert_array_equal(packed.read(i), photos.crop(i, template, 224))
        assert not np.array_equal(packed.read(i), photos.crop(i, np.empty((0, 2)), 224))  # by its box
