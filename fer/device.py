"""Which device to compute on, and what it can do."""

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
    """`auto` -> cuda, mps or cpu, the first that is there; any other name (cuda:1 is the second GPU) is checked and returned.

    Raises:
        ValueError: an unknown device, or one that is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device, is_there in there.items() if is_there]
    if name == "auto":
        return available[0]
    if there["cuda"]:
        available += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if name not in available:
        raise ValueError(f"device {name!r} is not available; choose one of auto, {', '.join(available)}")
    return name


@cache
def has_bfloat16(device: str) -> bool:
    """Whether autocast to bfloat16 is of use on the device. A CPU that only emulates it is many times slower with it."""
    if device != "cpu":
        return True
    try:
        features = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(features)  # the last on ARM


def autocast(device: str, enabled: bool) -> torch.autocast:
    """Within: bfloat16 where `enabled`, unless the device only emulates it."""
    import torch

    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled and has_bfloat16(device))


def has_compiler(device: str) -> bool:
    """Whether there is the compiler of C or C++ that torch.compile looks for."""
    if device.startswith("cuda"):  # Triton
        names = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang", "cl"]
    else:
        default = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
        names = [os.environ.get("CXX", default)]
    return any(map(shutil.which, names))


def peak_megabytes(device: str) -> float:
    """The most memory used so far: tensors on a cuda device, else the resident size of this process (NaN on Windows)."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")  # of Linux, where getrusage also counts whoever started this process
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(peak[1]) / 1024
    try:
        import resource
    except ModuleNotFoundError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
