"""Networks that recognise emotions: a batch of crops in, logits and attention out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..description import Description
from ..onnx_metadata import read_metadata
from ..resources import resource_folder
from ..runtimes import Session

if TYPE_CHECKING:
    from ..models.dan import DAN


class Network(Protocol):
    """Any number of threads may call a network at the same time."""

    name: str  # of its runtime
    device: str

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepared crops, uint8 [N,S,S,1 or 3] -> logits float32 [N,C], attention float32 [N,K,h,w]."""

    def for_threads(self, threads: int) -> Network:
        """One that does the same, and is fast with so many calls at the same time."""


class OnnxNetwork:
    """A network that `fer export` wrote, on the CPU by OpenVINO; no torch is needed.

    Args:
        path: an ONNX file.
        parallel: see `Session`.

    Raises:
        ValueError: no such file, none of `fer export`, or damaged.
    """

    name, device = "openvino", "cpu"

    def __init__(self, path: str | os.PathLike, parallel: int | None = None):
        self.description, self._path = read_onnx_description(path), path
        self._session = Session(path, None, parallel)
        preprocessing = self.description.preprocessing
        blank = (1, preprocessing.input_size, preprocessing.input_size, 1 if preprocessing.gray else 3)
        try:
            logits, _ = self(np.zeros(blank, np.uint8))  # which also makes the first answer fast
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"{path}: its graph does not fit its description ({type(error).__name__})") from None
        if logits.shape != (1, len(self.description.classes)) or not np.isfinite(logits).all():
            raise ValueError(f"{path}: damaged: a blank crop gives the logits {logits.tolist()}")

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = self._session(crops)
        return outputs["logits"], outputs["attention"]

    def for_threads(self, threads: int) -> OnnxNetwork:
        return OnnxNetwork(self._path, threads)


class TorchNetwork:
    """A DAN by PyTorch, folded.

    Args:
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ValueError: the device is not there.
    """

    name = "torch"

    def __init__(self, model: DAN, description: Description, device: str = "auto"):
        import torch

        from ..device import choose_device

        self.device, self.description = choose_device(device), description
        self.model = model.fold().to(self.device, memory_format=torch.channels_last)

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        from ..models.inputs import normalize

        with torch.inference_mode():
            batch = torch.from_numpy(crops).to(self.device)
            output = self.model(normalize(batch, self.description.preprocessing))
            return output.logits.float().cpu().numpy(), output.attention.float().cpu().numpy()

    def for_threads(self, threads: int) -> TorchNetwork:
        return self


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


def find_weights(weights: str | os.PathLike, device: str = "auto") -> Path:
    """Weights by path (.onnx or .safetensors), or by the name of shipped ones: the .onnx file, or for a GPU the checkpoint.

    Raises:
        ValueError: neither; lists the shipped ones.
    """
    path, folder = Path(weights), resource_folder("weights")
    if path.suffix in (".onnx", ".safetensors"):
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        return path
    suffixes = (".onnx", ".safetensors") if device in ("auto", "cpu") else (".safetensors",)
    for suffix in suffixes:
        if (folder / f"{weights}{suffix}").is_file():
            return folder / f"{weights}{suffix}"
    shipped = ", ".join(sorted({p.stem for p in folder.iterdir() if p.suffix in suffixes})) or "none"
    raise ValueError(
        f"no weights {str(weights)!r}; shipped: {shipped}; or give the path of a .onnx or .safetensors file"
    )


def load_network(weights: str | os.PathLike, device: str = "auto") -> Network:
    """The network of `weights`: by OpenVINO where they are an ONNX file, by PyTorch where they are a checkpoint.

    Raises:
        ValueError: see `find_weights`, `OnnxNetwork`, `load_checkpoint`; an ONNX file and another device than the CPU.
        ModuleNotFoundError: a checkpoint, and torch is not installed.
    """
    path = find_weights(weights, device)
    if path.suffix == ".onnx":
        if device not in ("auto", "cpu"):
            raise ValueError(f"{path} runs on the CPU; --device {device} takes a .safetensors checkpoint")
        return OnnxNetwork(path)
    from ..models.checkpoint import load_checkpoint

    return TorchNetwork(*load_checkpoint(path), device)
