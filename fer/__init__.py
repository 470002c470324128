"""Facial expression recognition with DAN.

>>> from fer import EmotionRecognizer
>>> faces = EmotionRecognizer.from_pretrained()("photo.jpg")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .labels import EMOTIONS

if TYPE_CHECKING:
    from .inference.dataframe import to_dataframe
    from .inference.recognizer import EmotionRecognizer
    from .inference.results import Face, ImageResult

__version__ = "0.1.0"
__all__ = ["EMOTIONS", "EmotionRecognizer", "Face", "ImageResult", "__version__", "to_dataframe"]

_PLACES = {
    "EmotionRecognizer": ".inference.recognizer",
    "Face": ".inference.results",
    "ImageResult": ".inference.results",
    "to_dataframe": ".inference.dataframe",
}


def __getattr__(name: str):
    """`import fer` stays light: torch and OpenCV are imported with the first class that needs them."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fer' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name], __name__), name)
