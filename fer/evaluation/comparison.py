"""Two predictions for the same images, compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .calibration import expected_calibration_error
from .intervals import Interval, bootstrap
from .metrics import balanced
from .predictions import NO_PREDICTION, PredictionTable


@dataclass(frozen=True)
class Difference:
    """A figure of both predictions, and the first minus the second with its paired bootstrap interval."""

    first: float
    second: float
    difference: float
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """How a prediction compares with another one, on the images that both have."""

    other: str
    n: int
    without_row: int  # images that the other one does not have; they are left out
    figures: dict[str, Difference]
    only_first_correct: int
    only_second_correct: int
    p_value: float  # McNemar's exact test, two-sided: of equal accuracies
    differ: list[int]  # rows of the first table where the labels differ, those first where exactly one is right


def compare(first: PredictionTable, second: PredictionTable, other: str) -> Comparison:
    """Compare two tables of the same images, row by row.

    Differences have bootstrap intervals over the images (paired: each draw takes the same images of
    both). The test is McNemar's (1947) in its exact form: given the images that exactly one of them
    gets right, each is as likely to be the one.

    Args:
        second: as from `read_predictions`: rows without a prediction are left out.
        other: what the second one is called.

    Raises:
        ValueError: no image in common.
    """
    from scipy.stats import binomtest

    common = np.flatnonzero(second.labels != NO_PREDICTION)
    if not len(common):
        raise ValueError(f"{other}: no prediction for any of the {len(first)} images")
    a, b = first.subset(common), second.subset(common)
    only_first, only_second = a.correct & ~b.correct, ~a.correct & b.correct
    differ = np.flatnonzero(a.labels != b.labels)
    one_right = (only_first | only_second)[differ]
    discordant = int(only_first.sum() + only_second.sum())
    return Comparison(
        other,
        len(common),
        len(first) - len(common),
        _differences(a, b),
        int(only_first.sum()),
        int(only_second.sum()),
        float(binomtest(int(only_first.sum()), discordant).pvalue) if discordant else 1.0,
        common[differ[np.argsort(~one_right, kind="stable")]].tolist(),
    )


def _differences(a: PredictionTable, b: PredictionTable) -> dict[str, Difference]:
    both = [(table.correct, table.logits) for table in (a, b)]
    truth, calibrated = a.truth, all(logits is not None for _, logits in both)

    def values(correct: np.ndarray, logits: np.ndarray | None, rows: np.ndarray) -> dict[str, float]:
        figures = {"accuracy": float(correct[rows].mean()), "balanced_accuracy": balanced(correct[rows], truth[rows])}
        if calibrated and logits is not None:
            figures["expected_calibration_error"] = expected_calibration_error(logits[rows], a.targets[rows])
        return figures

    def differences(rows: np.ndarray) -> dict[str, float]:
        one, two = (values(*table, rows) for table in both)
        return {name: one[name] - two[name] for name in one}

    one, two = (values(*table, np.arange(len(a))) for table in both)
    intervals = bootstrap(differences, len(a))
    return {name: Difference(one[name], two[name], one[name] - two[name], intervals[name]) for name in one}


def format_comparison(comparison: Comparison) -> str:
    """A comparison as text."""
    c = comparison
    lines = [
        f"compared with {c.other} on {c.n} images" + (f"; {c.without_row} have no row there" if c.without_row else "")
    ]
    for name, d in c.figures.items():
        lines.append(
            f"  {name.replace('_', ' '):<27}{d.first:8.2%}{d.second:8.2%}   difference "
            f"{100 * d.difference:+.2f} points ({100 * d.interval.low:+.2f} to {100 * d.interval.high:+.2f})"
        )
    lines.append(
        f"  {len(c.differ)} labels differ; only this one is right on {c.only_first_correct}, only the other one on "
        f"{c.only_second_correct} (McNemar's exact test: p = {c.p_value:.3g})"
    )
    return "\n".join(lines)
