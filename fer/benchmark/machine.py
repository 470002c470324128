"""The machine, and what the package takes of its disk."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import cv2

from .. import __version__
from ..device import count_cores
from ..resources import resource_folder

PACKAGE = Path(__file__).resolve().parents[1]
VERSIONS = {"openvino": "openvino", "onnxruntime": "onnxruntime", "torch": "torch", "numpy": "numpy", "opencv": "cv2"}


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Within: OpenCV, and PyTorch where it is imported, use so many threads."""
    torch, before = sys.modules.get("torch"), cv2.getNumThreads()
    torch_before = torch.get_num_threads() if torch else 0
    try:
        cv2.setNumThreads(threads)
        if torch:
            torch.set_num_threads(threads)
        yield
    finally:
        cv2.setNumThreads(before)
        if torch:
            torch.set_num_threads(torch_before)


def describe_machine() -> dict:
    """CPU, cores, system, and the versions of what this process has imported (None for the rest)."""
    versions = {name: getattr(sys.modules.get(module), "__version__", None) for name, module in VERSIONS.items()}
    return {
        "cpu": _name_cpu(),
        "cores": count_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"dan-fer": __version__, "python": platform.python_version(), **versions},
    }


def _name_cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def measure_install(extra: str = "") -> dict[str, float]:
    """Megabytes (10^6 bytes) of dan-fer and of each distribution that it requires, largest first; empty where it is not
    installed.

    Without bytecode. What is required on other systems only is not installed, and not counted.

    Args:
        extra: also what this extra requires.
    """
    sizes: dict[str, float] = {}
    waiting, seen = [("dan-fer", ""), ("dan-fer", extra)], set()
    while waiting:
        name, extra = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if name not in sizes:
            sizes[name] = _measure_files(found) if name != "dan-fer" else _measure_package()
        for requirement in found.requires or []:
            waiting += _parse(requirement, extra)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _parse(requirement: str, extra: str) -> list[tuple[str, str]]:
    """`requirement`, and each of its extras; nothing where it is that of another extra than `extra`."""
    text, _, marker = requirement.partition(";")
    if not (match := re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", text)):
        return []
    name, extras = match.groups()
    wanted = re.findall(r"extra\s*==\s*[\"']([^\"']+)", marker)
    if wanted and extra not in wanted:
        return []
    return [(re.sub(r"[-_.]+", "-", name).lower(), e.strip()) for e in ["", *(extras or "").split(",")]]


def _measure_files(found: Distribution) -> float:
    paths = (Path(str(found.locate_file(file))) for file in found.files or [] if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _measure_package() -> float:
    """Of its own files, wherever they lie: a checkout that is installed by a link has few others."""
    folders = {PACKAGE, *(resource_folder(name) for name in ("weights", "recipes"))}
    paths = {path for folder in folders for path in folder.rglob("*") if path.suffix != ".pyc"}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
