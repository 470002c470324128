"""Mixup and cutmix of images and their probability vectors."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchvision.transforms import v2


def make_mixing(mixup: float, cutmix: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Create a function that mixes the images of a batch, by torchvision.

    The function takes images [N,3,H,W] and probability vectors [N,C], and returns both mixed, in the same shapes. Other
    columns of the vectors, such as valence and arousal, are mixed alike; NaN if they are NaN in one of both images.

    Args:
        mixup: alpha of the Beta distribution of the mixing ratio (Zhang et al. 2017, arXiv:1710.09412); 0: off.
        cutmix: likewise, of the area of the rectangle (Yun et al. 2019, arXiv:1905.04899). With both, one of them is
            chosen at random for each batch.
    """
    kinds = [kind(alpha=alpha) for kind, alpha in ((v2.MixUp, mixup), (v2.CutMix, cutmix)) if alpha]
    if not kinds:
        return lambda images, targets: (images, targets)
    return v2.RandomChoice(kinds)
