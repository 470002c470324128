"""Loss of detail, as in small, blurred and noisy faces, that the student sees and its teachers do not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

SMALLEST = 1 / 3  # of the crop's side
NOISE = 0.3  # largest standard deviation, in units of the normalised image


def degrade(images: Tensor, share: float, crop_size: int) -> Tensor:
    """Spoil a random share of the images [N,3,H,W], normalised; returns a tensor of the same shape.

    Half of them are reduced to one random size between SMALLEST and all of the crop, and enlarged again. The others
    get noise, each of a random strength up to NOISE, the same in all colours. Both act in the pixels of the crop,
    before it was enlarged to the input.

    Args:
        share: from 0 to 1; 0 returns the images as they are.
        crop_size: side of the crop in pixels.
    """
    count = round(share * len(images))
    if not count:
        return images
    chosen = torch.randperm(len(images))[:count].to(images.device)
    reduced, noisy = chosen[: (count + 1) // 2], chosen[(count + 1) // 2 :]
    result, size = images.clone(), images.shape[-2:]
    side = round(crop_size * torch.empty(1).uniform_(SMALLEST, 1).item())
    small = interpolate(images[reduced], (side, side), mode="bilinear", antialias=True)
    result[reduced] = interpolate(small, size, mode="bicubic")
    strength = torch.rand(len(noisy), 1, 1, 1) * NOISE
    noise = torch.randn(len(noisy), 1, crop_size, crop_size) * strength
    result[noisy] += interpolate(noise, size, mode="bicubic").to(images.device)
    return result
