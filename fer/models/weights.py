"""Reading of weight files: only tensors are read, and all their values must be finite."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor


def read_safetensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Raises:
        ValueError: no such file, not safetensors, or a weight that is not finite.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        state = load_file(path)
    except Exception as error:  # for a damaged header, torch may raise anything
        raise ValueError(f"{path}: not a readable safetensors file ({error}); the download may be incomplete") from None
    check_finite(path, state)
    return state


def read_torch_weights(path: str | os.PathLike, key: str, bare: bool = False) -> dict[str, Tensor]:
    """Read the weights under `key` in a torch file, without the prefix `module.` of DataParallel.

    No code in the file is executed.

    Args:
        bare: if there is no `key`, take the file itself as the dict of weights.

    Raises:
        ValueError: no such file, not a torch file, no weights in it, or a weight that is not finite.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the type depends on the content
        raise ValueError(f"{path}: not a torch file of tensors and plain values ({type(error).__name__})") from None
    state = content.get(key, content if bare else None) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: no weights in it; expected a dict of tensors {key!r}")
    check_finite(path, state)
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def check_finite(path: str | os.PathLike, state: dict[str, Tensor]) -> None:
    """Raise ValueError, naming the first weight in `state` that holds NaN or infinity."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise ValueError(
                f"{path}: the weight {name} is not finite (it holds NaN or infinity): the run diverged; "
                "take an earlier checkpoint, or train again with a lower --lr"
            )
