import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fer.device import autocast, choose_device, has_bfloat16, peak_megabytes
from fer.distributed import process_group

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("auto", "cuda"), ("cuda", "cuda"), ("cuda:1", "cuda:1"), ("cpu", "cpu"), ("cuda:2", None), ("cuda:x", None)],
)
def test_a_gpu_by_its_number(monkeypatch, name, chosen):
    """On a machine with two."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if chosen:
        assert choose_device(name) == chosen
        return
    with pytest.raises(
        ValueError, match=f"device '{name}' is not available; choose one of auto, cuda, .*cuda:0, cuda:1"
    ):
        choose_device(name)


def test_no_gpu_by_its_number_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda:0' is not available"):
        choose_device("cuda:0")


def test_one_gpu_cannot_be_that_of_all_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="--device cuda:1 names one GPU"), process_group("cuda:1"):
        pass


@pytest.mark.parametrize(
    ("features", "native"),
    [
        ("flags : fpu avx512f avx512bw", False),
        ("flags : fpu avx512_bf16", True),
        ("flags : fpu amx_bf16 amx_tile", True),
        ("Features : fp asimd bf16", True),  # ARM
        (None, False),  # no such file: Windows, macOS
    ],
)
def test_a_cpu_computes_bfloat16_where_it_can(monkeypatch, features, native):
    def read(path: Path) -> str:
        if features is None:
            raise FileNotFoundError(path)
        return features

    has_bfloat16.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", read)
        assert has_bfloat16("cpu") == native
    with autocast("cpu", True):
        assert torch.is_autocast_enabled("cpu") == native
    with autocast("cpu", False):
        assert not torch.is_autocast_enabled("cpu")
    has_bfloat16.cache_clear()


def test_peak_memory_is_that_of_this_process():
    """Not that of whoever started it, here with torch, which getrusage tells of on Linux."""
    code = "import sys; from fer.device import peak_megabytes; print(peak_megabytes('cpu'), 'torch' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    megabytes, with_torch = child.stdout.split()
    assert 1 < float(megabytes) < 100 < peak_megabytes("cpu") and with_torch == "False"
