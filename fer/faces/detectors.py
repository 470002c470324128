"""Detectors by name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np

from .detection import Detection, Detector
from .yunet import MIN_SCORE, YuNet


class WholeImage:
    """A detector for images that are crops already: the whole image is one face."""

    name = "none"
    max_side: float = math.inf

    def for_threads(self, threads: int) -> WholeImage:
        return WholeImage()

    def __call__(self, image: np.ndarray) -> list[Detection]:
        h, w = image.shape[:2]
        return [Detection(np.array([0, 0, w, h], np.float32), None, float("nan"))]


# How each detector is created from the arguments `weights` and `min_score` of `create_detector`.
DETECTORS: dict[str, Callable[[str | os.PathLike | None, float], Detector]] = {
    "yunet": YuNet,
    "none": lambda weights, min_score: WholeImage(),
}


def create_detector(
    name: str | Detector = "yunet", weights: str | os.PathLike | None = None, min_score: float = MIN_SCORE
) -> Detector:
    """A detector by its name in DETECTORS: `yunet`, or `none` for images that are crops already.

    A detector, instead of a name, is returned as it is.

    Args:
        weights, min_score: of YuNet.

    Raises:
        ValueError: unknown name; see `YuNet`.
    """
    if not isinstance(name, str):
        return name
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}; choose one of {', '.join(DETECTORS)}")
    return DETECTORS[name](weights, min_score)
