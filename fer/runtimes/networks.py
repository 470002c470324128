"""Networks: a batch of crops in, logits, attention and embeddings out, whatever runtime computes them."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING

import numpy as np

from ..description import Description
from ..hub import find_suffix
from ..resources import find_weights
from .onnx_metadata import read_metadata
from .sessions import PRECISIONS, PROVIDERS, OnnxRuntimeSession, OpenVinoSession, Session
from .types import Network, NetworkOutput

if TYPE_CHECKING:
    from .torch_network import TorchNetwork

RUNTIMES = ("auto", "openvino", "onnxruntime", "torch")


class OnnxNetwork:
    """A network from an ONNX file of `fer export`. It needs no torch.

    Args:
        path: an ONNX file.
        runtime: openvino or onnxruntime.
        device: of onnxruntime, one of PROVIDERS; openvino computes on the CPU.
        precision: of openvino, one of PRECISIONS.
        parallel, threads: see `OpenVinoSession`.

    Raises:
        ValueError: the file is missing, not from `fer export`, or damaged; see also the sessions.
        ModuleNotFoundError: the runtime is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        runtime: str = "openvino",
        device: str = "cpu",
        precision: str = "auto",
        parallel: int | None = None,
        threads: int | None = None,
    ):
        self.description = read_onnx_description(path)
        self.name, self.device, self.precision = runtime, device, precision
        self.batched = device != "cpu"
        self.path = path
        self._session = self._open(parallel, threads)
        self.precision = self._session.precision
        self._of_threads = {parallel: self}  # by number of threads; shared by all of them
        self._try(path)

    def _open(self, parallel: int | None, threads: int | None = None) -> Session:
        if self.name == "openvino":
            return OpenVinoSession(self.path, None, parallel, self.precision, threads)
        return OnnxRuntimeSession(self.path, self.device, parallel, threads)

    def _try(self, path: str | os.PathLike) -> None:
        """Check that a blank crop gives finite logits of the described classes, and valence and arousal if described.

        This also makes the next call fast.
        """
        preprocessing = self.description.preprocessing
        blank = (1, preprocessing.input_size, preprocessing.input_size, 1 if preprocessing.gray else 3)
        try:
            output = self(np.zeros(blank, np.uint8))
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise ValueError(f"{path}: its graph does not fit its description ({type(error).__name__})") from None
        logits = output.logits
        if logits.shape != (1, len(self.description.classes)) or not np.isfinite(logits).all():
            raise ValueError(f"{path}: damaged: a blank crop gives the logits {logits.tolist()}")
        if (output.va is not None) != self.description.va:
            raise ValueError(f"{path}: damaged: its description and its graph differ on valence and arousal")

    def __call__(self, crops: np.ndarray) -> NetworkOutput:
        outputs = self._session(crops)
        return NetworkOutput(outputs["logits"], outputs["attention"], outputs["embedding"], outputs.get("va"))

    def for_threads(self, threads: int) -> OnnxNetwork:
        if threads not in self._of_threads:
            other = copy.copy(self)
            other._session = self._open(threads)
            self._of_threads[threads] = other
        return self._of_threads[threads]


def read_onnx_description(path: str | os.PathLike) -> Description:
    """The description in an ONNX file of `fer export`.

    Raises:
        ValueError: the file is missing or not from `fer export`, or its description is damaged.
    """
    metadata = read_metadata(path)
    if "fer" not in metadata:
        raise ValueError(f"{path}: an ONNX file without this package's description; expected one of `fer export`")
    try:
        return Description.from_json(metadata["fer"])
    except ValueError as error:
        raise ValueError(f"{path}: damaged description: {error}") from None


def choose_runtime(weights: str | os.PathLike, device: str = "auto", runtime: str = "auto") -> str:
    """Choose the runtime for weights and a device, if `runtime` is auto; otherwise check it.

    - OpenVINO on the CPU, unless the weights are a `.safetensors` checkpoint;
    - PyTorch for such checkpoints and for GPUs;
    - ONNX Runtime for devices that only it supports, and for an ONNX file on CUDA.

    Raises:
        ValueError: the runtime is unknown, or does not take this kind of file.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"unknown runtime {runtime!r}; choose one of {', '.join(RUNTIMES)}")
    suffix = find_suffix(weights)
    if runtime == "auto":
        if suffix != ".safetensors" and device in ("auto", "cpu"):
            return "openvino"
        only_here = device in PROVIDERS and (device not in ("cpu", "cuda") or suffix == ".onnx")
        return "onnxruntime" if only_here else "torch"
    if runtime != "torch" and suffix == ".safetensors":
        raise ValueError(f"{weights}: {runtime} takes an ONNX file; write one: fer export {weights} --out FILE.onnx")
    if runtime == "torch" and suffix == ".onnx":
        raise ValueError(f"{weights}: PyTorch takes the .safetensors checkpoint that this file was made of")
    return runtime


def load_network(
    weights: str | os.PathLike,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> tuple[Network, Description]:
    """Load a network and its description.

    Args:
        weights: the name of shipped weights, an ONNX file of `fer export`, or a `.safetensors` checkpoint; or the name
            or address of such a file elsewhere, see `find_weights`.
        device: auto (the CPU) or cpu; cuda, cuda:N or mps with PyTorch; cuda, coreml or directml with ONNX Runtime.
        runtime: one of RUNTIMES; see `choose_runtime`.
        precision: one of PRECISIONS; auto is float32, but bfloat16 with OpenVINO on CPUs that compute in it.
        threads: number of cores for one call with OpenVINO or ONNX Runtime; None takes all. For PyTorch, see
            `torch.set_num_threads`.

    Raises:
        ValueError: see `find_weights`, `choose_runtime`, `OnnxNetwork`, `load_checkpoint`; or the
            runtime or the machine does not support the device or the precision.
        ModuleNotFoundError: the runtime is not installed, or the extra `hub`, for weights from elsewhere.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    runtime = choose_runtime(weights, device, runtime)
    try:
        if runtime == "torch":
            return _load_checkpoint(weights, device, precision)
        return _load_onnx(weights, device, runtime, precision, threads)
    except ModuleNotFoundError as error:
        if error.name != runtime:
            raise
        extra = "train" if runtime == "torch" else runtime
        message = f"{runtime} is not installed; pip install 'dan-fer[{extra}]'"
        raise ModuleNotFoundError(message, name=runtime) from None


def _load_checkpoint(weights: str | os.PathLike, device: str, precision: str) -> tuple[TorchNetwork, Description]:
    from ..models.checkpoint import load_checkpoint
    from .torch_network import TorchNetwork

    model, description = load_checkpoint(weights)
    network = TorchNetwork(
        model.fold(), description.preprocessing, device, "float32" if precision == "auto" else precision
    )
    if precision == "bfloat16" != network.precision:
        raise ValueError(f"{network.device} does not compute with bfloat16; take float32")
    return network, description


def _load_onnx(
    weights: str | os.PathLike, device: str, runtime: str, precision: str, threads: int | None
) -> tuple[OnnxNetwork, Description]:
    path = find_weights(weights, (".onnx",))
    if runtime == "openvino" and device not in ("auto", "cpu"):
        raise ValueError(f"OpenVINO runs on the CPU, not on {device!r}; leave out --runtime or --device")
    if runtime == "onnxruntime" and precision == "bfloat16":
        raise ValueError("ONNX Runtime computes in float32 here; --runtime openvino and torch know bfloat16")
    network = OnnxNetwork(path, runtime, "cpu" if device == "auto" else device, precision, None, threads)
    return network, network.description
