"""A checkpoint with another classifier: the files of a trained network, changed without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..description import Description
from ..hub import find_suffix
from ..io.atomic import write_atomically
from ..resources import WEIGHTS_SUFFIXES, find_checkpoint, find_weights
from .classifier import LinearClassifier

EPSILON = 1e-5  # of the batch normalisation behind the classifier in a checkpoint, torch's default


def find_base(weights: str | os.PathLike) -> tuple[Path, Path]:
    """The `.safetensors` and `.onnx` files of a checkpoint, given by a name or by one of them, see `find_weights`.

    Raises:
        ValueError: one of them is missing.
    """
    if find_suffix(weights) not in WEIGHTS_SUFFIXES:
        return find_checkpoint(weights), find_weights(weights, (".onnx",))
    path = find_weights(weights)
    files = path.with_suffix(".safetensors"), path.with_suffix(".onnx")
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file}: no such file; fitting needs a checkpoint and, beside it, its file of fer export")
    return files


def write_fitted(
    base: tuple[Path, Path], classifier: LinearClassifier, description: Description, out: str | os.PathLike
) -> None:
    """Write a checkpoint with another classifier to `out` (.safetensors), and an ONNX file beside it.

    Args:
        base: its files, see `find_base`.
        description: of the new checkpoint; its classes are those of the classifier.
    """
    checkpoint, graph = base
    _write_onnx(graph, classifier, description, Path(out).with_suffix(".onnx"))
    _write_safetensors(checkpoint, classifier, description, Path(out))


def _write_safetensors(base: Path, classifier: LinearClassifier, description: Description, out: Path) -> None:
    from safetensors.numpy import load_file, save_file

    count = len(classifier.bias)
    state = load_file(base) | {
        "classifier.weight": classifier.weight,
        "classifier.bias": classifier.bias,
        "norm.weight": np.full(count, np.sqrt(1 + EPSILON), np.float32),  # no change
        "norm.bias": np.zeros(count, np.float32),
        "norm.running_mean": np.zeros(count, np.float32),
        "norm.running_var": np.ones(count, np.float32),
    }
    metadata = {"fer": description.to_json()}
    write_atomically(out, lambda temporary: save_file(state, temporary, metadata))


def _write_onnx(base: Path, classifier: LinearClassifier, description: Description, out: Path) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(base)
    last = next((node for node in model.graph.node if "logits" in node.output), None)
    if last is None or last.op_type != "Gemm" or last.input[0] != "embedding":
        raise ValueError(f"{base}: expected a file of this version of fer export, with the classifier at its end")
    values = dict(zip(last.input[1:], (classifier.weight, classifier.bias)))
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values.pop(tensor.name), tensor.name))
    assert not values, f"{base}: no {', '.join(values)}"
    for output in model.graph.output:
        if output.name == "logits":
            output.type.tensor_type.shape.dim[1].dim_value = len(classifier.bias)
    del model.metadata_props[:]
    model.metadata_props.append(onnx.StringStringEntryProto(key="fer", value=description.to_json()))
    write_atomically(out, lambda temporary: temporary.write_bytes(model.SerializeToString()))
