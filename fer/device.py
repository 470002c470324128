"""Which device to compute on."""

from __future__ import annotations

import sys

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


def peak_megabytes(device: str) -> float:
    """The most memory used so far: tensors on a cuda device, else the resident size of this process (NaN on Windows)."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        import resource
    except ModuleNotFoundError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
