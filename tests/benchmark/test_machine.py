from pathlib import Path

import cv2
import pytest
import torch

from fer.benchmark import machine
from fer.benchmark.machine import limit_threads, measure_install


def test_threads_are_limited_within_the_benchmark_only():
    before = torch.get_num_threads(), cv2.getNumThreads()
    with pytest.raises(KeyError), limit_threads(2):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
        raise KeyError
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


class FakeDistribution:
    def __init__(self, folder: Path, size: int, requires: list[str]):
        self.requires, self.files, self.folder = requires, [Path("a.py"), Path("a.pyc"), Path("gone.py")], folder
        folder.mkdir()
        (folder / "a.py").write_bytes(b"x" * size)
        (folder / "a.pyc").write_bytes(b"x" * 10**6)

    def locate_file(self, file):
        return self.folder / file


def test_install_size_follows_requirements(tmp_path, monkeypatch):
    requires = {
        "dan-fer": [
            "numpy>=1.26",
            "Pillow (>=10)",
            "torch[fast,cpu]>=2.5; extra == 'train'",
            "absent; os_name == 'nt'",
        ],
        "numpy": [],
        "pillow": ["numpy", "heif; extra == 'all'"],
        "torch": ["numpy>=2", 'kernels ; extra == "fast" and os_name == "posix"', "docs; extra == 'docs'"],
        "kernels": ["torch"],  # a circle
        "heif": [],
        "docs": [],
    }
    there = {name: FakeDistribution(tmp_path / name, 500_000, needs) for name, needs in requires.items()}

    def find(name):
        if name not in there:
            raise machine.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(machine, "distribution", find)
    light = measure_install()
    assert light.keys() == {"dan-fer", "numpy", "pillow"} and light["numpy"] == 0.5
    assert light["dan-fer"] > 7  # with the weights
    assert measure_install("train").keys() == light.keys() | {"torch", "kernels"}
    there.clear()
    assert measure_install() == {}
