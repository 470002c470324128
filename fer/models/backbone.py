"""Backbones: modules with `features(x) -> [N,D,h,w]` and `num_features`."""

from __future__ import annotations

from pathlib import Path

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
                f"unknown or unsuitable backbone {name!r} ({error}); expected mobilefacenet or a name from timm.list_models()"
            ) from None
        self.num_features = self.net.feature_info.channels()[-1]

    def features(self, x: Tensor) -> Tensor:
        """[N,3,H,W] -> [N,num_features,h,w]."""
        return self.net(x)[-1]


def create_backbone(name: str, weights: str | Path | None = None) -> nn.Module:
    """A backbone by name: `mobilefacenet` or any name of `timm`.

    Args:
        weights: a safetensors file of initial weights (for mobilefacenet also the published MXNet-named file);
            "timm" takes the weights that timm publishes; None starts from random values.

    Raises:
        ValueError: unknown name, or weights that do not fit.
    """
    if name == "mobilefacenet":
        if weights == "timm":
            raise ValueError("timm has no weights for mobilefacenet; give a safetensors file, or none")
        backbone = MobileFaceNet()
    else:
        backbone = TimmBackbone(name, pretrained=weights == "timm")
    if weights and weights != "timm":
        state = load_file(weights)
        if any(key.startswith("conv_1_") for key in state):
            state = convert_mxnet_weights(state)
        try:
            backbone.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"{weights} does not fit the backbone {name}: {error}") from None
    return backbone


def find_weights(name: str) -> str | None:
    """A weights file by path, or by name in the folders where downloads are kept.

    Raises:
        ValueError: not found; says where it was looked for.
    """
    if not name or name == "timm":
        return name or None
    places = [Path(name), *(folder / name for folder in (Path("pretrained"), Path("../shared/pretrained")))]
    for path in places:
        if path.is_file():
            return str(path)
    raise ValueError(
        f"--backbone-weights {name}: no such file; looked for {', '.join(map(str, places))}. Put it there, give its "
        "path, or train from random values with --backbone-weights ''"
    )
