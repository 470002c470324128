"""The checkpoints that the authors of DAN published (github.com/yaoing/DAN), converted to ours."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import shorten

import torch

from ..labels import EMOTIONS
from ..preprocessing import Preprocessing
from .backbone import create_backbone
from .checkpoint import Description, save_checkpoint
from .dan import DAN
from .weights import read_torch_weights

CLASSES = {  # in the order of the authors' logits
    "affectnet8": EMOTIONS,
    "affectnet7": EMOTIONS[:7],
    "rafdb": ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
}
# The authors' preprocessing of a crop. They stretch crops that are not square.
PREPROCESSING = Preprocessing(
    crop_size=224,
    input_size=224,
    gray=False,
    mean=(123.675, 116.28, 103.53),  # of ImageNet
    std=(58.395, 57.12, 57.375),
    interpolation="linear",
)
LICENCE = "The weights are those of the authors of DAN, github.com/yaoing/DAN, under their terms."

_AUTHORS_NAMES = {  # our prefix: the authors' prefix; {} is the number of the head
    "backbone.net.conv1.": "features.0.",
    "backbone.net.bn1.": "features.1.",
    "backbone.net.layer1.": "features.4.",
    "backbone.net.layer2.": "features.5.",
    "backbone.net.layer3.": "features.6.",
    "backbone.net.layer4.": "features.7.",
    "attention.reduce.": "cat_head{}.sa.conv1x1.",
    "attention.branches.0.": "cat_head{}.sa.conv_3x3.",
    "attention.branches.1.": "cat_head{}.sa.conv_1x3.",
    "attention.branches.2.": "cat_head{}.sa.conv_3x1.",
    "attention.channel.": "cat_head{}.ca.attention.",
    "classifier.": "fc.",
    "norm.": "bn.",
}


def load_dan_checkpoint(path: str | os.PathLike, classes: str) -> DAN:
    """Load the authors' checkpoint at `path` (.pth) as a DAN in eval mode, with its logits in the order of EMOTIONS.

    Args:
        classes: the dataset it was trained on: affectnet8, affectnet7 or rafdb. The last two have no contempt.

    Raises:
        ValueError: unknown `classes`; no such file, not a torch file, or no `model_state_dict` in it; weights that are
            not finite, missing, unexpected or of another shape; or another number of classes.
    """
    if classes not in CLASSES:
        raise ValueError(f"unknown classes {classes!r}; choose one of {', '.join(CLASSES)}")
    state = read_torch_weights(path, "model_state_dict")
    numbers = {int(match[1]) for name in state if (match := re.match(r"cat_head(\d+)\.", name))} or {0}
    if max(numbers) - min(numbers) >= len(numbers):
        listed = shorten(", ".join(map(str, sorted(numbers))), 100)
        raise ValueError(f"{path}: expected heads cat_headN with consecutive numbers, got {listed}")
    heads = range(min(numbers), max(numbers) + 1)
    order = CLASSES[classes]
    model = DAN(create_backbone("resnet18"), len(order), len(heads))

    sources = {name: _source_names(name, heads) for name in model.state_dict()}
    expected = {name for names in sources.values() for name in names}
    if expected != state.keys():
        missing, unexpected = (
            shorten(", ".join(sorted(names)), 200) or "none"
            for names in (expected - state.keys(), state.keys() - expected)
        )
        raise ValueError(
            f"{path}: expected the features of a ResNet18, cat_head{heads[0]} to cat_head{heads[-1]}, fc and bn; "
            f"missing: {missing}; unexpected: {unexpected}"
        )
    if (num_classes := state["fc.bias"].numel()) != len(order):
        raise ValueError(f"{path}: has {num_classes} classes, not the {len(order)} of {classes}")
    try:
        model.load_state_dict({name: _stack(name, [state[n] for n in names]) for name, names in sources.items()})
    except RuntimeError as error:
        raise ValueError(f"{path}: expected the shapes of a DAN on a ResNet18: {shorten(str(error), 300)}") from None

    columns = [order.index(name) for name in EMOTIONS if name in order]
    for tensor in (*model.classifier.state_dict().values(), *model.norm.state_dict().values()):
        if tensor.ndim:
            tensor.copy_(tensor[columns])
    return model.eval()


def _source_names(name: str, heads: range) -> list[str]:
    """The names of the authors' weights that make up our weight `name`: one, or one for each head."""
    prefix = next(prefix for prefix in _AUTHORS_NAMES if name.startswith(prefix))
    return list(dict.fromkeys(_AUTHORS_NAMES[prefix].format(k) + name.removeprefix(prefix) for k in heads))


def _stack(name: str, tensors: list[torch.Tensor]) -> torch.Tensor:
    """Concatenate the weights of the heads for a grouped convolution; a Linear becomes one over a single position."""
    stacked = torch.cat(tensors) if tensors[0].ndim else tensors[0]
    return stacked[..., None] if name.startswith("attention.channel.") and stacked.ndim == 2 else stacked


def import_dan_checkpoint(path: str | os.PathLike, classes: str, out: str | os.PathLike) -> Description:
    """Convert the authors' checkpoint at `path` to one of ours, for the recogniser and the evaluation.

    Args:
        classes: see `load_dan_checkpoint`.
        out: the `.safetensors` file to write.

    Raises:
        ValueError: see `load_dan_checkpoint`; or the name of `out` does not end with .safetensors.
    """
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    model = load_dan_checkpoint(path, classes)
    description = Description(
        backbone="resnet18",
        num_heads=model.attention.num_heads,
        classes=tuple(name for name in EMOTIONS if name in CLASSES[classes]),
        preprocessing=PREPROCESSING,
        template=[],  # of the authors' crops, it was not measured
        dataset=classes,
        licence=LICENCE,
    )
    save_checkpoint(out, model, description)
    return description
