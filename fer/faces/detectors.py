"""Detectors by name."""

from __future__ import annotations

import math
import os

import numpy as np

from .detection import Detection, Detector
from .yunet import MIN_SCORE, YuNet

DETECTORS = ("yunet", "none")


class WholeImage:
    """A detector for images that are crops already: the whole image is one face."""

    name = "none"
    max_side: float = math.inf

    def for_threads(self, threads: int) -> WholeImage:
        return WholeImage()

    def __call__(self, image: np.ndarray) -> list[Detection]:
        h, w = image.shape[:2]
        return [Detection(np.array([0, 0, w, h], np.float32), None, float("nan"))]


def create_detector(
    name: str = "yunet", weights: str | os.PathLike | None = None, min_score: float = MIN_SCORE
) -> Detector:
    """A detector by name: `yunet`, or `none` for images that are crops already.

    Args:
        weights, min_score: of YuNet.

    Raises:
        ValueError: unknown name; see `YuNet`.
    """
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}; choose one of {', '.join(DETECTORS)}")
    return WholeImage() if name == "none" else YuNet(weights, min_score)
