"""The losses of DAN (Wen et al. 2021, arXiv:2109.07270), distillation, valence and arousal, and two losses of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from ..distributed import mean_over_processes, world_size
from ..models.attention import attention_overlap
from ..models.dan import DANOutput
from ..registry import LOSSES, find_part


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


def outside_loss(attention: Tensor, outside: Tensor) -> Tensor:
    """The share of each head's attention that lies outside the face, averaged over the heads and the batch (ours).

    1 - sum of the map over the positions inside / its sum over all positions. The overlap loss alone can be met by a
    head that looks past the face; this loss, from 0 to 1, keeps it inside. A map that fades would meet both, and the
    head would die. So the divisor is at least a fifth of the mean sum of the image's maps: what is missing counts as
    outside.

    Args:
        attention: maps [N,K,h,w], not negative.
        outside: bool [h,w], the positions outside the face.
    """
    total, inside = attention.sum((2, 3)), (attention * ~outside).sum((2, 3))  # [N,K]
    least = total.mean(1, keepdim=True).detach().clamp_min(1e-12) / 5
    return 1 - (inside / torch.maximum(total, least)).mean()


def va_loss(va: Tensor, target: Tensor) -> Tensor:
    """Loss of valence and arousal: 1 - CCC plus the mean squared error, averaged over the two.

    CCC is the concordance correlation coefficient (Lin 1989, Biometrics 45, 255-268): 2 cov(x, y) / (var x + var y +
    (mean x - mean y)^2). All means are over the known values in the batches of all processes. With fewer than two of
    them the CCC is left out; without any the loss is zero.

    Args:
        va: the outputs of the network [N,2].
        target: [N,2], NaN where it is unknown.
    """
    known = ~target.isnan()
    count = mean_over_processes(known.float().sum(0))  # [2]
    weights = known / count.clamp_min(1e-12)  # [N,2]

    def mean(*values: Tensor) -> Tensor:
        return mean_over_processes((torch.stack(values) * weights).sum(1))  # [V,2]

    x, y = torch.where(known, va, 0.0), torch.where(known, target, 0.0)
    means = mean(x, y)
    a, b = x - means[0], y - means[1]
    error, var_x, var_y, covariance = mean((x - y).square(), a.square(), b.square(), a * b)
    spread = var_x + var_y + (means[0] - means[1]).square()
    ccc = 2 * covariance / spread.clamp_min(1e-3)  # a few nearly equal values would give a huge gradient
    return (torch.where(count * world_size() > 1, 1 - ccc, 0.0) + error).mean()


class DANLoss(nn.Module):
    """The weighted terms of the DAN loss, in float32. It holds the learnt class centres of the affinity loss.

    A term of weight 0 is not computed. A further term, registered in `fer.registry.LOSSES`, is a function of the output
    (DANOutput, in float32) and the target [N,C] that returns a scalar; or a class of modules with learnt parameters,
    which is created with C and D and then called like such a function.

    Args:
        num_classes: C.
        dim: number of channels D of the features.
        affinity, partition: weights of these terms; 1 in the paper.
        overlap: weight of the mean `attention_overlap`; 0 in the paper.
        outside: weight of `outside_loss`; 0 in the paper.
        outside_positions: bool [h,w], see `outside_loss`; needed if `outside` is not 0.
        va: weight of `va_loss`; 0 for a network without valence and arousal.
        distill: weight of the distillation term; the cross-entropy has the weight 1 - distill. 0 without teachers.
        temperature: temperature of distillation.
        class_weights: class weights [C] of the cross-entropy.
        label_smoothing: of the cross-entropy, see `soft_cross_entropy`.
        further: weights of further terms, {name in `fer.registry.LOSSES`: weight}.

    Raises:
        ValueError: unknown name of a further term, or that of a term above.
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
        va: float = 0.0,
        further: Mapping[str, float] | None = None,
        outside: float = 0.0,
        outside_positions: Tensor | None = None,
    ):
        super().__init__()
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.outside_positions: Tensor | None
        self.register_buffer("outside_positions", outside_positions, persistent=False)
        self.weights = {"cross_entropy": 1 - distill, "distillation": distill}
        self.weights |= {"affinity": affinity, "partition": partition, "overlap": overlap}
        self.weights |= {"outside": outside, "va": va}
        self.temperature, self.label_smoothing = temperature, label_smoothing
        self.centres = nn.Parameter(torch.randn(num_classes, dim)) if affinity else None
        self.further: dict[str, Callable[[DANOutput, Tensor], Tensor]] = {}
        self.learnt = nn.ModuleDict()  # those of `further` that are modules
        for name, weight in (further or {}).items():
            self._add(name, weight, num_classes, dim)

    def _add(self, name: str, weight: float, num_classes: int, dim: int) -> None:
        if name in self.weights:
            raise ValueError(f"loss {name!r}: the DAN loss has a term of this name; register yours under another one")
        self.weights[name], term = weight, find_part("loss", LOSSES, name)
        if weight and isinstance(term, type):
            term = self.learnt[name] = term(num_classes, dim)
        self.further[name] = term

    def forward(self, output: DANOutput, target: Tensor, taught: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the weighted loss terms, {name: scalar}; their sum is the loss.

        Distillation follows Hinton et al. 2015 (arXiv:1503.02531).

        Args:
            target: probability vectors [N,C], followed by valence and arousal [N,2] if `va` is not 0.
            taught: the teachers' probabilities [N,C] at `temperature`; needed if `distill` is not 0.
        """
        t = self.temperature
        classes = output.logits.shape[1]
        target, va = target[:, :classes], target[:, classes:]
        terms: dict[str, Callable[[], Tensor]] = {
            "cross_entropy": lambda: soft_cross_entropy(
                output.logits.float(), target, self.class_weights, self.label_smoothing
            ),
            "distillation": lambda: t * t * soft_cross_entropy(output.logits.float() / t, _not_none(taught)),
            "affinity": lambda: affinity_loss(output.features.float(), target, _not_none(self.centres).float()),
            "partition": lambda: partition_loss(output.heads.float()),
            "overlap": lambda: attention_overlap(output.attention.float()).mean(),
            "outside": lambda: outside_loss(output.attention.float(), _not_none(self.outside_positions)),
            "va": lambda: va_loss(_not_none(output.va).float(), va),
        }
        terms |= {name: partial(term, _in_float32(output), target) for name, term in self.further.items()}
        with torch.autocast(target.device.type, enabled=False):
            return {name: self.weights[name] * term() for name, term in terms.items() if self.weights[name]}


def _in_float32(output: DANOutput) -> DANOutput:
    return output._replace(**{name: value.float() for name, value in output._asdict().items() if value is not None})


def _not_none(tensor: Tensor | None) -> Tensor:
    assert tensor is not None  # only terms with a weight are computed
    return tensor
