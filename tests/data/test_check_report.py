"""What a look at a dataset writes."""

import json

import numpy as np
import pytest
from PIL import Image

from fer.cli import main
from fer.io.images import read_image, write_image


def picture(seed: int, side: int = 48) -> np.ndarray:
    """Smooth noise in colour: pictures of different seeds do not look alike."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


@pytest.fixture
def tree(tmp_path):
    """train/{happy,sad}, test/{happy,sad}, five different pictures each."""
    seed = 0
    for split in ("train", "val", "test"):
        for emotion in ("happy", "sad"):
            for _ in range(5):
                seed += 1
                write_image(tmp_path / "tree" / split / emotion / f"{split}{seed}.png", picture(seed))
    return tmp_path / "tree"


def check(tree, tmp_path, name: str = "folder", workers: int = 0) -> tuple[int, dict]:
    status = main(["check-data", name, str(tree), "--out", str(tmp_path / "report"), "--workers", str(workers)])
    return status, json.loads((tmp_path / "report" / "report.json").read_text())


def test_contact_sheets_show_the_class(tree, tmp_path):
    check(tree, tmp_path)
    sheet = read_image(tmp_path / "report" / "train-happiness.png")
    assert sheet.shape == (512, 768, 3)
    shown = {sheet[:64, 64 * i : 64 * i + 64].tobytes() for i in range(5)}
    expected = {
        np.asarray(Image.fromarray(picture(s)).resize((64, 64), Image.Resampling.BICUBIC)).tobytes()
        for s in range(1, 6)
    }
    assert shown == expected
    assert (sheet[64:] == 255).all()
