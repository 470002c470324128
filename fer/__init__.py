"""Facial expression recognition with DAN.

>>> from fer import EmotionRecognizer
>>> faces = EmotionRecognizer.from_pretrained()("photo.jpg")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .labels import EMOTIONS

if TYPE_CHECKING:
    from .inference.recognizer import EmotionRecognizer, Face, ImageResult

__version__ = "0.1.0"
__all__ = ["EMOTIONS", "EmotionRecognizer", "Face", "ImageResult", "__version__"]


def __getattr__(name: str):
    """`import fer` stays light: torch and OpenCV are imported with the first class that needs them."""
    if name in ("EmotionRecognizer", "Face", "ImageResult"):
        from .inference import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'fer' has no attribute {name!r}")
