"""Backbones: modules with `features(x) -> [N,D,h,w]` and `num_features`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from textwrap import shorten

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .mobilefacenet import MobileFaceNet, convert_mxnet_weights


class TimmBackbone(nn.Module):
    """The last feature map of any `timm` network, e.g. `resnet18`.

    Args:
        name: a name that `timm.list_models()` knows.
        pretrained: start from timm's weights for that name (downloaded once).
    """

    def __init__(self, name: str, pretrained: bool = False):
        super().__init__()
        import timm

        try:
            self.net = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=(-1,))
        except RuntimeError as error:
            raise ValueError(
                f"unknown or unsuitable backbone {name!r} ({error}); expected mobilefacenet, mobilefacenet-128 or a name from "
                "timm.list_models()"
            ) from None
        self.num_features = self.net.feature_info.channels()[-1]
        self.channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"  # Swin and its relatives

    def features(self, x: Tensor) -> Tensor:
        """[N,3,H,W] -> [N,num_features,h,w]."""
        features = self.net(x)[-1]
        return features.permute(0, 3, 1, 2) if self.channels_last else features


_MOBILEFACENETS = {"mobilefacenet": MobileFaceNet, "mobilefacenet-128": partial(MobileFaceNet, widen=False)}


def create_backbone(name: str, weights: str | Path | None = None) -> nn.Module:
    """A backbone by name: `mobilefacenet` (512 channels), `mobilefacenet-128` or any name of `timm`.

    Args:
        weights: a safetensors file of initial weights: of the backbone, of a DAN on it (a checkpoint), or for
            mobilefacenet the published file with MXNet's names (mobilefacenet-128 leaves out the last convolution of
            either); or a torch file (.pth, .pt, .tar) with torchvision's names, as `state_dict` or alone, whose `fc` is
            left out; "timm" takes the weights that timm publishes; None starts from random values.

    Raises:
        ValueError: unknown name, or weights that do not fit.
    """
    if name in _MOBILEFACENETS:
        if weights == "timm":
            raise ValueError(f"timm has no weights for {name}; give a safetensors file, or none")
        backbone = _MOBILEFACENETS[name]()
    else:
        backbone = TimmBackbone(name, pretrained=weights == "timm")
    if weights and weights != "timm":
        if Path(weights).suffix in (".pth", ".pt", ".tar"):
            prefix = "net." if isinstance(backbone, TimmBackbone) else ""
            state = read_torch_weights(weights, "state_dict", bare=True)
            state = {prefix + key: value for key, value in state.items() if not key.startswith("fc.")}
        else:
            try:
                state = load_file(weights)
            except SafetensorError as error:
                raise ValueError(f"{weights}: not a readable safetensors file ({error})") from None
        if any(key.startswith("conv_1_") for key in state):
            state = convert_mxnet_weights(state)
        elif any(key.startswith("backbone.") for key in state):
            state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
        if name == "mobilefacenet-128":
            state = {k: v for k, v in state.items() if not k.startswith("last.")}
        try:
            backbone.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"{weights} does not fit the backbone {name}: {shorten(str(error), 300)}") from None
    return backbone


def read_torch_weights(path: str | os.PathLike, key: str, bare: bool = False) -> dict[str, Tensor]:
    """The weights under `key` in a torch file, without the prefix `module.` of DataParallel; no code in it is executed.

    Args:
        bare: without `key`, the file itself is the dict of weights.

    Raises:
        ValueError: no such file, not a torch file, or no weights there.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # there are many ways not to be a torch file
        raise ValueError(f"{path}: not a torch file of tensors and plain values ({type(error).__name__})") from None
    state = content.get(key, content if bare else None) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: no weights in it; expected a dict of tensors {key!r}")
    return {str(name).removeprefix("module."): value for name, value in state.items()}
