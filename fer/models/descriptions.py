"""The description in the metadata of a checkpoint, read without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..description import Description


def read_description(path: str | os.PathLike) -> Description:
    """Read the description of the checkpoint at `path`, without its weights.

    Raises:
        ValueError: no such file, not safetensors, without a description, or with a damaged one. The message names the
            file and the field.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error}); the download may be incomplete") from None
    if "fer" not in metadata:
        raise ValueError(
            f"{path}: a safetensors file without this package's description; expected a checkpoint of `fer train`"
        )
    try:
        return Description.from_json(metadata["fer"])
    except ValueError as error:
        raise ValueError(f"{path}: damaged description: {error}") from None
