"""A folder of pictures for fer check-data, and what the command says of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from fer.cli import main
from fer.io.images import write_image


def picture(seed: int, side: int = 48) -> np.ndarray:
    """Smooth noise in colour: pictures of different seeds do not look alike."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def make_pictures(root: Path) -> Path:
    """{train,val,test}/{happy,sad} with five different pictures each."""
    seed = 0
    for split in ("train", "val", "test"):
        for emotion in ("happy", "sad"):
            for _ in range(5):
                seed += 1
                write_image(root / split / emotion / f"{split}{seed}.png", picture(seed))
    return root


def check(tree: Path, tmp_path: Path, name: str = "folder", workers: int = 0) -> tuple[int, dict]:
    """The exit status of fer check-data, and its report."""
    status = main(["check-data", name, str(tree), "--out", str(tmp_path / "report"), "--workers", str(workers)])
    return status, json.loads((tmp_path / "report" / "report.json").read_text())
