"""The machine, and the size of the package on its disk."""

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
    """Limit OpenCV, and PyTorch if it is imported, to this many threads during the `with` block."""
    torch, cv2_before = sys.modules.get("torch"), cv2.getNumThreads()
    torch_before = torch.get_num_threads() if torch else 0
    try:
        cv2.setNumThreads(threads)
        if torch:
            torch.set_num_threads(threads)
        yield
    finally:
        cv2.setNumThreads(cv2_before)
        if torch:
            torch.set_num_threads(torch_before)


def describe_machine() -> dict:
    """CPU, cores, system, and the versions of the imported packages (None for packages that are not imported)."""
    versions = {name: getattr(sys.modules.get(module), "__version__", None) for name, module in VERSIONS.items()}
    return {
        "cpu": _name_cpu(),
        "cores": count_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"dan-fer": __version__, "python": platform.python_version(), **versions},
    }


def _name_cpu() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()


def measure_install(extra: str = "") -> dict[str, float]:
    """Measure dan-fer and each distribution that it requires, in megabytes (10^6 bytes), without bytecode.

    Distributions that are not installed, such as those required only on other systems, are not counted.

    Args:
        extra: also count the requirements of this extra.

    Returns:
        {distribution: megabytes}, largest first; empty if dan-fer is not installed as a package.
    """
    sizes: dict[str, float] = {}
    queue, visited = [("dan-fer", ""), ("dan-fer", extra)], set()
    while queue:
        name, extra = queue.pop()
        if (name, extra) in visited:
            continue
        visited.add((name, extra))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        if name not in sizes:
            sizes[name] = _measure_files(package) if name != "dan-fer" else _measure_package()
        for requirement in package.requires or []:
            queue += _parse(requirement, extra)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _parse(requirement: str, extra: str) -> list[tuple[str, str]]:
    """(name, extra) pairs of a requirement; none if it belongs to another extra than `extra`."""
    text, _, marker = requirement.partition(";")
    if not (match := re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", text)):
        return []
    name, extras = match.groups()
    required_by = re.findall(r"extra\s*==\s*[\"']([^\"']+)", marker)
    if required_by and extra not in required_by:
        return []
    return [(re.sub(r"[-_.]+", "-", name).lower(), e.strip()) for e in ["", *(extras or "").split(",")]]


def _measure_files(package: Distribution) -> float:
    paths = (Path(str(package.locate_file(file))) for file in package.files or [] if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _measure_package() -> float:
    """Size of dan-fer's own files; the metadata of an editable install does not list them."""
    folders = {PACKAGE, *(resource_folder(name) for name in ("weights", "recipes"))}
    paths = {path for folder in folders for path in folder.rglob("*") if path.suffix != ".pyc"}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
