"""A recogniser for the page, and a place where uploads arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_detector import FakeDetector

from fer.inference.recognizer import EmotionRecognizer
from fer.runtimes.networks import load_network


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), FakeDetector(70))


@pytest.fixture
def upload(tmp_path: Path):
    """Puts bytes where an upload would arrive."""

    def put(name: str, data: bytes) -> Path:
        path = tmp_path / "arrived" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return put
