"""Backbones, attention heads and further losses by name. A new one is a file in the package, and a line here.

A program of its own puts its class or function into these dicts instead; see docs/extending.md. Importing this module
imports none of the parts, so that their names are known without PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

Part = str | Callable[..., Any]  # "module:name" in this package, or the class or function itself

BACKBONES: dict[str, Part] = {  # () -> `fer.models.dan.Backbone`
    "mobilefacenet": "models.mobilefacenet:MobileFaceNet",
    "mobilefacenet-128": "models.mobilefacenet:narrow_mobilefacenet",
}
ATTENTIONS: dict[str, Part] = {  # (dim, num_heads) -> a module, see `fer.models.attention`
    "paper": "models.attention:CrossAttentionHeads",
    "qkv": "models.attention:QueryHeads",
}
LOSSES: dict[str, Part] = {}  # further terms beside those of `fer.losses.DANLoss`, which says what a term is


def find_part(kind: str, parts: dict[str, Part], name: str) -> Callable[..., Any]:
    """The class or function that is registered under `name`.

    Args:
        kind: the word for such a part in messages.
        parts: BACKBONES, ATTENTIONS or LOSSES.

    Raises:
        ValueError: unknown name.
    """
    if name not in parts:
        known = ", ".join(parts) or "none"
        raise ValueError(f"unknown {kind} {name!r}; known: {known}; register your own first (docs/extending.md)")
    part = parts[name]
    if isinstance(part, str):
        module, _, attribute = part.partition(":")
        part = getattr(import_module(f".{module}", __package__), attribute)
    return part


def parse_losses(texts: list[str]) -> dict[str, float]:
    """The weights of further loss terms, {name: weight}, from texts NAME:WEIGHT.

    Raises:
        ValueError: a name that LOSSES lacks, or not a weight of at least 0.
    """
    weights = {}
    for text in texts:
        name, _, number = text.rpartition(":")
        if name not in LOSSES or not re.fullmatch(r"\d*\.?\d+(e-?\d+)?", number):
            known = ", ".join(LOSSES) or "none"
            raise ValueError(f"--loss takes NAME:WEIGHT with a registered name ({known}), not {text!r}")
        weights[name] = float(number)
    return weights
