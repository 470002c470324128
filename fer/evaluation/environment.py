"""The environment of a run, which is needed to reproduce it."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

from ..distributed import world_size

_PACKAGES = ("dan-fer", "torch", "torchvision", "timm", "albumentations", "opencv-python-headless", "openvino", "numpy")


def describe_environment(device: str) -> dict:
    """The command, versions, git commit and hardware of this process, as in environment.json."""
    return {
        "command": sys.argv,
        "git": git_state(Path(__file__).parent),
        "python": platform.python_version(),
        "packages": describe_packages(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "processes": world_size(),
    }


def describe_packages() -> dict[str, str | None]:
    """The versions of the packages that the figures depend on; None if one is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def git_state(folder: Path) -> dict | None:
    """The commit of the code in `folder`, and whether tracked files differ from it; None outside a git checkout."""
    try:
        _git(folder, "ls-files", "--error-unmatch", ".")  # fails in a checkout of another project around the package
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "modified": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    process = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return process.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
