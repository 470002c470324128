"""What recognition gives for an image: its faces, with their emotions."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..faces.detection import Detection
from ..faces.quality import Quality


class _ByValue:
    """Two results are equal if all their values are; arrays by their elements, NaN equals NaN."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [f.name for f in fields(self)]  # type: ignore[arg-type]  # subclasses are dataclasses
        return all(_equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is not None and b is not None and np.array_equal(a, b, equal_nan=True)
    return a == b or (a != a and b != b)  # NaN


@dataclass(frozen=True, eq=False)
class Face(_ByValue, Detection):
    """A detected face with its emotions.

    Examples:
        >>> from fer import EmotionRecognizer
        >>> face = EmotionRecognizer.from_pretrained()("samples/astronaut.jpg")[0]
        >>> face.label, face.confidence > 0.9, face.unsure
        ('happiness', True, '')
        >>> sorted(face.probs, key=face.probs.get)[-1]
        'happiness'
    """

    probs: dict[str, float]  # emotion -> probability, in the checkpoint's order; they sum to 1
    unsure: str  # why the result should not be believed, one of `fer.inference.trust.REASONS`; "" where it can be
    aligned: bool  # the crop was aligned by the landmarks; otherwise the square around the box
    track: int | None = None  # in a video: the number of the person's track
    attention: np.ndarray | None = None  # [K,h,w]: each head's weights over the crop
    quality: Quality | None = None  # how well the face can be seen; None: unknown
    embedding: np.ndarray | None = None  # float32 [D], what the classifier sees; see `EmotionRecognizer.embed`
    valence: float | None = None  # -1 (unpleasant) to 1 (pleasant); None: the network does not give it
    arousal: float | None = None  # -1 (calm) to 1 (excited); likewise

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of the label."""
        return max(self.probs.values())

    def to_dict(self) -> dict:
        """Plain values for JSON. Missing values are None; attention and embedding are left out."""
        return {
            "box": [float(v) for v in self.box],
            "landmarks": None if self.landmarks is None else [[float(x), float(y)] for x, y in self.landmarks],
            "detection_score": None if math.isnan(self.detection_score) else float(self.detection_score),
            "label": self.label,
            "confidence": self.confidence,
            "unsure": self.unsure,
            "quality": None if self.quality is None else self.quality.to_dict(),
            "probs": dict(self.probs),
            "valence": self.valence,
            "arousal": self.arousal,
            "aligned": self.aligned,
            "track": self.track,
        }


@dataclass(frozen=True, eq=False)
class ImageResult(_ByValue):
    """The faces of one image or frame (perhaps none), or the reason why it could not be read.

    Examples:
        >>> from fer import EmotionRecognizer
        >>> for result in EmotionRecognizer.from_pretrained().predict_paths(["samples/astronaut.jpg", "missing.jpg"]):
        ...     print(result.path, len(result.faces), result.error)
        samples/astronaut.jpg 1
        missing.jpg 0 no such file
    """

    path: str
    faces: list[Face]
    error: str = ""
    image: np.ndarray | None = None  # RGB uint8 [H,W,3], if it was asked for
    frame: int | None = None  # in a video: the number of the frame, from 0
    time: float | None = None  # in a video: seconds from the start
    repeated: bool = False  # a frame that was not looked at; its faces are those of the last frame that was
    detector: str = ""  # the name of the face detector; empty where the image could not be read

    def to_dict(self) -> dict:
        """Plain values for JSON; the image is left out."""
        names = ("path", "error", "frame", "time", "detector")
        return {name: getattr(self, name) for name in names} | {"faces": [face.to_dict() for face in self.faces]}
