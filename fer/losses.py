"""The losses of DAN (Wen et al. 2021, arXiv:2109.07270) and our overlap loss, in float32, as a dict of named terms."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .models.dan import DANOutput


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits [N,C] with probability vectors [N,C], averaged over the batch."""
    return -(target * torch.log_softmax(logits, dim=1)).sum(1).mean()


def affinity_loss(features: Tensor, target: Tensor, centres: Tensor) -> Tensor:
    """Pull each feature to the centre of its class, relative to how far the centres lie apart (equations 1-2).

    Args:
        features: [N,D,h,w], averaged over the positions.
        target: [N,C] probability vectors; they weigh the squared distances to the centres.
        centres: [C,D], learnt.
    """
    pooled = features.mean((2, 3))  # [N,D]
    distances = (pooled[:, None] - centres[None]).square().sum(2)  # [N,C]
    return (target * distances).sum(1).mean() / centres.var(0).sum()


def partition_loss(heads: Tensor) -> Tensor:
    """log(1 + K / variance over the heads) of heads [N,K,D] (equation 8): falls as the heads spread. Zero for K = 1."""
    k = heads.shape[1]
    if k == 1:
        return heads.new_zeros(())
    return torch.log1p(k / heads.var(1).mean().clamp_min(1e-12))


def attention_overlap(attention: Tensor) -> Tensor:
    """How much the heads look at the same places: mean cosine of all pairs of maps [N,K,h,w] -> [N]. Zero for K = 1.

    0 when no two heads share a position, 1 when all maps are alike. The partition loss wants the same of the pooled
    heads, but their scale alone can satisfy it; a cosine has no scale. As a loss, its mean over the batch.
    """
    n, k = attention.shape[:2]
    if k == 1:
        return attention.new_zeros(n)
    maps = normalize(attention.flatten(2), dim=2)  # [N,K,h*w]
    cosines = maps @ maps.transpose(1, 2)  # [N,K,K]
    return (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (k * (k - 1))


class DANLoss(nn.Module):
    """The weighted terms of the DAN loss; holds the learnt class centres of the affinity loss.

    Args:
        num_classes: C.
        dim: channels D of the features.
        affinity, partition: weights of the terms; 1 in the paper. A term of weight 0 is left out.
        overlap: weight of the mean `attention_overlap`; 0 in the paper.
    """

    def __init__(
        self, num_classes: int, dim: int, affinity: float = 1.0, partition: float = 1.0, overlap: float = 0.0
    ):
        super().__init__()
        self.weights = {"cross_entropy": 1.0, "affinity": affinity, "partition": partition, "overlap": overlap}
        self.centres = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, output: DANOutput, target: Tensor) -> dict[str, Tensor]:
        """DANOutput and target [N,C] -> {term: weighted scalar}; the loss is their sum."""
        terms = {
            "cross_entropy": lambda: soft_cross_entropy(output.logits.float(), target),
            "affinity": lambda: affinity_loss(output.features.float(), target, self.centres.float()),
            "partition": lambda: partition_loss(output.heads.float()),
            "overlap": lambda: attention_overlap(output.attention.float()).mean(),
        }
        with torch.autocast(target.device.type, enabled=False):
            return {name: self.weights[name] * term() for name, term in terms.items() if self.weights[name]}
