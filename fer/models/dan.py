"""DAN, "Distract Your Attention" (Wen et al. 2021, arXiv:2109.07270)."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..description import FUSIONS
from ..registry import ATTENTIONS, find_part


class DANOutput(NamedTuple):
    """The outputs of a DAN: the logits, and what the losses and the attention pictures need."""

    logits: Tensor  # [N,C]
    features: Tensor  # feature map of the backbone [N,D,h,w]
    heads: Tensor  # [N,K,D], with log-softmax over K where K > 1 (for both fusions); for the partition loss
    attention: Tensor  # attention maps of the heads [N,K,h,w]
    embedding: Tensor  # the input of the classifier: the fused heads [N,D]
    va: Tensor | None = None  # valence and arousal, -1 to 1 [N,2]; None without their head


class Backbone(nn.Module):
    """Base class of backbones: `features` maps images [N,3,H,W] to features [N,D,h,w]; `num_features` is D."""

    num_features: int

    def features(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class DAN(nn.Module):
    """Backbone (FCN in the paper), attention heads (MAN) and attention fusion (AFN).

    Args:
        backbone: a network with D channels, see `create_backbone`.
        num_classes: number of classes C.
        num_heads: number of heads K; 4 in the paper.
        attention: kind of heads, a key of `fer.registry.ATTENTIONS`: paper or qkv.
        fusion: input of the classifier: the sum of the heads after log-softmax over K (paper), or of the heads
            themselves (sum).
        va: a second head beside the classifier, for valence and arousal.

    Raises:
        ValueError: unknown attention or fusion, or channels that do not suit the attention.

    Examples:
        >>> import torch
        >>> from fer import DAN
        >>> from fer.models.backbone import create_backbone
        >>> model = DAN(create_backbone("mobilefacenet-128"), num_classes=8, num_heads=4).eval()
        >>> output = model(torch.zeros(1, 3, 112, 112))
        >>> output.heads.shape, output.attention.shape
        (torch.Size([1, 4, 128]), torch.Size([1, 4, 7, 7]))
    """

    backbone: Backbone

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        num_heads: int = 4,
        attention: str = "paper",
        fusion: str = "paper",
        va: bool = False,
    ):
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {fusion!r}; choose one of {', '.join(FUSIONS)}")
        self.backbone, self.fusion = backbone, fusion
        self.attention = find_part("attention", ATTENTIONS, attention)(backbone.num_features, num_heads)
        self.classifier = nn.Linear(backbone.num_features, num_classes)
        self.norm = nn.BatchNorm1d(num_classes)
        # Normalised like the logits: the fused heads have a large mean, by which tanh would saturate.
        self.va = nn.Sequential(nn.Linear(backbone.num_features, 2), nn.BatchNorm1d(2), nn.Tanh()) if va else None

    def forward(self, x: Tensor) -> DANOutput:
        """Normalised images [N,3,H,W] -> DANOutput."""
        features = self.backbone.features(x)
        raw, attention = self.attention(features)
        heads, fused = self.fuse(raw)
        va = None if self.va is None else self.va(fused)  # [N,2]
        return DANOutput(self.norm(self.classifier(fused)), features, heads, attention, fused, va)

    def fuse(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the heads [N,K,D] -> the same after log-softmax over K [N,K,D], and the fused heads [N,D]."""
        heads = torch.log_softmax(raw.float(), dim=1) if raw.shape[1] > 1 else raw  # heads compete for each dimension
        return heads, (heads if self.fusion == "paper" else raw).sum(1)

    def fold(self) -> DAN:
        """A faster copy for inference, with the same outputs: batch normalisation is folded into the convolutions."""
        folded = copy.deepcopy(self).eval().requires_grad_(False)
        for module in list(folded.modules()):
            if module is not folded and hasattr(module, "fold"):
                module.fold()  # type: ignore[operator]
        return folded
