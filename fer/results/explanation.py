"""Where the network looked to recognise a face, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .types import Face, _ByValue


def scale_to_unit(weights: np.ndarray) -> np.ndarray:
    """The smallest value of each map [...,h,w] becomes 0, the largest 1; a map without contrast becomes 0. float32."""
    smallest, contrast = weights.min((-2, -1), keepdims=True), np.ptp(weights, (-2, -1), keepdims=True)
    return ((weights - smallest) / np.maximum(contrast, 1e-9)).astype(np.float32)


def fuse_attention(attention: np.ndarray) -> np.ndarray:
    """The mean [...,h,w] of the heads' maps [...,K,h,w], each scaled to 0 to 1 so that each head can be seen in it.

    (With maps of the same mean, a head with a narrow peak outshines the others.)
    """
    return scale_to_unit(attention).mean(-3)


def spread(weights: np.ndarray, side: int, grid: Sequence[float] = ()) -> np.ndarray:
    """A map of a crop [h,w] in another resolution, float32 [side,side], interpolated between the centres of its cells.

    Args:
        side: number of even parts of the crop's side.
        grid: places of the map's cells, see `fer.description.Description`.
    """
    x, y = np.meshgrid(*2 * [(np.arange(side) + 0.5) / side])
    return sample(weights, x, y, grid)


def sample(weights: np.ndarray, x: np.ndarray, y: np.ndarray, grid: Sequence[float] = ()) -> np.ndarray:
    """The values of a map of a crop [h,w] at places of the crop, 0 to 1 -> float32, of the shape of `x` and `y`."""
    column, row = (
        (place - first) / step
        for place, cells in ((x, weights.shape[1]), (y, weights.shape[0]))
        for first, step in [grid or (0.5 / cells, 1 / cells)]
    )
    return cv2.remap(
        weights.astype(np.float32),
        column.astype(np.float32),
        row.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


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
    grid: Sequence[float] = ()  # where the cells of the maps lie, see `fer.description.Description`
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
        x, y = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5  # centres of pixels
        u, v = (a * x + b * y + c for a, b, c in self.transform)  # places in the crop, 0 to 1
        placed = sample(weights, u, v, self.grid)
        placed[(u < 0) | (u > 1) | (v < 0) | (v > 1)] = np.nan
        return placed
