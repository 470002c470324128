"""Prepared crops as the input of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..preprocessing import Preprocessing


def normalize(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """uint8 [N,S,S,1 or 3] -> float32 [N,3,S,S], zero mean and unit scale, channels last in memory."""
    mean, std = (torch.tensor(v, device=batch.device) for v in (preprocessing.mean, preprocessing.std))
    x = (batch.float() - mean) / std  # [N,S,S,1 or 3]
    x = x.permute(0, 3, 1, 2).expand(-1, 3, -1, -1)  # [N,3,S,S]
    return x.contiguous(memory_format=torch.channels_last)


def to_input(crops: Sequence[np.ndarray], preprocessing: Preprocessing) -> Tensor:
    """Crops, uint8 [H,W,3] or gray [H,W] each, -> float32 [N,3,S,S]; an empty list gives [0,3,S,S]."""
    if not crops:
        return torch.empty(0, 3, preprocessing.input_size, preprocessing.input_size)
    return normalize(torch.from_numpy(np.stack([preprocessing.prepare(crop) for crop in crops])), preprocessing)
