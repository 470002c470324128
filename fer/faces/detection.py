"""What a detector gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Detection:
    """A face: `box` xyxy float [4] and `landmarks` [5,2] in pixels (right eye, left eye, nose, right and left mouth
    corner; None where the detector gives none), `score` 0..1 (NaN where it gives none)."""

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float

    def scaled(self, factor: float) -> Detection:
        """The same face in an image that is `factor` times as large."""
        return Detection(self.box * factor, None if self.landmarks is None else self.landmarks * factor, self.score)


class Detector(Protocol):
    """Any number of threads may call a detector at the same time."""

    name: str
    max_side: float  # pixels of an image's longer side; where it has more, faces are looked for in a reduced copy

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """RGB uint8 [H,W,3] -> the faces, largest first."""

    def for_threads(self, threads: int) -> Detector:
        """One that does the same, and is fast with so many calls at the same time."""


def largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda f: -float(np.prod(f.box[2:] - f.box[:2])))


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box xyxy [4] with others [N,4] -> [N]."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(areas - shared, 1e-9)
