"""What recognition gives."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np


class _ByValue:
    """Results are equal where all their values are; arrays by their elements, NaN to NaN."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is not None and b is not None and np.array_equal(a, b, equal_nan=True)
    return a == b or (a != a and b != b)  # NaN is like NaN


@dataclass(frozen=True, eq=False)
class Face(_ByValue):
    """One face of an image and what the network makes of it."""

    box: np.ndarray  # xyxy, pixels, float [4]
    landmarks: np.ndarray | None  # [5,2] pixels: right eye, left eye, nose, right and left mouth corner
    detection_score: float  # 0..1; NaN where the detector gives none
    probs: dict[str, float]  # emotion -> probability, in the checkpoint's order; they sum to 1
    unsure: bool  # the confidence is below the checkpoint's threshold
    aligned: bool  # the crop was aligned by the landmarks; otherwise it is the square around the box
    track: int | None = None  # in a video: the same for the same face of several frames
    attention: np.ndarray | None = None  # [K,h,w]: how much each head weighs each place of the crop

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return max(self.probs, key=self.probs.get)

    @property
    def confidence(self) -> float:
        """The probability of the label."""
        return max(self.probs.values())

    def to_dict(self) -> dict:
        """Plain values that JSON can hold; what there is none of is None, and the attention is left out."""
        return {
            "box": [float(v) for v in self.box],
            "landmarks": None if self.landmarks is None else [[float(x), float(y)] for x, y in self.landmarks],
            "detection_score": None if math.isnan(self.detection_score) else float(self.detection_score),
            "label": self.label,
            "confidence": self.confidence,
            "unsure": self.unsure,
            "probs": dict(self.probs),
            "aligned": self.aligned,
            "track": self.track,
        }


@dataclass(frozen=True, eq=False)
class ImageResult(_ByValue):
    """What became of one image or frame: its faces (perhaps none), or the reason why it could not be read."""

    path: str
    faces: list[Face]
    error: str = ""
    image: np.ndarray | None = None  # RGB uint8 [H,W,3], where it was asked for
    frame: int | None = None  # of a video, from 0
    time: float | None = None  # of a frame, seconds
    repeated: bool = False  # a frame that was not looked at, with the faces of the one before
    detector: str = ""  # that looked for faces; empty where the image could not be read

    def to_dict(self) -> dict:
        """Plain values that JSON can hold; the image is left out."""
        names = ("path", "error", "frame", "time", "detector")
        return {name: getattr(self, name) for name in names} | {"faces": [face.to_dict() for face in self.faces]}
