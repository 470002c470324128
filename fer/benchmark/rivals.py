"""The parts of the benchmark that need PyTorch: MACs, networks for comparison, and the limit of the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..device import has_bfloat16
from ..models.backbone import create_backbone
from ..models.checkpoint import load_checkpoint
from ..models.dan import DAN
from .rounds import Work

INPUT_SIZE, CLASSES = 224, 8
MATRIX_SIDE = 2048


def count_macs(model: nn.Module, input_size: int) -> int:
    """Count the multiply-accumulate operations (MACs) of convolutions and matrix products for one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, input_size, input_size))
    return counter.get_total_flops() // 2


def count_checkpoint(path: str | os.PathLike) -> dict[str, int]:
    """Count the parameters of a checkpoint, its MACs per crop, and the MACs of the folded network."""
    model, description = load_checkpoint(path)
    size = description.preprocessing.input_size
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": count_macs(model, size),
        "folded_macs": count_macs(model.fold(), size),
    }


def rival_works(batches: Sequence[int]) -> list[Work]:
    """Work items: the paper's DAN (ResNet18, 4 heads, 8 classes) and EfficientNet-B0, both at 224 px.

    PyTorch runs them eagerly in float32, as their authors' code does. The weights are random; preprocessing is not
    timed.
    """
    import timm

    networks = {
        "DAN of the paper, torch": DAN(create_backbone("resnet18"), CLASSES, num_heads=4),
        "EfficientNet-B0, torch": timm.create_model("efficientnet_b0", num_classes=CLASSES),
    }
    images = torch.randn(max(batches), 3, INPUT_SIZE, INPUT_SIZE)
    works = []
    for name, network in networks.items():
        facts = {"runtime": "torch", "precision": "float32", "device": "cpu"}
        macs = count_macs(network.eval(), INPUT_SIZE)
        works += [
            Work("network", name, _forward(network, images[:batch]), facts | {"batch": batch, "macs": macs})
            for batch in batches
        ]
    return works


def matrix_works() -> list[Work]:
    """Work items: a product of two large matrices in each supported precision, the practical peak of the CPU."""
    types = {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if has_bfloat16("cpu") else {})
    works = []
    for name, dtype in types.items():
        a, b = (torch.randn(MATRIX_SIDE, MATRIX_SIDE).to(dtype) for _ in range(2))
        facts = {"precision": name, "side": MATRIX_SIDE}
        works.append(Work("matrix", f"matrix product {name}", _forward(lambda a, b=b: a @ b, a), facts))
    return works


def _forward(network, x: torch.Tensor):
    @torch.inference_mode()
    def call():
        return network(x)

    return call
