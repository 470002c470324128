"""Which device to compute on."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> str:
    """`auto` -> cuda, mps or cpu, the first that is there; any other name is checked and returned.

    Raises:
        ValueError: an unknown device, or one that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device, is_there in there.items() if is_there]
    if name == "auto":
        return available[0]
    if name not in available:
        raise ValueError(f"device {name!r} is not available; choose one of auto, {', '.join(available)}")
    return name
