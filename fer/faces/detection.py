"""What a detector finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Detection:
    """A face in an image, as the detector finds it."""

    box: np.ndarray  # xyxy, pixels, float [4]
    landmarks: np.ndarray | None  # [5,2] pixels: right eye, left eye, nose, right and left mouth corner; None: unknown
    detection_score: float  # 0 to 1; NaN where the detector gives none

    def scaled(self, factor: float) -> Detection:
        """The same face in an image that is `factor` times as large."""
        return replace(
            self, box=self.box * factor, landmarks=None if self.landmarks is None else self.landmarks * factor
        )


class Detector(Protocol):
    """Finds faces. Any number of threads may call a detector at the same time."""

    name: str
    max_side: float  # pixels; an image whose longer side has more is reduced to it before faces are looked for

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """RGB uint8 [H,W,3] -> the faces, largest first."""

    def for_threads(self, threads: int) -> Detector:
        """The same detector, tuned for so many calls at the same time, each on one core."""


def largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda face: -float(np.prod(face.box[2:] - face.box[:2])))


def intersection_over_union(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box xyxy [4] with others [N,4] -> [N]."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(areas - shared, 1e-9)
