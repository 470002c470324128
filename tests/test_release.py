"""What is built for a release holds what is needed and no more, and works from another folder."""

import json
import os
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import fer

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with wheel and sdist."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from hatchling.build import build_sdist, build_wheel; build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


def tracked(*folders: str) -> set[str]:
    try:
        run = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return {name for name in run.stdout.split("\n") if name and (ROOT / name).exists()}


def test_the_wheel(dist):
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == f"dan_fer-{fer.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"dan_fer-{fer.__version__}.dist-info/METADATA").decode()
    inside = {f"fer/{name}" for name in tracked("app", "recipes", "weights", "samples")}
    assert names == tracked("fer") | inside
    assert "License-Expression: MIT AND Apache-2.0 AND LicenseRef-dan-fer-weights-research-only\n" in metadata
    weights = {Path(name).stem for name in names if name.endswith((".onnx", ".safetensors")) and "weights" in name}
    for name in ["LICENSE", "fer/faces/LICENSE-yunet.txt", *(f"weights/LICENSE-{w}.txt" for w in weights)]:
        assert f"License-File: {name}\n" in metadata


def test_the_sdist(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = tracked("fer", "app", "recipes", "weights", "samples", "tests", "train.py", "Makefile", "CHANGELOG.md")
    files |= {"README.md", "LICENSE", "pyproject.toml", ".gitignore", "PKG-INFO"}
    assert names == files


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory) -> dict[str, str]:
    """The environment in which the wheel is installed, and the checkout is not seen."""
    site = tmp_path_factory.mktemp("site")
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "SITE": str(site)}


def call(installed: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    code = "import sys, os, fer; assert fer.__file__.startswith(os.environ['SITE']), fer.__file__; import fer.cli; "
    code += "sys.exit(fer.cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=installed, cwd=folder, capture_output=True, text=True, timeout=300)


def test_version_and_prediction(installed, tmp_path):
    assert call(installed, tmp_path, "--version").stdout == f"dan-fer {fer.__version__}\n"
    run = call(installed, tmp_path, "predict", str(ROOT / "samples" / "astronaut.jpg"), "--out", "faces.jsonl")
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "faces.jsonl").read_text())["label"] == "happiness"


def test_the_page_comes_along(installed, tmp_path):
    command = [sys.executable, "-c", "import sys, fer.cli; sys.exit(fer.cli.main(['app']))"]
    with subprocess.Popen(command, env=installed, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[4].rstrip(";")
            page = urllib.request.urlopen(address).read().decode()
        finally:
            server.terminate()
    assert "astronaut" in page and "What a network sees in a face" in page


def test_training(installed, tmp_path):
    for i in range(40):
        path = tmp_path / "photos" / ("happy" if i % 2 else "sad") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48), 60 + 4 * i).save(path)
    flags = "--dataset folder --data photos --out run --epochs 1 --batch-size 8 --input-size 32 --workers 0 --no-amp"
    flags += " --backbone mobilefacenet-128 --device cpu --augmentation none --train-rule label --val-rule label"
    run = call(installed, tmp_path, "train", "--recipe", "ferplus-tiny", *flags.split(), "--backbone-weights", "")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "run" / "best.safetensors").is_file()
