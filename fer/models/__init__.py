"""The network, its parts and its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing this package does not import torch
    from .authors import load_dan_checkpoint
    from .dan import DAN

__all__ = ["create_model", "load_dan_checkpoint"]


def create_model(
    backbone: str = "mobilefacenet",
    num_classes: int = 8,
    num_heads: int = 4,
    *,
    attention: str = "paper",
    fusion: str = "paper",
    va: bool = False,
    backbone_weights: str | None = None,
) -> DAN:
    """Create a DAN for training: with random weights, or with `backbone_weights` in its backbone.

    Args:
        backbone, backbone_weights: name and initial weights of the backbone, see `create_backbone`.
        num_classes, num_heads, attention, fusion, va: see `DAN`.

    Raises:
        ValueError: unknown name, or weights that cannot be read or do not fit the backbone.

    Examples:
        >>> import torch, fer
        >>> model = fer.create_model("mobilefacenet", num_classes=7)
        >>> model(torch.zeros(2, 3, 112, 112)).logits.shape
        torch.Size([2, 7])
    """
    from .backbone import create_backbone
    from .dan import DAN

    return DAN(create_backbone(backbone, backbone_weights), num_classes, num_heads, attention, fusion, va)


def __getattr__(name: str) -> object:
    if name == "load_dan_checkpoint":
        from .authors import load_dan_checkpoint

        return load_dan_checkpoint
    raise AttributeError(f"module 'fer.models' has no attribute {name!r}")
