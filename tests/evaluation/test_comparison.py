"""Two predictions in pairs."""

import numpy as np
import pytest

from fer.evaluation.comparison import compare, format_comparison
from fer.evaluation.predictions import NO_PREDICTION, PredictionTable

N = 400


def make_table(correct: np.ndarray, probs: bool = True) -> PredictionTable:
    truth = np.arange(N) % 2
    labels = np.where(correct, truth, 1 - truth)
    return PredictionTable(
        [f"{i}.png" for i in range(N)],
        "val",
        ("neutral", "happiness"),
        np.eye(2)[truth],
        labels,
        np.where(np.eye(2)[labels] > 0, 0.9, 0.1) if probs else None,
    )


@pytest.mark.parametrize(
    ("better", "p_value", "excludes_zero"),
    [
        (np.arange(N) < 20, 2 * 0.5**20, True),  # twenty images that only the first gets right
        (np.arange(N) < 0, 1.0, False),  # the same predictions
    ],
)
def test_paired_differences(better, p_value, excludes_zero):
    first = np.arange(N) >= 40
    second = first & ~np.roll(better, 60)
    comparison = compare(make_table(first), make_table(second), "other")
    accuracy = comparison.figures["accuracy"]
    assert accuracy.difference == pytest.approx(better.mean()) and (accuracy.first, comparison.n) == (0.9, N)
    assert (0 not in accuracy.interval) == excludes_zero
    assert comparison.only_first_correct == better.sum() and comparison.only_second_correct == 0
    assert comparison.p_value == pytest.approx(p_value)
    assert sorted(comparison.differ) == np.flatnonzero(first & ~second).tolist()
    error = comparison.figures["expected_calibration_error"]
    assert error.first == pytest.approx(0.0, abs=1e-9) and error.second == pytest.approx(better.mean())


def test_images_that_the_other_lacks_are_left_out():
    first, second = make_table(np.ones(N, bool)), make_table(np.arange(N) % 4 > 0, probs=False)
    second.labels[:100] = NO_PREDICTION
    comparison = compare(first, second, "peer.csv")
    assert (comparison.n, comparison.without_row) == (300, 100)
    assert comparison.figures["accuracy"].second == 0.75 and "expected_calibration_error" not in comparison.figures
    text = format_comparison(comparison)
    assert "compared with peer.csv on 300 images; 100 have no row there" in text
    assert "difference +25.00 points" in text and "75 labels differ; only this one is right on 75" in text


def test_nothing_in_common():
    second = make_table(np.ones(N, bool))
    second.labels[:] = NO_PREDICTION
    with pytest.raises(ValueError, match="peer.csv: no prediction for any of the 400 images"):
        compare(make_table(np.ones(N, bool)), second, "peer.csv")
