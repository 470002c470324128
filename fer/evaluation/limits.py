"""Limits of a face's quality, measured: beyond them a prediction that seems sure is wrong too often."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..faces.quality import measure_quality
from .calibration import softmax
from .corruptions import CorruptedSamples
from .evaluate import SplitPredictions

LEVEL = 0.8  # accuracy of sure predictions; they reach 0.9 on images as they are
WINDOW = 400  # predictions, over which the accuracy at a quality is measured
POOLS = {  # the corruptions that vary each quality, besides the images as they are
    "size": ("low resolution",),
    "brightness": ("darkness",),
    "sharpness": ("blur",),
    "yaw": (),
    "pitch": (),
}
ANGLES = ("yaw", "pitch")


@dataclass(frozen=True)
class Qualities:
    """The quality of each face of a split, and whether its prediction is sure and right; all [N]."""

    values: dict[str, np.ndarray]  # by name, see POOLS; NaN if unknown
    sure: np.ndarray
    correct: np.ndarray


def measure_qualities(split: SplitPredictions) -> Qualities:
    """The qualities of the faces of a split, measured as in inference.

    Where a corruption has reduced an image and enlarged it again, the size is that of the reduced face.
    """
    faces, preprocessing = split.faces, split.description.preprocessing
    template = np.reshape(split.description.template, (-1, 2))
    values = {name: np.empty(len(faces)) for name in POOLS}
    for i in range(len(faces)):
        crop = faces.crop(i, template, preprocessing.crop_size)
        scale = faces.reduction(i, template) if isinstance(faces, CorruptedSamples) else 1.0
        quality = measure_quality(preprocessing.to_crop_size(crop), faces.detection(i, crop), scale)
        for name in POOLS:
            values[name][i] = getattr(quality, name)
    confidence = softmax(split.logits).max(1)
    return Qualities(values, confidence >= split.description.unsure_below, split.table().correct)


def are_within(qualities: Qualities, limits: dict[str, float]) -> np.ndarray:
    """Whether each face is within the limits, bool [N]. A quality that is unknown is within them."""
    values = qualities.values
    beyond = [np.abs(values[n]) > limit if n in ANGLES else values[n] < limit for n, limit in limits.items()]
    return ~np.any(beyond, axis=0) if beyond else np.ones(len(qualities.sure), bool)


def find_limits(clean: Qualities, corrupted: Iterable[tuple[str, Qualities]]) -> dict[str, float]:
    """The limit of each quality, for `Description.limits`.

    Sure predictions are ordered from the worst quality to the best. The limit is the quality at which a
    window of WINDOW of them first reaches an accuracy of LEVEL. A quality whose worst window reaches it
    has no limit.

    Args:
        clean: of the images as they are.
        corrupted: names of corruptions, and the qualities of their images; several strengths of each.
    """
    pools = {name: [clean] for name in POOLS}
    for corruption, qualities in corrupted:
        for name, corruptions in POOLS.items():
            if corruption in corruptions:
                pools[name].append(qualities)
    limits = {name: _find_limit(name, pool) for name, pool in pools.items()}
    return {name: limit for name, limit in limits.items() if limit is not None}


def read_limits(path: str | os.PathLike) -> dict[str, float]:
    """The limits in a `robustness.json`.

    Raises:
        ValueError: no such file, or no limits in it.
    """
    try:
        limits = json.loads(Path(path).read_text(encoding="utf-8"))["limits"]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        limits = None
    if not isinstance(limits, dict) or not all(n in POOLS and isinstance(v, float) for n, v in limits.items()):
        raise ValueError(f"{path}: expected robustness.json, as fer evaluate --robustness writes it")
    return limits


def _find_limit(name: str, pool: list[Qualities]) -> float | None:
    values = np.concatenate([q.values[name][q.sure] for q in pool])
    correct = np.concatenate([q.correct[q.sure] for q in pool])
    goodness = -np.abs(values) if name in ANGLES else values
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(goodness[known], kind="stable")]
    if len(order) < 2 * WINDOW:
        return None
    sums = np.concatenate([[0], np.cumsum(correct[order])])
    accuracy = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW  # of the windows, from the worst quality on
    good = np.flatnonzero(accuracy >= LEVEL)
    if len(good) and good[0] == 0:
        return None
    first = good[0] if len(good) else len(accuracy) - 1
    limit = float(values[order[first + WINDOW // 2]])
    return abs(limit) if name in ANGLES else limit
