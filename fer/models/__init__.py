"""The network, its parts and its checkpoints."""

from __future__ import annotations


def __getattr__(name: str):
    """Importing this package stays light: torch is imported with the first thing that needs it."""
    if name == "load_dan_checkpoint":
        from .authors import load_dan_checkpoint

        return load_dan_checkpoint
    raise AttributeError(f"module 'fer.models' has no attribute {name!r}")
