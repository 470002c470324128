"""What `pip install dan-fer` brings: enough to recognise faces, and no torch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)


@pytest.mark.slow
def test_the_wheel_recognises_faces_without_torch(tmp_path):
    """Built here, installed into an environment of its own, run outside the checkout, as if no CI were near."""
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", venv).returncode == 0
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    built = run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    if built.returncode:
        pytest.skip(f"the wheel needs hatchling from a package index: {built.stderr.strip().splitlines()[-1]}")
    (wheel,) = tmp_path.glob("dan_fer-*.whl")
    assert run(python, "-m", "pip", "install", "--quiet", wheel).returncode == 0
    packages = {line.split("==")[0] for line in run(python, "-m", "pip", "freeze").stdout.splitlines()}
    assert not packages & {"torch", "torchvision", "timm", "albumentations"}

    (tmp_path / "home").mkdir()
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONPATH")}
    environment["HOME"] = str(tmp_path / "home")
    done = run(python, "-m", "fer", "predict", "samples", "--annotate", "drawn", cwd=tmp_path, env=environment)
    assert "2 files, 2 faces" in done.stderr and "happiness" in done.stdout
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    assert list((tmp_path / "home").iterdir()) == []  # nothing is cached, nor written down of anyone

    cost = run(python, "-m", "fer", "benchmark", "--seconds", "0", "--rounds", "2", cwd=tmp_path, env=environment)
    assert cost.returncode == 0, cost.stderr
    assert "photo, astronaut.jpg 512x512, 1 face" in cost.stdout and "size on disk, dan-fer " in cost.stdout

    weights = ROOT / "weights/dan-mobilefacenet-ferplus.safetensors"
    needs = run(python, "-m", "fer", "predict", "samples", "--weights", weights, cwd=tmp_path, env=environment)
    assert needs.returncode == 2 and "pip install 'dan-fer[train]'" in needs.stderr
