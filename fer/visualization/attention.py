"""Pictures of the attention."""

from __future__ import annotations

import cv2
import numpy as np


def fuse_attention(attention: np.ndarray) -> np.ndarray:
    """The mean [h,w] of the heads' maps [K,h,w], each scaled to a mean of 1."""
    return (attention / np.maximum(attention.mean((1, 2), keepdims=True), 1e-9)).mean(0)


def draw_attention(crop: np.ndarray, attention: np.ndarray, side: int = 112) -> list[np.ndarray]:
    """Heat maps over a gray copy of the crop, uint8 [side,side,3]: first all heads together, then each head.

    Args:
        crop: the aligned crop, RGB uint8 [H,W,3].
        attention: [K,h,w]. The colours of each map span its smallest to its largest value.
    """
    gray = cv2.cvtColor(cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY)
    pictures = []
    for weights in (fuse_attention(attention), *attention):
        weights = (weights - weights.min()) / max(float(np.ptp(weights)), 1e-9)
        smooth = cv2.resize(weights.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        heat = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1]
        pictures.append(
            cv2.addWeighted(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), 0.5, np.ascontiguousarray(heat), 0.5, 0)
        )
    return pictures
