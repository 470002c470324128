"""MobileFaceNet (Chen et al. 2018, arXiv:1804.07573): a small network for face recognition, as a backbone."""

from __future__ import annotations

import re

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .dan import Backbone

BN_EPS = 1e-3  # the value in the training of the published face-recognition weights


class ConvBN(nn.Sequential):
    """Convolution without bias, batch normalisation and, unless `linear`, PReLU."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False):
        layers: list[nn.Module] = [
            nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out, eps=BN_EPS),
        ]
        super().__init__(*layers, *([] if linear else [nn.PReLU(out)]))

    def fold(self) -> None:
        """Fold the batch normalisation into the convolution; the outputs in eval mode stay the same."""
        convolution, norm = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        self[0], self[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()


class Bottleneck(nn.Module):
    """Inverted bottleneck: 1x1 expansion, 3x3 depthwise convolution, linear 1x1 projection.

    Residual where input and output have the same shape.
    """

    def __init__(self, inp: int, hidden: int, out: int, stride: int):
        super().__init__()
        self.residual = stride == 1 and inp == out
        self.expand = ConvBN(inp, hidden, 1)
        self.depthwise = ConvBN(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvBN(hidden, out, 1, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def _stage(inp: int, hidden: int, out: int, repeats: int) -> nn.Sequential:
    """A bottleneck of stride 2 with `hidden` channels, then `repeats` residual ones with expansion factor 2."""
    return nn.Sequential(Bottleneck(inp, hidden, out, 2), *(Bottleneck(out, 2 * out, out, 1) for _ in range(repeats)))


class MobileFaceNet(Backbone):
    """The convolutional part of MobileFaceNet, for RGB images of 112x112 pixels, normalised as (x - 127.5) / 128.

    Args:
        widen: end with a 1x1 convolution from 128 to 512 channels. Without it, the heads cost a sixteenth.
    """

    def __init__(self, widen: bool = True) -> None:
        super().__init__()
        self.num_features = 512 if widen else 128
        self.stem = nn.Sequential(ConvBN(3, 64, 3, 2), ConvBN(64, 64, 3, groups=64))  # 112 -> 56 px
        self.stage1 = _stage(64, 128, 64, 4)  # 28 px
        self.stage2 = _stage(64, 256, 128, 6)  # 14 px
        self.stage3 = _stage(128, 512, 128, 2)  # 7 px
        self.last = ConvBN(128, 512, 1) if widen else nn.Identity()

    def features(self, x: Tensor) -> Tensor:
        """Images [N,3,H,W] -> features [N,num_features,H/16,W/16]."""
        return self.last(self.stage3(self.stage2(self.stage1(self.stem(x)))))


def narrow_mobilefacenet() -> MobileFaceNet:
    """`mobilefacenet-128`: a MobileFaceNet that ends with 128 channels."""
    return MobileFaceNet(widen=False)


# Patterns of the layer names of the published weights, which are those of the original MXNet network -> our names.
_LAYERS = {
    r"conv_1_": "stem.0.",
    r"conv_2_dw_": "stem.1.",
    r"dconv_23_conv_": "stage1.0.",
    r"dconv_34_conv_": "stage2.0.",
    r"dconv_45_conv_": "stage3.0.",
    r"res_3_block(\d)_conv_": "stage1.{}.",
    r"res_4_block(\d)_conv_": "stage2.{}.",
    r"res_5_block(\d)_conv_": "stage3.{}.",
    r"conv_6sep_": "last.",
}
_PARTS = {"sep_": "expand.", "dw_": "depthwise.", "proj_": "project."}
_LEAVES = {
    "conv2d_weight": "0.weight",
    "batchnorm_gamma": "1.weight",
    "batchnorm_beta": "1.bias",
    "batchnorm_moving_mean": "1.running_mean",
    "batchnorm_moving_var": "1.running_var",
    "relu_gamma": "2.weight",
}


def _rename(key: str) -> str | None:
    for pattern, layer in _LAYERS.items():
        if match := re.match(pattern, key):
            suffix = key[match.end() :]
            layer = layer.format(*(int(i) + 1 for i in match.groups()))  # block 0 follows the strided bottleneck
            part = next((p for p in _PARTS if suffix.startswith(p)), "")
            return layer + _PARTS.get(part, "") + _LEAVES[suffix[len(part) :]]
    return None  # the embedding head (conv_6dw7_7, fc1) is not part of a DAN


def convert_mxnet_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published weights, with MXNet's names, to the names of `MobileFaceNet`.

    The embedding head is left out.

    Raises:
        KeyError: an unknown name within a known layer.
    """
    renamed = {_rename(key): value for key, value in state.items()}
    return {key: value.float() for key, value in renamed.items() if key is not None}
