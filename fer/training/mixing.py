"""Mixup and cutmix on probability vectors, by torchvision."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchvision.transforms import v2


def make_mixing(mixup: float, cutmix: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A function that mixes neighbours of a shuffled batch: images [N,3,H,W] and targets [N,C] -> the same shapes.

    Args:
        mixup, cutmix: alpha of the Beta distribution that the share is drawn from (Zhang et al. 2017,
            arXiv:1710.09412; Yun et al. 2019, arXiv:1905.04899); 0 is off. With both, each batch draws one.
    """
    kinds = [kind(alpha=alpha) for kind, alpha in ((v2.MixUp, mixup), (v2.CutMix, cutmix)) if alpha]
    if not kinds:
        return lambda images, targets: (images, targets)
    return v2.RandomChoice(kinds)
