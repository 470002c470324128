"""The network alone, on every installed runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..device import has_bfloat16
from ..preprocessing import Preprocessing
from ..resources import find_weights
from ..runtimes.networks import load_network
from ..runtimes.types import Network
from .rounds import Work


def load_networks(weights: str | os.PathLike, first: Network, threads: int) -> list[Network]:
    """Load the network with every other runtime and precision that this machine supports; `first` leads the list.

    Args:
        weights: see `load_network`; a name stands for an ONNX file and a checkpoint.
        first: the network that prediction uses. If it runs on PyTorch, PyTorch is also measured on its device.
        threads: see `load_network`.
    """
    files = _find_files(weights)
    variants = []
    if ".onnx" in files:
        variants += [(".onnx", "cpu", "openvino", precision) for precision in ("float32", "auto")]
        if find_spec("onnxruntime"):
            variants.append((".onnx", "cpu", "onnxruntime", "float32"))
    if ".safetensors" in files and can_load_checkpoints():
        for device in dict.fromkeys(["cpu", first.device if first.name == "torch" else "cpu"]):
            precisions = ("float32", "bfloat16") if has_bfloat16(device) else ("float32",)
            variants += [(".safetensors", device, "torch", precision) for precision in precisions]
    networks = {name_network(first): first}
    for suffix, device, runtime, precision in variants:
        network, _ = load_network(files[suffix], device, runtime, precision, threads)
        networks.setdefault(name_network(network), network)
    return list(networks.values())


def _find_files(weights: str | os.PathLike) -> dict[str, Path]:
    files = {}
    for suffix in (".onnx", ".safetensors"):
        with suppress(ValueError):  # one of the two may be missing
            path = find_weights(weights, (suffix,))
            files[path.suffix] = path
    return files


def can_load_checkpoints() -> bool:
    """Whether the packages of the extra `train` are installed."""
    return all(map(find_spec, ("torch", "safetensors", "timm")))


def find_checkpoint(weights: str | os.PathLike) -> Path | None:
    """The checkpoint among the files of `weights`; None if there is none."""
    return _find_files(weights).get(".safetensors")


def name_network(network: Network) -> str:
    return f"{network.name} {network.precision}" + (f" {network.device}" if network.device != "cpu" else "")


def network_works(
    networks: Sequence[Network], preprocessing: Preprocessing, batches: Sequence[int], macs: int | None
) -> list[Work]:
    """Work items: each network on batches of random crops.

    Args:
        macs: multiply-accumulate operations (MACs) per crop; None if they are not known.
    """
    size, channels = preprocessing.input_size, 1 if preprocessing.gray else 3
    crops = np.random.default_rng(0).integers(0, 256, (max(batches), size, size, channels), np.uint8)
    return [
        Work(
            "network",
            name_network(network),
            partial(network, crops[:batch]),
            {
                "runtime": network.name,
                "precision": network.precision,
                "device": network.device,
                "batch": batch,
                "macs": macs,
            },
        )
        for network in networks
        for batch in batches
    ]
