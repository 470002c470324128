"""Checkpoints: safetensors files whose metadata holds, as JSON, the description that inference needs."""

from __future__ import annotations

import os
from dataclasses import replace
from textwrap import shorten

import torch
from safetensors.torch import save_file

from ..description import Description
from ..io.atomic import write_atomically
from ..resources import find_checkpoint
from .backbone import create_backbone, find_grid
from .dan import DAN
from .descriptions import read_description
from .weights import read_safetensors


def save_checkpoint(path: str | os.PathLike, model: DAN, description: Description, half: bool = False) -> None:
    """Write the weights of `model` and their description, with its grid, to `path` (safetensors), atomically.

    Args:
        half: store matrices and kernels in float16; loading gives float32 again. Vectors (biases, batch statistics)
            stay in float32: they take little space, and their values may be large.

    Raises:
        ValueError: a weight is too large for float16.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: t.half() if t.ndim > 1 else t for name, t in state.items()}
        if too_large := [name for name, t in state.items() if not t.isfinite().all()]:
            raise ValueError(f"{', '.join(too_large)} does not fit into half precision (float16)")
    grid = find_grid(model.backbone, description.preprocessing.input_size)
    metadata = {"fer": replace(description, grid=grid).to_json()}
    write_atomically(path, lambda temporary: save_file(state, temporary, metadata))


def build_network(description: Description) -> DAN:
    """Build the network of a description, with random weights."""
    d = description
    return DAN(create_backbone(d.backbone), len(d.classes), d.num_heads, d.attention, d.fusion, d.va)


def load_checkpoint(weights: str | os.PathLike) -> tuple[DAN, Description]:
    """Load a checkpoint: the network, in eval mode on the CPU, and its description.

    Args:
        weights: the path of a `.safetensors` file, or a name or address, see `find_weights`. Nothing that the file
            names is downloaded.

    Raises:
        ValueError: see `find_weights` and `read_description`; or the weights are not finite, or do not fit the
            description.

    Examples:
        >>> import fer
        >>> model, description = fer.load_checkpoint("dan-mobilefacenet-ferplus")
        >>> model.attention.num_heads, description.classes[:3]
        (4, ('neutral', 'happiness', 'sadness'))
    """
    path = find_checkpoint(weights)
    d = read_description(path)
    state = read_safetensors(path)
    try:
        backbone = create_backbone(d.backbone)
        with torch.device("meta"):  # allocates nothing: the loaded tensors become the parameters
            model = DAN(backbone, len(d.classes), d.num_heads, d.attention, d.fusion, d.va)
        own = model.state_dict()
        # Copies, because the tensors are mapped to the file, which may be replaced or deleted.
        state = {n: t.to(own[n].dtype, copy=True) if n in own else t for n, t in state.items()}
        model.load_state_dict(state, assign=True)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: the weights do not fit their description: {shorten(str(error), 500)}") from None
    return model.eval(), d


def load_matching(model: DAN, path: str | os.PathLike, classes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Load into `model` every weight of the checkpoint at `path` that has the same name and shape.

    The rows of the classifier and of its norm, one for each class, are matched by the names of the classes.

    Args:
        classes: the classes of `model`, in the order of its logits.

    Returns:
        the names of the weights of `model` that keep their values, and the classes whose rows were loaded.

    Raises:
        ValueError: see `read_description`; or no weight fits.
    """
    source_classes, own, state = read_description(path).classes, model.state_dict(), read_safetensors(path)
    shared = [name for name in classes if name in source_classes]
    rows, source_rows = [classes.index(name) for name in shared], [source_classes.index(name) for name in shared]
    for name in [n for n in own if n.startswith(("classifier.", "norm.")) and own[n].ndim and n in state]:
        source = state.pop(name)
        if shared and source.shape[1:] == own[name].shape[1:]:
            state[name] = own[name].clone()
            state[name][rows] = source[source_rows].to(own[name].dtype)
    state = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    if not any(tensor.ndim for tensor in state.values()):  # scalars, the batch counters of norms, fit every network
        raise ValueError(f"{path}: none of its weights fits this network; expected a checkpoint of a similar one")
    model.load_state_dict(state, strict=False)
    return sorted(own.keys() - state.keys()), shared if "classifier.weight" in state else []


def load_training_state(path: str | os.PathLike) -> dict:
    """Read a training state (`last.pt`). Only tensors and plain values are unpickled; no code is executed."""
    return torch.load(path, map_location="cpu", weights_only=True)
