"""The losses of DAN (Wen et al. 2021, arXiv:2109.07270), distillation and our overlap loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .distributed import mean_over_processes
from .models.attention import attention_overlap
from .models.dan import DANOutput


def soft_cross_entropy(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy of logits [N,C] with probability vectors [N,C], averaged over the batch.

    Args:
        weights: class weights [C]; None weighs all classes by 1.
        label_smoothing: share of each target that is spread over all classes (Szegedy et al. 2016, arXiv:1512.00567).
    """
    target = (1 - label_smoothing) * target + label_smoothing / target.shape[1]
    target = target if weights is None else target * weights
    return -(target * torch.log_softmax(logits, dim=1)).sum(1).mean()


def affinity_loss(features: Tensor, target: Tensor, centres: Tensor) -> Tensor:
    """Affinity loss (equations 1 and 2): pulls the features of a face to the centre of its class.

    The squared distance to the centre is divided by the variance of the centres, which is summed over the dimensions.

    Args:
        features: [N,D,h,w]; averaged here over the positions.
        target: probability vectors [N,C]; they weigh the squared distances to the centres.
        centres: learnt class centres [C,D].
    """
    pooled = features.mean((2, 3))  # [N,D]
    distances = (pooled[:, None] - centres[None]).square().sum(2)  # [N,C]
    return (target * distances).sum(1).mean() / centres.var(0).sum()


def partition_loss(heads: Tensor) -> Tensor:
    """Partition loss (equation 8) of heads [N,K,D]: log(1 + K / variance over the heads).

    It falls as the heads spread. For K = 1 it is zero.
    """
    k = heads.shape[1]
    if k == 1:
        return heads.new_zeros(())
    variance = mean_over_processes(heads.var(1).mean())
    return torch.log1p(k / variance.clamp_min(1e-12))


class DANLoss(nn.Module):
    """The weighted terms of the DAN loss, in float32. It holds the learnt class centres of the affinity loss.

    A term of weight 0 is not computed.

    Args:
        num_classes: C.
        dim: number of channels D of the features.
        affinity, partition: weights of these terms; 1 in the paper.
        overlap: weight of the mean `attention_overlap`; 0 in the paper.
        distill: weight of the distillation term; the cross-entropy has the weight 1 - distill. 0 without teachers.
        temperature: temperature of distillation.
        class_weights: class weights [C] of the cross-entropy.
        label_smoothing: of the cross-entropy, see `soft_cross_entropy`.
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
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.weights = {"cross_entropy": 1 - distill, "distillation": distill}
        self.weights |= {"affinity": affinity, "partition": partition, "overlap": overlap}
        self.temperature, self.label_smoothing = temperature, label_smoothing
        self.centres = nn.Parameter(torch.randn(num_classes, dim)) if affinity else None

    def forward(self, output: DANOutput, target: Tensor, taught: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the weighted loss terms, {name: scalar}; their sum is the loss.

        Distillation follows Hinton et al. 2015 (arXiv:1503.02531).

        Args:
            target: probability vectors [N,C].
            taught: the teachers' probabilities [N,C] at `temperature`; needed if `distill` is not 0.
        """
        t = self.temperature
        terms: dict[str, Callable[[], Tensor]] = {
            "cross_entropy": lambda: soft_cross_entropy(
                output.logits.float(), target, self.class_weights, self.label_smoothing
            ),
            "distillation": lambda: t * t * soft_cross_entropy(output.logits.float() / t, _not_none(taught)),
            "affinity": lambda: affinity_loss(output.features.float(), target, _not_none(self.centres).float()),
            "partition": lambda: partition_loss(output.heads.float()),
            "overlap": lambda: attention_overlap(output.attention.float()).mean(),
        }
        with torch.autocast(target.device.type, enabled=False):
            return {name: self.weights[name] * term() for name, term in terms.items() if self.weights[name]}


def _not_none(tensor: Tensor | None) -> Tensor:
    assert tensor is not None  # only terms with a weight are computed
    return tensor
