"""What recognition gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Face:
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


@dataclass(frozen=True)
class ImageResult:
    """What became of one image or frame: its faces (perhaps none), or the reason why it could not be read."""

    path: str
    faces: list[Face]
    error: str = ""
    image: np.ndarray | None = None  # RGB uint8 [H,W,3], where it was asked for
    frame: int | None = None  # of a video, from 0
    time: float | None = None  # of a frame, seconds
    repeated: bool = False  # a frame that was not looked at, with the faces of the one before
