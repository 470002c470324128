"""Backbones: modules with `features(x) -> [N,D,h,w]` and `num_features`."""

from __future__ import annotations

import copy
import re
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import BACKBONES, find_part
from .dan import Backbone
from .mobilefacenet import MobileFaceNet, convert_mxnet_weights
from .weights import read_safetensors, read_torch_weights


class DownloadError(ValueError):
    """Weights could not be downloaded."""


class TimmBackbone(Backbone):
    """A `timm` network, e.g. `resnet18`, that gives its last feature map.

    Args:
        name: a name from `timm.list_models()`. Names of the Hugging Face Hub and of folders are refused, although timm
            accepts them: the name may come from a checkpoint, and timm would download or open what it names.
        pretrained: start from timm's weights for that name; timm downloads them once.

    Raises:
        ValueError: unknown name, or a network without feature maps.
        DownloadError: the weights could not be downloaded.
    """

    def __init__(self, name: str, pretrained: bool = False):
        super().__init__()
        import timm

        if not re.fullmatch(r"[\w.-]+", name) or not timm.is_model(name):
            raise ValueError(
                f"unknown or unsuitable backbone {name!r}; expected {', '.join(BACKBONES)} or a name from "
                "timm.list_models(); register your own first (docs/extending.md)"
            )
        create = partial(timm.create_model, name, features_only=True, out_indices=(-1,))
        try:
            self.net = create()
        except Exception as error:  # the type differs between timm's networks
            raise ValueError(
                f"unsuitable backbone {name!r} ({shorten(str(error), 300) or type(error).__name__}); choose another one"
            ) from None
        if pretrained:
            try:
                self.net = create(pretrained=True)
            except Exception as error:  # there are many ways for a download to fail
                reason = shorten(str(error), 200) or type(error).__name__
                raise DownloadError(f"the weights of timm for {name!r} could not be downloaded ({reason})") from None
        net: Any = self.net
        self.num_features = net.feature_info.channels()[-1]
        self.channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"  # e.g. Swin

    def features(self, x: Tensor) -> Tensor:
        """[N,3,H,W] -> [N,num_features,h,w]."""
        features = self.net(x)[-1]
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def create_backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """Create a backbone by its name: one of `fer.registry.BACKBONES`, or a name of `timm`.

    `mobilefacenet` has 512 channels, `mobilefacenet-128` has 128.

    The initial weights are one of:

    - a safetensors file with the weights of the backbone, or of a DAN on it (a checkpoint);
    - for mobilefacenet, the published safetensors file with MXNet's names;
    - a torch file (.pth, .pt, .tar) with torchvision's names, as the dict itself or under `state_dict`;
    - "timm": the weights that timm publishes.

    `mobilefacenet-128` ignores the weights of the last convolution of mobilefacenet, and those of a classifier `fc` in
    a torch file are ignored.

    Args:
        weights: a path or "timm"; None starts from random values.

    Raises:
        ValueError: unknown name, or weights that cannot be read or downloaded, are not finite or do not fit.
    """
    if name in BACKBONES:
        if weights == "timm":
            raise ValueError(f"timm has no weights for {name}; give a safetensors file, or no weights")
        backbone: Backbone = find_part("backbone", BACKBONES, name)()
    else:
        backbone = TimmBackbone(name, pretrained=weights == "timm")
    if weights and weights != "timm":
        state = _read_backbone(name, weights)
        try:
            if isinstance(backbone, MobileFaceNet) and any(key.startswith("conv_1_") for key in state):
                state = convert_mxnet_weights(state)
            if name == "mobilefacenet-128":
                state = {k: v for k, v in state.items() if not k.startswith("last.")}
            backbone.load_state_dict(state)
        except (RuntimeError, KeyError) as error:  # KeyError: an unknown name beside those of MXNet
            raise ValueError(f"{weights} does not fit the backbone {name}: {shorten(str(error), 300)}") from None
    return backbone


def find_grid(backbone: Backbone, side: int) -> list[float]:
    """Where the features of a crop lie in it: `Description.grid`.

    A 3x3 convolution of stride 2 with a padding of 1 computes its output i around its input 2i, not 2i + 0.5: with four
    of them on 112 px, the cells lie around the pixels 0, 16, 32, ..., and not in the middle of equal parts. See
    Dumoulin and Visin 2016, arXiv:1603.07285.

    Args:
        side: input size in pixels.

    Returns:
        the centre of the first cell and the step between cells, as fractions of the side; [] if the backbone reduces
        the image by other means than convolution and pooling.
    """
    centre, step = 0.5, 1  # of the first cell, and between cells, in pixels of the input

    def follow(layer: Any, inputs: tuple[Tensor], _: Tensor) -> None:
        nonlocal centre, step
        kernel, stride, padding = (
            v if isinstance(v, int) else v[-1] for v in (layer.kernel_size, layer.stride, layer.padding)
        )
        if stride > 1 and inputs[0].shape[-1] == -(-side // step):  # the first of parallel branches
            centre += ((kernel - 1) / 2 - padding) * step
            step *= stride

    copied = copy.deepcopy(backbone).cpu().eval()
    for layer in copied.modules():
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            layer.register_forward_hook(follow)
    with torch.inference_mode():
        width = copied.features(torch.zeros(1, 3, side, side)).shape[-1]
    return [centre / side, step / side] if -(-side // step) == width else []


def _read_backbone(name: str, path: str | Path) -> dict[str, Tensor]:
    """The weights in a file that belong to the backbone, with the prefix of its parameters."""
    if Path(path).suffix in (".pth", ".pt", ".tar"):
        prefix = "" if name in BACKBONES else "net."
        state = read_torch_weights(path, "state_dict", bare=True)
        return {prefix + key: value for key, value in state.items() if not key.startswith("fc.")}
    state = read_safetensors(path)
    if any(key.startswith("backbone.") for key in state):
        return {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    return state
