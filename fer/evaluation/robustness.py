"""Accuracy and calibration on corrupted images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .corruptions import CORRUPTIONS, corrupt_samples
from .evaluate import SplitPredictions, Subject, predict_samples
from .intervals import Interval, bootstrap
from .limits import ANGLES, Qualities, are_within, measure_qualities
from .metrics import is_correct, summarize


@dataclass(frozen=True)
class Robustness:
    """The figures of one corruption in one strength."""

    corruption: str  # "none" for the images as they are
    unit: str
    strength: float
    n: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    expected_calibration_error: float
    low_confidence: float  # share of the images whose confidence is below the threshold
    unsure: float  # share of the images that are called unsure for any reason
    accuracy_when_sure: float | None
    n_without_face: int | None  # images in which the detector finds no face; None without a detector
    quality: dict[str, float | None]  # medians of `Quality` over the faces: size, brightness, sharpness, yaw, pitch


def measure_robustness(subject: Subject, clean: SplitPredictions) -> Iterator[tuple[Robustness, Qualities]]:
    """The figures and qualities of `clean`, then those of each corruption in each strength, as they are measured.

    Images are corrupted before the detector, where there is one, sees them. Temperature, threshold and limits stay
    those of the checkpoint. The bands that cover eyes or mouth lie where the template of the checkpoint has them.

    Args:
        subject: see `load_subject`.
        clean: its predictions for the images as they are.
    """
    qualities = measure_qualities(clean)
    yield _measure(clean, qualities, "none", "", 0), qualities
    places = np.reshape(subject.description.template, (-1, 2))
    for corruption in CORRUPTIONS:
        if corruption.needs_places and not len(places):
            continue
        for strength in corruption.strengths:
            changed = corrupt_samples(subject.samples, corruption, strength, places)
            split = predict_samples(subject, changed)
            qualities = measure_qualities(split)
            yield _measure(split, qualities, corruption.name, corruption.unit, strength), qualities


def apply_limits(row: Robustness, qualities: Qualities, limits: dict[str, float]) -> Robustness:
    """The figures with other limits of quality. `qualities` are those of the row."""
    unsure, accuracy_when_sure = _unsure(qualities, limits)
    return replace(row, unsure=unsure, accuracy_when_sure=accuracy_when_sure)


def _unsure(qualities: Qualities, limits: dict[str, float]) -> tuple[float, float | None]:
    """The share of unsure predictions, and the accuracy of the others."""
    sure = qualities.sure & are_within(qualities, limits)
    return float((~sure).mean()), float(qualities.correct[sure].mean()) if sure.any() else None


def _measure(split: SplitPredictions, qualities: Qualities, name: str, unit: str, strength: float) -> Robustness:
    logits, targets = split.logits, split.predictions.targets
    metrics = summarize(logits, targets, split.samples.classes)
    correct = is_correct(logits, targets)
    return Robustness(
        name,
        unit,
        strength,
        metrics.n,
        metrics.accuracy,
        bootstrap(lambda rows: {"accuracy": float(correct[rows].mean())}, len(correct))["accuracy"],
        metrics.balanced_accuracy,
        metrics.expected_calibration_error,
        float((~qualities.sure).mean()),
        *_unsure(qualities, split.description.limits),
        None if split.found is None else int((~split.found).sum()),
        {
            name: None if np.isnan(values).all() else float(np.nanmedian(np.abs(values) if name in ANGLES else values))
            for name, values in qualities.values.items()
        },
    )


def format_robustness(rows: list[Robustness]) -> str:
    """The table as text."""
    header = f"  {'corruption':<16}{'strength':>10}{'accuracy':>10}{'calibration error':>19}{'low confidence':>16}"
    lines = [f"{header}{'unsure':>9}{'the others':>12}"]
    for r in rows:
        strength = f"{r.strength:g}" if r.unit else ""
        others = "-" if r.accuracy_when_sure is None else f"{r.accuracy_when_sure:.2%}"
        lines.append(
            f"  {r.corruption:<16}{strength:>10}{r.accuracy:>10.2%}{r.expected_calibration_error:>19.2%}"
            f"{r.low_confidence:>16.2%}{r.unsure:>9.2%}{others:>12}"
        )
    return "\n".join(lines)


def plot_robustness(rows: list[Robustness], path: Path, title: str) -> None:
    """Draw accuracy and the share of unsure predictions over the strengths of each corruption."""
    from matplotlib.figure import Figure

    clean, *others = rows
    names = list(dict.fromkeys(r.corruption for r in others if r.unit))
    columns = 4
    figure = Figure(figsize=(3 * columns, 2.6 * -(-len(names) // columns)), layout="constrained")
    grid = figure.subplots(-(-len(names) // columns), columns, sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, names):
        of = [r for r in others if r.corruption == name]
        labels = ["none", *(f"{r.strength:g}" for r in of)]
        axes.plot(labels, [r.accuracy for r in (clean, *of)], marker="o", label="accuracy")
        axes.plot(labels, [r.unsure for r in (clean, *of)], marker="s", linestyle="--", label="unsure")
        axes.set(title=name, ylim=(0, 1), xlabel=of[0].unit)
        axes.grid(alpha=0.3)
    for axes in list(grid.flat)[len(names) :]:
        axes.axis("off")
    grid[0, 0].legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
