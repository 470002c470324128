"""Prepared crops to the input tensor of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..preprocessing import Preprocessing


def normalize(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Subtract the mean and divide by the deviation: prepared crops, uint8 [N,S,S,1 or 3] -> float32 [N,3,S,S].

    The memory format is channels_last. Gray crops get three equal channels.
    """
    mean, std = (torch.tensor(v, device=batch.device) for v in (preprocessing.mean, preprocessing.std))
    x = (batch.float() - mean) / std  # [N,S,S,1 or 3]
    x = x.permute(0, 3, 1, 2).expand(-1, 3, -1, -1)  # [N,3,S,S]
    return x.contiguous(memory_format=torch.channels_last)


def to_input(crops: Sequence[np.ndarray], preprocessing: Preprocessing) -> Tensor:
    """Prepare and normalise crops, each uint8 [H,W,3] or gray [H,W]: float32 [N,3,S,S]. N may be 0."""
    if not crops:
        return torch.empty(0, 3, preprocessing.input_size, preprocessing.input_size)
    return normalize(torch.from_numpy(np.stack([preprocessing.prepare(crop) for crop in crops])), preprocessing)
