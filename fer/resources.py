"""Files that travel with the package: recipes and weights."""

from __future__ import annotations

from pathlib import Path

DEFAULT_WEIGHTS = "dan-mobilefacenet-ferplus"  # in weights/

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """`name` inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
