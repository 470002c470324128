"""Figures by groups of images: age, skin tone, sex, camera, or whatever a table says of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .calibration import expected_calibration_error
from .intervals import Interval, bootstrap
from .metrics import balanced, confusion_matrix
from .predictions import NO_PREDICTION, PredictionTable

FEW = 10  # images; a group with fewer has no intervals


@dataclass(frozen=True)
class Group:
    """The figures of one group. Intervals and differences are None where the group has less than FEW images."""

    name: str
    n: int
    accuracy: float
    balanced_accuracy: float
    expected_calibration_error: float | None  # None where only labels are known
    intervals: dict[str, Interval]  # of the figures above
    difference: float | None  # accuracy minus that of all other images that have a group
    difference_interval: Interval | None
    confusion_matrix: list[list[int]]  # rows are true classes, columns predicted ones
    conclusion: str  # a sentence


@dataclass(frozen=True)
class Grouping:
    """The groups of one column."""

    column: str
    groups: list[Group]
    n_without: int  # images for which the table has no value


def find_table(data: str | os.PathLike, table: str | os.PathLike | None) -> Path:
    """The table of groups: the one that is named, or `metadata.csv` in the folder of the dataset."""
    return Path(table) if table else Path(data, "metadata.csv")


def measure_groups(predictions: PredictionTable, column: str, values: list[str]) -> Grouping:
    """The figures of each group.

    Args:
        column: what the groups are called.
        values: the group of each image; "" for none.
    """
    of = np.array(values, object)
    known = of != ""
    groups = [_measure(predictions, name, of == name, known & (of != name)) for name in sorted(set(of[known]))]
    return Grouping(column, groups, int((~known).sum()))


def _measure(predictions: PredictionTable, name: str, inside: np.ndarray, others: np.ndarray) -> Group:
    group = predictions.subset(inside)
    n, correct, truth, others_correct = len(group), group.correct, group.truth, predictions.correct[others]
    logits = group.logits
    predicted = group.subset(group.labels != NO_PREDICTION)

    def figures(rows: np.ndarray) -> dict[str, float]:
        values = {"accuracy": float(correct[rows].mean()), "balanced_accuracy": balanced(correct[rows], truth[rows])}
        if logits is not None:
            values["expected_calibration_error"] = expected_calibration_error(logits[rows], group.targets[rows])
        return values

    values = figures(np.arange(n))
    difference = interval = None
    if min(n, len(others_correct)) >= FEW:
        rng = np.random.default_rng(1)
        difference = float(correct.mean() - others_correct.mean())
        interval = bootstrap(
            lambda rows: {"d": correct[rows].mean() - rng.choice(others_correct, len(others_correct)).mean()}, n
        )["d"]
    return Group(
        name,
        n,
        values["accuracy"],
        values["balanced_accuracy"],
        values.get("expected_calibration_error"),
        bootstrap(figures, n) if n >= FEW else {},
        difference,
        interval,
        confusion_matrix(np.eye(len(group.classes))[predicted.labels], predicted.targets).tolist(),
        _conclude(name, n, difference, interval),
    )


def _conclude(name: str, n: int, difference: float | None, interval: Interval | None) -> str:
    images = f"{n} image{'s' * (n != 1)}"
    if difference is None or interval is None:
        return f"{name}: {images}, or those of the other groups, are too few to tell anything."
    span = f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
    if 0 not in interval:
        word = "higher" if difference > 0 else "lower"
        return (
            f"{name}: accuracy is {100 * abs(difference):.1f} points {word} than for the others (95 % interval {span})."
        )
    reach = 100 * max(-interval.low, interval.high)
    return (
        f"{name}: {images} show no difference from the others beyond chance ({100 * difference:+.1f} points, "
        f"95 % interval {span}); they are too few to exclude one of {reach:.1f} points."
    )


def format_groups(grouping: Grouping) -> str:
    """The groups of a column as text."""
    lines = [
        f"by {grouping.column}" + (f" ({grouping.n_without} images without a value)" if grouping.n_without else "")
    ]
    lines.append(f"  {'group':<16}{'n':>6}{'accuracy':>10}{'interval':>20}{'calibration error':>19}")
    for g in grouping.groups:
        interval = g.intervals.get("accuracy")
        span = f"{interval.low:.2%} to {interval.high:.2%}" if interval else "-"
        error = "-" if g.expected_calibration_error is None else f"{g.expected_calibration_error:.2%}"
        lines.append(f"  {g.name:<16}{g.n:>6}{g.accuracy:>10.2%}{span:>20}{error:>19}")
    lines += [f"  {g.conclusion}" for g in grouping.groups]
    return "\n".join([*lines, "  Of twenty groups that do not differ, one seems to by chance."])
