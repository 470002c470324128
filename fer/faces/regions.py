"""The regions of a face, by its landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REGIONS = ("brows and eyes", "nose", "mouth and chin", "cheeks", "outside")


def face_regions(landmarks: np.ndarray, cells: tuple[int, int], grid: Sequence[float] = ()) -> np.ndarray:
    """The region in which each cell of a map lies, as an index into REGIONS: int [...,h,w].

    A cell is placed by its centre, in axes that have their origin between the eyes: u runs along the eyes, and 1 is
    their distance; v runs down to the mouth, where it is 1. The face is the ellipse u^2 + (v - 1/2)^2 <= 1, from the
    brows to the chin. In it, brows and eyes lie above v = 0.3, mouth and chin below v = 0.7; between them, the nose has
    |u| < 0.4, as far as the corners of the mouth, and the cheeks are the rest.

    Args:
        landmarks: of one or more faces [...,5,2], as fractions of the crop's sides.
        cells: h and w of the map.
        grid: places of the map's cells, see `fer.description.Description`.
    """
    y, x = (first + step * np.arange(n) for n in cells for first, step in [grid or (0.5 / n, 1 / n)])
    eyes, mouth = landmarks[..., :2, :].mean(-2), landmarks[..., 3:, :].mean(-2)
    axes = np.stack([landmarks[..., 1, :] - landmarks[..., 0, :], mouth - eyes], -1)  # [...,2,2]
    offsets = np.stack(np.meshgrid(x, y), -1) - eyes[..., None, None, :]  # [...,h,w,2]
    u, v = np.moveaxis(offsets @ np.linalg.inv(axes).swapaxes(-1, -2)[..., None, :, :], -1, 0)
    parts = [u**2 + (v - 0.5) ** 2 > 1, v < 0.3, v > 0.7, np.abs(u) < 0.4]
    return np.select(parts, [4, 0, 2, 1], 3)
