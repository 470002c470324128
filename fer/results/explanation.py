"""Where the network looked to recognise a face, as data."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .types import Face, _ByValue


def fuse_attention(attention: np.ndarray) -> np.ndarray:
    """The mean [...,h,w] of the heads' maps [...,K,h,w], each scaled to a mean of 1."""
    return (attention / np.maximum(attention.mean((-2, -1), keepdims=True), 1e-9)).mean(-3)


@dataclass(frozen=True, eq=False)
class Explanation(_ByValue):
    """A face, the crop that the network saw, and where each head looked in it.

    A face may be recognised by two crops (see `FaceClassifier.cut`). The maps are those of the first, the aligned crop.

    Examples:
        >>> from fer import EmotionRecognizer
        >>> from fer.io.images import read_image
        >>> photo = read_image("samples/astronaut.jpg")
        >>> (explanation,) = EmotionRecognizer.from_pretrained().explain(photo)
        >>> explanation.face.label, explanation.attention.shape, explanation.fused.shape
        ('happiness', (4, 7, 7), (7, 7))
        >>> explanation.place(explanation.fused, (0, 0, 512, 512)).shape  # for each pixel of the photo
        (512, 512)
    """

    face: Face
    crop: np.ndarray  # the input of the network, uint8 [S,S,1] (gray) or [S,S,3] (RGB)
    transform: np.ndarray  # [2,3], from pixels of the image to the unit square of the crop
    grad_cam: np.ndarray | None = None  # [h,w], Grad-CAM for the label; see `fer.models.grad_cam`

    @property
    def attention(self) -> np.ndarray:
        """Each head's map [K,h,w]."""
        assert self.face.attention is not None
        return self.face.attention

    @property
    def fused(self) -> np.ndarray:
        """All heads together [h,w]; see `fuse_attention`."""
        return fuse_attention(self.attention)

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The part of an image in which the crop lies: left, top, right, bottom in pixels. It may be empty."""
        inverse = cv2.invertAffineTransform(self.transform)
        corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ inverse.T  # [4,2]
        left, top = np.clip(np.floor(corners.min(0)), 0, (width, height))
        right, bottom = np.clip(np.ceil(corners.max(0)), 0, (width, height))
        return int(left), int(top), int(right), int(bottom)

    def place(self, weights: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
        """Put a map of the crop back on the image.

        Args:
            weights: [h,w] over the crop.
            window: a part of the image, see `window`; or all of it, (0, 0, width, height).

        Returns:
            the map's value at each pixel of the window, float32; NaN beyond the crop.
        """
        left, top, right, bottom = window
        if left >= right or top >= bottom:
            return np.empty((bottom - top, right - left), np.float32)
        h, w = weights.shape
        x, y = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5  # centres of pixels
        u, v = (a * x + b * y + c for a, b, c in self.transform)  # places in the crop, 0 to 1
        placed = cv2.remap(
            weights.astype(np.float32),
            (u * w - 0.5).astype(np.float32),
            (v * h - 0.5).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        placed[(u < 0) | (u > 1) | (v < 0) | (v > 1)] = np.nan
        return placed
