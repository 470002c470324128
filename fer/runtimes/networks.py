"""Networks that recognise emotions: a batch of crops in, logits and attention out."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..description import Description
from ..resources import find_weights
from .onnx_metadata import read_metadata
from .sessions import PRECISIONS, PROVIDERS, OnnxRuntimeSession, OpenVinoSession, Session

if TYPE_CHECKING:
    from .torch_network import TorchNetwork

RUNTIMES = ("auto", "openvino", "onnxruntime", "torch")


class Network(Protocol):
    """Any number of threads may call a network at the same time."""

    name: str  # of its runtime
    device: str
    precision: str
    batched: bool  # whether the crops of many images in one pass are faster

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared crops, uint8 [N,S,S,1 or 3] -> logits float32 [N,C], attention float32 [N,K,h,w]."""

    def for_threads(self, threads: int) -> Network:
        """One that does the same, and is fast with so many calls at the same time."""


class OnnxNetwork:
    """A network that `fer export` wrote; no torch is needed.

    Args:
        path: an ONNX file.
        runtime: openvino or onnxruntime.
        device: of onnxruntime, one of PROVIDERS; openvino computes on the CPU.
        precision: of openvino, one of PRECISIONS.
        parallel, threads: see `OpenVinoSession`.

    Raises:
        ValueError: no such file, none of `fer export`, or damaged; see also the sessions.
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
        self._path = path
        self._session = self._open(parallel, threads)
        self.precision = self._session.precision
        self._of_threads = {parallel: self}  # shared by all of them
        self._try(path)

    def _open(self, parallel: int | None, threads: int | None = None) -> Session:
        if self.name == "openvino":
            return OpenVinoSession(self._path, None, parallel, self.precision, threads)
        return OnnxRuntimeSession(self._path, self.device, parallel, threads)

    def _try(self, path: str | os.PathLike) -> None:
        """Whether a blank crop gives finite logits of the described classes; after it the next answer is fast, too."""
        preprocessing = self.description.preprocessing
        blank = (1, preprocessing.input_size, preprocessing.input_size, 1 if preprocessing.gray else 3)
        try:
            logits, _ = self(np.zeros(blank, np.uint8))
        except Exception as error:  # ONNX Runtime has its own
            raise ValueError(f"{path}: its graph does not fit its description ({type(error).__name__})") from None
        if logits.shape != (1, len(self.description.classes)) or not np.isfinite(logits).all():
            raise ValueError(f"{path}: damaged: a blank crop gives the logits {logits.tolist()}")

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = self._session(crops)
        return outputs["logits"], outputs["attention"]

    def for_threads(self, threads: int) -> OnnxNetwork:
        if threads not in self._of_threads:
            other = copy.copy(self)
            other._session = self._open(threads)
            self._of_threads[threads] = other
        return self._of_threads[threads]


def read_onnx_description(path: str | os.PathLike) -> Description:
    """What an ONNX file of `fer export` says of itself.

    Raises:
        ValueError: no such file, none of `fer export`, or a description with a defect.
    """
    metadata = read_metadata(path)
    if "fer" not in metadata:
        raise ValueError(f"{path}: an ONNX file without this package's description; expected one of `fer export`")
    try:
        return Description.from_json(metadata["fer"])
    except ValueError as error:
        raise ValueError(f"{path}: damaged description: {error}") from None


def choose_runtime(weights: str | os.PathLike, device: str = "auto", runtime: str = "auto") -> str:
    """What runs `weights` on `device` where the choice is ours.

    OpenVINO, unless they are a checkpoint or the device is a GPU: then PyTorch; ONNX Runtime for devices that only it knows,
    and for an ONNX file on CUDA.

    Raises:
        ValueError: an unknown runtime; or one that does not take this kind of file.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"unknown runtime {runtime!r}; choose one of {', '.join(RUNTIMES)}")
    suffix = Path(weights).suffix
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
    """The network of `weights`, and its description.

    Args:
        weights: the name of shipped ones, an ONNX file of `fer export`, or a `.safetensors` checkpoint.
        device: auto (the CPU), cpu; cuda, cuda:N or mps of PyTorch; cuda, coreml or directml of ONNX Runtime.
        runtime: one of RUNTIMES; see `choose_runtime`.
        precision: one of PRECISIONS; auto is float32, but bfloat16 for OpenVINO on a CPU that computes with it.
        threads: cores for one call by OpenVINO or ONNX Runtime, None takes all; PyTorch has `torch.set_num_threads`.

    Raises:
        ValueError: see `find_weights`, `choose_runtime`, `OnnxNetwork`, `load_checkpoint`; a device or precision that the
            runtime or the machine lacks.
        ModuleNotFoundError: the runtime is not installed.
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
