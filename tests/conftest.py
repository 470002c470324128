"""Tiny datasets and networks; nothing here needs the network or the shared folder."""

from __future__ import annotations

import csv
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, also the processes that they start

import cv2
import numpy as np
import pytest
import torch
from torch.optim.swa_utils import update_bn

import fake_hub
from fer.data import Samples
from fer.data.datasets.ferplus import VOTES
from fer.data.pack import PackOptions, pack_split
from fer.io.images import write_image
from fer.labels import EMOTIONS
from fer.models.backbone import create_backbone
from fer.models.checkpoint import Description, save_checkpoint
from fer.models.dan import DAN
from fer.preprocessing import Preprocessing

SHARED = Path(__file__).resolve().parents[2] / "shared"
TEMPLATE = [[0.31, 0.39], [0.69, 0.39], [0.5, 0.6], [0.35, 0.76], [0.65, 0.76]]

torch.set_num_threads(1)
cv2.setNumThreads(1)
os.fsync = lambda file: None  # no test looks at what a power cut leaves


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first, so that no core waits for one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def shared() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: it holds real faces, photos and pretrained weights")
    return SHARED


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stand-in for the Hugging Face Hub, which huggingface_hub asks in this test, with the owner's token."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub: 'dan-fer[hub]'")
    with fake_hub.serve() as server:
        values = {
            "ENDPOINT": server.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": server.address + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_TOKEN_PATH": str(tmp_path / "token"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
        }
        for name, value in values.items():  # read from the environment when it is imported
            monkeypatch.setattr(constants, name, value)
        template = "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE"  # where versions before 1 read it
        monkeypatch.setattr(template, values["HUGGINGFACE_CO_URL_TEMPLATE"], raising=False)
        monkeypatch.setenv("HF_TOKEN", fake_hub.TOKEN)
        yield server


def one_vote_row(emotion: str, votes: int = 9) -> list[int]:
    """Votes of an image that `votes` people saw as `emotion`, and one as unknown."""
    return [votes if name == emotion else int(name == "unknown") for name in VOTES]


def pattern_image(emotion: str, rng: np.random.Generator) -> np.ndarray:
    """A 48x48 gray image: a noisy grating whose direction tells the emotion."""
    angle = np.pi * EMOTIONS.index(emotion) / len(EMOTIONS)
    y, x = np.mgrid[:48, :48]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 3 + rng.uniform(0, 6))
    return np.clip(128 + 70 * wave + rng.normal(0, 20, (48, 48)), 0, 255).astype(np.uint8)


def make_ferplus(root: Path, split_sizes: dict[str, int], seed: int = 0) -> Path:
    """A fake FER+ tree (label.csv beside PNGs): emotions in turn, learnable from the pixels."""
    rng = np.random.default_rng(seed)
    for folder, size in split_sizes.items():
        (root / folder).mkdir(parents=True)
        with open(root / folder / "label.csv", "w", newline="") as file:
            writer = csv.writer(file)
            for i in range(size):
                emotion = EMOTIONS[i % len(EMOTIONS)]
                name = f"fer{i:07d}.png"
                write_image(root / folder / name, pattern_image(emotion, rng))
                writer.writerow([name, "(0, 0, 48, 48)", *one_vote_row(emotion)])
    return root


def make_va_shards(root: Path, split_sizes: dict[str, int], unknown: int = 0) -> Path:
    """Parquet shards of such images with valence and arousal, places on a circle; those of the first are unknown."""
    rng = np.random.default_rng(0)
    for split, size in split_sizes.items():
        labels = np.arange(size) % len(EMOTIONS)
        angles = 2 * np.pi * labels / len(EMOTIONS)
        va = 0.8 * np.stack([np.cos(angles), np.sin(angles)], 1)
        va[:unknown] = np.nan
        images = [pattern_image(EMOTIONS[k], rng)[..., None] for k in labels]
        names = [f"{split}/{i}.png" for i in range(size)]
        samples = Samples(images, np.eye(len(EMOTIONS))[labels], names, EMOTIONS, "", "label", va=va)
        pack_split(samples, root, "made-up", split, PackOptions("png"))
    return root


@pytest.fixture
def ferplus_tree(tmp_path: Path) -> Path:
    """16 training and 16 validation images."""
    return make_ferplus(tmp_path / "ferplus", {"FER2013Train": 16, "FER2013Valid": 16})


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights at 32 px."""
    torch.manual_seed(0)
    description = Description(
        backbone="mobilefacenet",
        num_heads=2,
        classes=EMOTIONS,
        preprocessing=Preprocessing(input_size=32),
        template=TEMPLATE,
        dataset="none",
    )
    model = DAN(create_backbone("mobilefacenet"), len(EMOTIONS), 2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, model, description)
    return path


@pytest.fixture(scope="session")
def va_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights at 32 px that also gives valence and arousal."""
    torch.manual_seed(0)
    preprocessing = Preprocessing(input_size=32)
    description = Description("mobilefacenet-128", 2, EMOTIONS, preprocessing, TEMPLATE, va=True, dataset="none")
    model = DAN(create_backbone("mobilefacenet-128"), len(EMOTIONS), 2, va=True)
    update_bn([0.5 * torch.randn(16, 3, 32, 32)], model)  # without them all images would give the same
    path = tmp_path_factory.mktemp("weights") / "va.safetensors"
    save_checkpoint(path, model, description)
    return path


@pytest.fixture(scope="session")
def va_graph(va_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as an ONNX file."""
    from fer.models.export import export_onnx  # which needs onnx

    path = tmp_path_factory.mktemp("graph") / "va.onnx"
    export_onnx(va_checkpoint, path)
    return path


@pytest.fixture(scope="session")
def tiny_graph(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as an ONNX file."""
    from fer.models.export import export_onnx  # which needs onnx

    path = tmp_path_factory.mktemp("graph") / "tiny.onnx"
    export_onnx(tiny_checkpoint, path)
    return path
