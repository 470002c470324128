"""The best epoch, and the end of a run."""

import numpy as np
import pytest

from fer.training.selection import best_epoch, has_ended, score


def history(*scores: float) -> list[dict]:
    return [{"val_score": value} for value in scores]


@pytest.mark.parametrize(
    ("scores", "select", "best"),
    [([0.5], "accuracy", 0), ([0.5, 0.7, 0.7, 0.6], "macro_f1", 1), ([0.9, 0.1], "last", 1)],
)
def test_best_epoch(scores, select, best):
    assert best_epoch(history(*scores), select) == best


@pytest.mark.parametrize(
    ("scores", "epochs", "patience", "ended"),
    [
        ([], 3, 1, False),
        ([0.5], 3, 1, False),
        ([0.5, 0.5], 3, 1, True),  # as good is not better
        ([0.5, 0.4, 0.6], 9, 2, False),
        ([0.5, 0.4, 0.4], 9, 2, True),
        ([0.5, 0.4, 0.4], 9, 0, False),
        ([0.5, 0.6, 0.7], 3, 2, True),
    ],
)
def test_a_run_ends(scores, epochs, patience, ended):
    assert has_ended(history(*scores), epochs, patience) == ended


@pytest.mark.parametrize(
    ("select", "leaked", "expected"),
    [
        ("accuracy", [0, 0, 0, 0], 3 / 4),
        ("last", [0, 0, 0, 0], 3 / 4),
        ("balanced_accuracy", [0, 0, 0, 0], (1 + 0) / 2),
        ("macro_f1", [0, 0, 0, 0], (6 / 7 + 0) / 2),
        ("accuracy", [1, 1, 0, 0], 1 / 2),
        ("accuracy", [1, 1, 1, 1], 3 / 4),  # all are in training
    ],
)
def test_scores(select, leaked, expected):
    """Three images of the first class are right, one of the second is wrong."""
    logits, targets = np.tile([2.0, 1.0], (4, 1)), np.eye(2)[[0, 0, 0, 1]]
    assert score(logits, targets, np.array(leaked, bool), select) == pytest.approx(expected)
