"""Export of a checkpoint to a self-describing ONNX file, which runs without torch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..description import Description
from ..io.atomic import write_atomically
from ..preprocessing import Preprocessing
from .checkpoint import load_checkpoint
from .dan import DAN
from .inputs import normalize

OUTPUTS = ["logits", "attention", "embedding"]
OPSET = 18  # supported by ONNX Runtime, OpenVINO and ONNX Runtime Web


class ExportedDAN(nn.Module):
    """The exported graph: normalisation of the input, then a folded DAN."""

    def __init__(self, model: DAN, preprocessing: Preprocessing):
        super().__init__()
        self.model, self.preprocessing = model.fold(), preprocessing

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Prepared crops, uint8 [N,S,S,1 or 3] -> the OUTPUTS: logits [N,C], attention [N,K,h,w], embedding [N,D].

        With their head also valence and arousal [N,2].
        """
        output = self.model(normalize(crops, self.preprocessing))
        parts = (output.logits, output.attention, output.embedding)
        return parts if output.va is None else (*parts, output.va)


def export_onnx(checkpoint: str | os.PathLike, out: str | os.PathLike, half: bool = False) -> Description:
    """Write the network and the description of a checkpoint to an ONNX file.

    Args:
        checkpoint: a path, or the name of shipped weights.
        out: the `.onnx` file to write.
        half: store matrices and kernels in float16, which halves the file; the computation stays in float32. If the
            checkpoint is stored in float16 too, they are rounded twice, and one label in thousands may change.

    Returns:
        the description of the checkpoint.

    Raises:
        ValueError: see `load_checkpoint`; the name of `out` does not end with .onnx; a weight is too large for float16.
        ModuleNotFoundError: onnx or onnxscript is not installed (extra `train`).
    """
    import onnx
    import onnxscript  # noqa: F401  torch imports it only later, after work that would be lost

    if Path(out).suffix != ".onnx":
        raise ValueError(f"--out {out}: expected a name that ends with .onnx")
    model, description = load_checkpoint(checkpoint)
    size, channels = description.preprocessing.input_size, 1 if description.preprocessing.gray else 3
    program = torch.onnx.export(
        ExportedDAN(model, description.preprocessing).eval(),
        (torch.zeros(2, size, size, channels, dtype=torch.uint8),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["crops"],
        output_names=[*OUTPUTS, "va"] if description.va else OUTPUTS,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None  # always so with dynamo
    graph = program.model_proto
    if half:
        _store_in_half_precision(graph.graph)
    _remove_notes(graph)
    graph.metadata_props.append(onnx.StringStringEntryProto(key="fer", value=description.to_json()))
    write_atomically(out, lambda temporary: temporary.write_bytes(graph.SerializeToString()))
    return description


def _remove_notes(model) -> None:
    """Remove what the exporter notes about the machine and the code: traces with paths, names of modules."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _store_in_half_precision(graph) -> None:
    """Store matrices and kernels as float16, each with a cast to float32, which runtimes compute once."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        with np.errstate(over="ignore"):
            values = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(values).all():
            raise ValueError(f"{tensor.name} does not fit into half precision; export without --half")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)
