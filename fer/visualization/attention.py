"""Pictures of the attention."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..results.explanation import fuse_attention, scale_to_unit, spread


def draw_attention(
    crop: np.ndarray, attention: np.ndarray, side: int = 112, grid: Sequence[float] = ()
) -> list[np.ndarray]:
    """Heat maps over a gray copy of the crop, uint8 [side,side,3]: first all heads together, then each head.

    Args:
        crop: the aligned crop, RGB uint8 [H,W,3].
        attention: [K,h,w]. The colours of each map span its smallest to its largest value.
        grid: places of the cells, see `fer.description.Description`.
    """
    gray = cv2.cvtColor(cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY)
    pictures = []
    for weights in (fuse_attention(attention), *attention):
        smooth = spread(scale_to_unit(weights), side, grid)
        pictures.append(cv2.addWeighted(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), 0.5, to_heat(smooth), 0.5, 0))
    return pictures


def to_heat(weights: np.ndarray) -> np.ndarray:
    """The colours, RGB uint8 [h,w,3], of values of 0 to 1 [h,w]: from black over red to yellow."""
    return np.ascontiguousarray(cv2.applyColorMap((255 * weights).astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1])
