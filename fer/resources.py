"""Files that come with the package: recipes, samples and weights."""

from __future__ import annotations

import os
from pathlib import Path

from .hub import download_file, download_from_hub, is_address, is_hub_name

DEFAULT_WEIGHTS = "dan-mobilefacenet-ferplus"  # in weights/
WEIGHTS_SUFFIXES = (".onnx", ".safetensors")

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """The folder `name` inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def list_weights() -> list[str]:
    """The names of the shipped weights, for `EmotionRecognizer.from_pretrained` and `--weights`.

    Examples:
        >>> import fer
        >>> fer.list_weights()
        ['dan-mobilefacenet-ferplus']
    """
    return _shipped(WEIGHTS_SUFFIXES)


def _shipped(suffixes: tuple[str, ...]) -> list[str]:
    return sorted({path.stem for path in resource_folder("weights").glob("*") if path.suffix in suffixes})


def find_weights(weights: str | os.PathLike, suffixes: tuple[str, ...] = WEIGHTS_SUFFIXES) -> Path:
    """A file of weights: by its path, the name of shipped weights, a name on the Hugging Face Hub, or its address.

    Args:
        weights: a path, a name of `list_weights`, user/name or user/name@REVISION on the Hub, or
            https://host/path/file.onnx#sha256=HEX. A file that exists and shipped weights come first; a name without a
            slash is never asked for elsewhere. Downloads are kept in the cache of the user (extra `hub`).
        suffixes: kinds of files, of WEIGHTS_SUFFIXES. Of a name the first kind that exists is taken.

    Raises:
        ValueError: no such file or name, or a file of another kind; lists the shipped weights. See `download_from_hub`
            and `download_file` for those from elsewhere.
        ModuleNotFoundError: the extra `hub` is not installed.
    """
    if is_address(weights):
        return download_file(str(weights), suffixes)
    path = Path(weights)
    if path.suffix in WEIGHTS_SUFFIXES:
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        if path.suffix not in suffixes:
            raise ValueError(f"{path}: expected a {' or '.join(suffixes)} file")
        return path
    for suffix in suffixes:
        if (file := resource_folder("weights") / f"{weights}{suffix}").is_file():
            return file
    if is_hub_name(weights) and not path.exists():
        return download_from_hub(str(weights), suffixes)
    shipped = ", ".join(_shipped(suffixes)) or "none"
    kinds = " or ".join(WEIGHTS_SUFFIXES if ".onnx" in suffixes else suffixes)
    raise ValueError(
        f"no weights {str(weights)!r}; shipped: {shipped}; or give the path of a {kinds} file, or user/name of the "
        "Hugging Face Hub"
    )


def find_checkpoint(weights: str | os.PathLike) -> Path:
    """As `find_weights`, for a checkpoint that PyTorch loads (safetensors)."""
    return find_weights(weights, (".safetensors",))
