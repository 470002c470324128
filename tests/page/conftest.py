"""A recogniser for the page, and a place where uploads arrive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer.faces import Detection
from fer.inference.recognizer import EmotionRecognizer
from fer.models.checkpoint import load_checkpoint


class FakeDetector:
    """Finds as many faces as the red value of the first pixel says."""

    name = "fake"

    def copy(self):
        return FakeDetector()

    def __call__(self, image: np.ndarray) -> list[Detection]:
        return [Detection(np.array([5, 5, 75 + k, 75 + k], float), None, 0.9) for k in range(image[0, 0, 0])][::-1]


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_checkpoint(tiny_checkpoint), FakeDetector(), "cpu")


@pytest.fixture
def upload(tmp_path: Path):
    """Puts bytes where an upload would arrive."""

    def put(name: str, data: bytes) -> Path:
        path = tmp_path / "arrived" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return put
