"""The losses of DAN (Wen et al. 2021, arXiv:2109.07270) and our overlap loss, in float32, as a dict of named terms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .distributed import mean_over_processes
from .models.attention import attention_overlap
from .models.dan import DANOutput


def soft_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits [N,C] with probability vectors [N,C], averaged over the batch; `weights` [C] of the classes."""
    target = target if weights is None else target * weights
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
    variance = mean_over_processes(heads.var(1).mean())
    return torch.log1p(k / variance.clamp_min(1e-12))


class DANLoss(nn.Module):
    """The weighted terms of the DAN loss; holds the learnt class centres of the affinity loss.

    Args:
        num_classes: C.
        dim: channels D of the features.
        affinity, partition: weights of the terms; 1 in the paper. A term of weight 0 is left out.
        overlap: weight of the mean `attention_overlap`; 0 in the paper.
        distill: share of the cross-entropy that goes to the teachers, where there are any.
        temperature: at which student and teachers are compared.
        class_weights: [C], of the cross-entropy.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        affinity: float = 1.0,
        partition: float = 1.0,
        overlap: float = 0.0,
        distill: float = 0.0,
        temperature: float = 1.0,
        class_weights: Tensor | None = None,
    ):
        super().__init__()
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.weights = {"cross_entropy": 1 - distill, "distillation": distill}
        self.weights |= {"affinity": affinity, "partition": partition, "overlap": overlap}
        self.temperature = temperature
        self.centres = nn.Parameter(torch.randn(num_classes, dim)) if affinity else None

    def forward(self, output: DANOutput, target: Tensor, taught: Tensor | None = None) -> dict[str, Tensor]:
        """DANOutput, target [N,C] and the teachers' probabilities [N,C] -> {term: weighted scalar}, to be summed.

        Distillation as by Hinton et al. 2015 (arXiv:1503.02531): `taught` is at `temperature`, and so is the student.
        """
        t = self.temperature
        terms: dict[str, Callable[[], Tensor]] = {
            "cross_entropy": lambda: soft_cross_entropy(output.logits.float(), target, self.class_weights),
            "distillation": lambda: t * t * soft_cross_entropy(output.logits.float() / t, _present(taught)),
            "affinity": lambda: affinity_loss(output.features.float(), target, _present(self.centres).float()),
            "partition": lambda: partition_loss(output.heads.float()),
            "overlap": lambda: attention_overlap(output.attention.float()).mean(),
        }
        with torch.autocast(target.device.type, enabled=False):
            return {name: self.weights[name] * term() for name, term in terms.items() if self.weights[name]}


def _present(tensor: Tensor | None) -> Tensor:
    assert tensor is not None  # of a term with a weight
    return tensor
