"""Figures by made-up groups."""

from pathlib import Path

import numpy as np
import pytest

from fer.evaluation.groups import find_table, format_groups, measure_groups
from fer.evaluation.predictions import PredictionTable


def make_table(correct: np.ndarray) -> PredictionTable:
    truth = np.arange(len(correct)) % 2
    labels = np.where(correct, truth, 1 - truth)
    probs = np.where(np.eye(2)[labels] > 0, 0.9, 0.1)
    names = [f"{i}.png" for i in range(len(correct))]
    return PredictionTable(names, "val", ("neutral", "happiness"), np.eye(2)[truth], labels, probs)


def test_groups_that_differ_and_groups_that_do_not():
    wrong = np.concatenate([np.arange(1000) < 100, np.arange(1000) < 300, np.arange(1000) < 100])
    grouping = measure_groups(
        make_table(~wrong), "age", ["young"] * 1000 + ["old"] * 1000 + ["middle"] * 998 + [""] * 2
    )
    figures = {group.name: group for group in grouping.groups}
    assert list(figures) == ["middle", "old", "young"] and grouping.n_without == 2
    assert (figures["old"].n, figures["old"].accuracy, figures["middle"].n) == (1000, 0.7, 998)
    assert figures["old"].difference == pytest.approx(-0.2, abs=0.001)
    assert 0.7 in figures["old"].intervals["accuracy"] and 0.75 not in figures["old"].intervals["accuracy"]
    assert figures["old"].expected_calibration_error == pytest.approx(0.2)
    assert np.sum(figures["old"].confusion_matrix) == 1000 and np.trace(figures["old"].confusion_matrix) == 700
    assert "old: accuracy is 20.0 points lower than for the others (95 % interval -2" in figures["old"].conclusion
    assert "young: accuracy is 10.0 points higher" in figures["young"].conclusion


@pytest.mark.parametrize(
    ("n", "conclusion"),
    [
        (5, "a: 5 images, or those of the other groups, are too few to tell anything."),
        (1, "a: 1 image, or those"),
        (40, "a: 40 images show no difference from the others beyond chance"),
    ],
)
def test_groups_too_small_to_tell(n, conclusion):
    grouping = measure_groups(make_table(np.arange(500) % 10 > 0), "camera", ["a"] * n + ["b"] * (500 - n))
    text = format_groups(grouping)
    assert conclusion in text and "by camera" in text
    assert "they are too few to exclude one of" in text or n < 40


def test_the_table_of_groups(tmp_path):
    assert find_table(tmp_path, None) == tmp_path / "metadata.csv"
    assert find_table(tmp_path, "other.csv") == Path("other.csv")
