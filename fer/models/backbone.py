"""Backbones: modules with `features(x) -> [N,D,h,w]` and `num_features`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

from torch import Tensor

from .dan import Backbone
from .mobilefacenet import MobileFaceNet, convert_mxnet_weights
from .weights import read_safetensors, read_torch_weights


class TimmBackbone(Backbone):
    """The last feature map of any `timm` network, e.g. `resnet18`.

    Args:
        name: a name that `timm.list_models()` knows. Names of the Hugging Face Hub and of folders, which timm knows too, are
            refused: they come from a checkpoint, and timm would fetch what they name.
        pretrained: start from timm's weights for that name (downloaded once).

    Raises:
        ValueError: unknown name, or a network that gives no feature map.
    """

    def __init__(self, name: str, pretrained: bool = False):
        super().__init__()
        import timm

        if not re.fullmatch(r"[\w.-]+", name) or not timm.is_model(name):
            raise ValueError(
                f"unknown or unsuitable backbone {name!r}; expected mobilefacenet, mobilefacenet-128 or a name from "
                "timm.list_models()"
            )
        try:
            self.net = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=(-1,))
        except Exception as error:  # timm's networks differ in how they fail
            raise ValueError(
                f"unsuitable backbone {name!r} ({shorten(str(error), 300) or type(error).__name__}); choose another one"
            ) from None
        net: Any = self.net
        self.num_features = net.feature_info.channels()[-1]
        self.channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"  # Swin and its relatives

    def features(self, x: Tensor) -> Tensor:
        """[N,3,H,W] -> [N,num_features,h,w]."""
        features = self.net(x)[-1]
        return features.permute(0, 3, 1, 2) if self.channels_last else features


_MOBILEFACENETS: dict[str, Callable[[], Backbone]] = {
    "mobilefacenet": MobileFaceNet,
    "mobilefacenet-128": partial(MobileFaceNet, widen=False),
}


def create_backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """A backbone by name: `mobilefacenet` (512 channels), `mobilefacenet-128` or any name of `timm`.

    Args:
        weights: a safetensors file of initial weights: of the backbone, of a DAN on it (a checkpoint), or for
            mobilefacenet the published file with MXNet's names (mobilefacenet-128 leaves out the last convolution of
            either); or a torch file (.pth, .pt, .tar) with torchvision's names, as `state_dict` or alone, whose `fc` is
            left out; "timm" takes the weights that timm publishes; None starts from random values.

    Raises:
        ValueError: unknown name, or weights that cannot be read, are not finite or do not fit.
    """
    if name in _MOBILEFACENETS:
        if weights == "timm":
            raise ValueError(f"timm has no weights for {name}; give a safetensors file, or none")
        backbone = _MOBILEFACENETS[name]()
    else:
        backbone = TimmBackbone(name, pretrained=weights == "timm")
    if weights and weights != "timm":
        state = _read_backbone(name, weights)
        try:
            if any(key.startswith("conv_1_") for key in state):
                state = convert_mxnet_weights(state)
            if name == "mobilefacenet-128":
                state = {k: v for k, v in state.items() if not k.startswith("last.")}
            backbone.load_state_dict(state)
        except (RuntimeError, KeyError) as error:  # KeyError: a name that is not one of MXNet's
            raise ValueError(f"{weights} does not fit the backbone {name}: {shorten(str(error), 300)}") from None
    return backbone


def _read_backbone(name: str, path: str | Path) -> dict[str, Tensor]:
    """The weights of a file that belong to a backbone, by the backbone's names."""
    if Path(path).suffix in (".pth", ".pt", ".tar"):
        prefix = "" if name in _MOBILEFACENETS else "net."
        state = read_torch_weights(path, "state_dict", bare=True)
        return {prefix + key: value for key, value in state.items() if not key.startswith("fc.")}
    state = read_safetensors(path)
    if any(key.startswith("backbone.") for key in state):
        return {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    return state
