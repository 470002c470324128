"""The device to compute on, and what it can do."""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # prediction by OpenVINO has no torch
    import torch


def choose_device(name: str = "auto") -> str:
    """The first available device of cuda, mps and cpu for `auto`; any other name is checked and returned.

    Args:
        name: auto, cpu, mps, cuda, or cuda:1 for the second GPU, and so on.

    Raises:
        ValueError: the device is unknown or not available.
    """
    import torch

    is_available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device, available in is_available.items() if available]
    if name == "auto":
        return available[0]
    if is_available["cuda"]:
        available += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if name not in available:
        raise ValueError(f"device {name!r} is not available; choose one of auto, {', '.join(available)}")
    return name


@cache
def has_bfloat16(device: str) -> bool:
    """Whether the device computes in bfloat16. A CPU that only emulates it is many times slower with autocast."""
    if device != "cpu":
        return True
    try:
        features = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(features)  # bf16: ARM


def autocast(device: str, enabled: bool) -> torch.autocast:
    """A context in which torch computes in bfloat16 if `enabled`, unless the device only emulates it."""
    import torch

    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled and has_bfloat16(device))


def has_compiler(device: str) -> bool:
    """Whether the C or C++ compiler that torch.compile needs is installed."""
    if device.startswith("cuda"):  # Triton
        names = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang", "cl"]
    else:
        default = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
        names = [os.environ.get("CXX", default)]
    return any(map(shutil.which, names))


def peak_megabytes(device: str) -> float:
    """Peak memory so far: of tensors on a cuda device, otherwise the resident size of this process (NaN on Windows)."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")  # Linux; getrusage there also counts the parent process
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(peak[1]) / 1024
    try:
        import resource
    except ModuleNotFoundError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def count_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
