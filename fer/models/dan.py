"""DAN, "Distract Your Attention" (Wen et al. 2021, arXiv:2109.07270)."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..description import FUSIONS
from .attention import ATTENTIONS


class DANOutput(NamedTuple):
    """What a DAN computes; the losses and the attention pictures need more than the logits."""

    logits: Tensor  # [N,C]
    features: Tensor  # [N,D,h,w], of the backbone
    heads: Tensor  # [N,K,D], log-softmax over K where K > 1, whatever the fusion: what the partition loss spreads
    attention: Tensor  # [N,K,h,w], where each head looks


class Backbone(nn.Module):
    """What a DAN asks of its first part: `features(x)`, [N,3,H,W] -> [N,D,h,w], and `num_features`, its channels D."""

    num_features: int

    def features(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class DAN(nn.Module):
    """Backbone (FCN in the paper), cross-attention heads (MAN) and attention fusion (AFN).

    Args:
        backbone: of D channels, see `create_backbone`.
        num_classes: C.
        num_heads: K, 4 in the paper.
        attention: which kind of heads, a key of ATTENTIONS: paper or qkv.
        fusion: what is classified: the sum of the heads' log-softmax over K (paper), or of the heads themselves (sum).

    Raises:
        ValueError: no such attention or fusion.

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
    ):
        super().__init__()
        if attention not in ATTENTIONS:
            raise ValueError(f"unknown attention {attention!r}; choose one of {', '.join(ATTENTIONS)}")
        if fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {fusion!r}; choose one of {', '.join(FUSIONS)}")
        self.backbone, self.fusion = backbone, fusion
        self.attention = ATTENTIONS[attention](backbone.num_features, num_heads)
        self.classifier = nn.Linear(backbone.num_features, num_classes)
        self.norm = nn.BatchNorm1d(num_classes)

    def forward(self, x: Tensor) -> DANOutput:
        """x [N,3,H,W], normalised -> DANOutput."""
        features = self.backbone.features(x)
        raw, attention = self.attention(features)
        heads = torch.log_softmax(raw.float(), dim=1) if raw.shape[1] > 1 else raw  # they compete for each dimension
        fused = (heads if self.fusion == "paper" else raw).sum(1)  # [N,D]
        return DANOutput(self.norm(self.classifier(fused)), features, heads, attention)

    def fold(self) -> DAN:
        """A copy for inference, with the batch normalisations folded into the convolutions; the same outputs, faster."""
        folded = copy.deepcopy(self).eval().requires_grad_(False)
        for module in list(folded.modules()):
            if module is not folded and hasattr(module, "fold"):
                module.fold()  # type: ignore[operator]
        return folded
