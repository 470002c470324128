"""Facial expression recognition with DAN.

Examples:
    >>> from fer import EmotionRecognizer
    >>> faces = EmotionRecognizer.from_pretrained()("samples/astronaut.jpg")
    >>> [face.label for face in faces]
    ['happiness']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .labels import EMOTIONS

if TYPE_CHECKING:
    from .inference.recognizer import EmotionRecognizer
    from .models import create_model
    from .models.checkpoint import load_checkpoint
    from .models.dan import DAN
    from .resources import list_weights
    from .results.dataframe import to_dataframe
    from .results.detections import to_detections
    from .results.explanation import Explanation
    from .results.types import Face, ImageResult

__version__ = "0.1.0"
__all__ = [
    "DAN",
    "EMOTIONS",
    "EmotionRecognizer",
    "Explanation",
    "Face",
    "ImageResult",
    "__version__",
    "create_model",
    "list_weights",
    "load_checkpoint",
    "to_dataframe",
    "to_detections",
]

_MODULES = {
    "DAN": "models.dan",
    "EmotionRecognizer": "inference.recognizer",
    "Explanation": "results.explanation",
    "Face": "results.types",
    "ImageResult": "results.types",
    "create_model": "models",
    "list_weights": "resources",
    "load_checkpoint": "models.checkpoint",
    "to_dataframe": "results.dataframe",
    "to_detections": "results.detections",
}


def __getattr__(name: str) -> object:
    """Import the module of a name when it is first used, so that `import fer` itself stays light."""
    if name not in _MODULES:
        raise AttributeError(f"module 'fer' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
