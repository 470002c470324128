"""Predictions as files: ours come back, those of other programs are understood."""

import csv

import numpy as np
import pandas
import pytest

from fer.evaluation.predictions import NO_PREDICTION, PredictionTable, read_predictions, write_predictions

CLASSES = ("neutral", "happiness", "tired")
PROBS = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.1, 0.6, 0.3], [np.nan] * 3])


def make_table(**changes) -> PredictionTable:
    values = {
        "names": ["a/1.png", "a/2.png", "b/3.png", "b/4.png"],
        "split": "val",
        "classes": CLASSES,
        "targets": np.eye(3)[[0, 1, 2, 0]],
        "labels": np.array([0, 1, 1, NO_PREDICTION]),
        "probs": PROBS,
        "seen": np.array([True, False, False, False]),
        "unsure": np.array([False, True, False, False]),
    }
    return PredictionTable(**values | changes)


def test_files_say_all(tmp_path):
    table = make_table(votes=np.full((4, 3), 1 / 3))
    write_predictions(table, tmp_path)
    parquet, text = (
        pandas.read_parquet(tmp_path / "predictions.parquet"),
        pandas.read_csv(tmp_path / "predictions.csv"),
    )
    assert list(parquet) == list(text)
    assert list(text)[:8] == ["image", "split", "target", "label", "confidence", "correct", "unsure", "duplicate"]
    assert list(text)[8:] == [*CLASSES, *(f"target_{c}" for c in CLASSES), *(f"votes_{c}" for c in CLASSES)]
    assert text["label"].tolist()[:3] == ["neutral", "happiness", "happiness"] and text["label"].isna()[3]
    assert text["correct"].tolist() == [True, True, False, False]
    assert parquet["unsure"].tolist() == [False, True, False, None]
    assert parquet["duplicate"].tolist() == [True, False, False, False]
    assert parquet["confidence"].round(3).tolist()[:3] == [0.7, 0.5, 0.6] and parquet["neutral"].isna()[3]


@pytest.mark.parametrize("name", ["predictions.csv", "predictions.parquet"])
def test_what_was_written_is_read(tmp_path, name):
    table = make_table()
    write_predictions(table, tmp_path)
    again = read_predictions(tmp_path / name, table)
    assert again.labels.tolist() == table.labels.tolist()
    np.testing.assert_allclose(again.probs, table.probs)
    subset = again.subset(again.correct)
    assert subset.names == ["a/1.png", "a/2.png"] and subset.seen.tolist() == [True, False]


def write_csv(path, header, *rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


OTHERS = [
    # header, rows, labels of the four images
    (["path", "label"], [["/data/a/1.png", "Happy"], ["/data/b/4.png", "tired"]], [1, -1, -1, 2]),  # absolute paths
    (["file_name", "label"], [["1.png", "neutral"], ["x/3.png", "happy"]], [0, -1, 1, -1]),  # the last part alone
    (["path", "face", "label"], [["a/1.png", 0, "tired"], ["a/1.png", 1, "happy"]], [2, -1, -1, -1]),  # the first face
    (["name", "label"], [["a/2.png", ""], ["a/1.png", "tired"]], [2, -1, -1, -1]),  # no label, no prediction
    (["image", "label"], [["a\\1.png", "tired"]], [2, -1, -1, -1]),  # as Windows writes paths
]


@pytest.mark.parametrize(("header", "rows", "labels"), OTHERS)
def test_files_of_other_programs(tmp_path, header, rows, labels):
    table = read_predictions(write_csv(tmp_path / "other.csv", header, *rows), make_table())
    assert table.labels.tolist() == labels and table.probs is None


WRONG = [
    (
        ["path", "emotion"],
        [["a/1.png", "happy"]],
        "expected a column label and one of .*; the columns are path, emotion",
    ),
    (["where", "label"], [["a/1.png", "happy"]], "the columns are where, label"),
    (
        ["path", "label"],
        [["z/9.png", "happy"]],
        "none of its images is in the split; it has z/9.png, the split a/1.png",
    ),
    (["path", "label"], [], "it has no row"),
    (
        ["path", "label"],
        [["a/1.png", "boredom"]],
        "row 1: 'boredom' is not one of the classes neutral, happiness, tired",
    ),
    (["path", "label", *CLASSES], [["a/1.png", "tired", 0, 0, 7]], "tired is '7'; expected a probability of 0 to 1"),
    (["path", "label", *CLASSES], [["a/1.png", "tired", 0, "", 1]], "happiness is ''; expected a probability"),
]


@pytest.mark.parametrize(("header", "rows", "message"), WRONG)
def test_files_that_cannot_be_used(tmp_path, header, rows, message):
    with pytest.raises(ValueError, match=message):
        read_predictions(write_csv(tmp_path / "other.csv", header, *rows), make_table())


@pytest.mark.parametrize("name", ["missing.csv", "missing.parquet"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name}: cannot be read"):
        read_predictions(tmp_path / name, make_table())
