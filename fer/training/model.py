"""The initial network of a run."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.transforms import Augmentation
from ..faces.regions import REGIONS, face_regions
from ..models.backbone import DownloadError, create_backbone, find_grid
from ..models.checkpoint import load_matching, read_description
from ..models.dan import DAN
from ..resources import find_checkpoint, resource_folder
from .config import TrainConfig
from .optimizer import find_frozen

log = logging.getLogger("fer")


def build_model(config: TrainConfig, classes: tuple[str, ...]) -> DAN:
    """Build the initial network of a run, and log where its weights come from.

    Raises:
        ValueError: unknown name, weights that do not fit, or a backbone that does not accept the input size.
    """
    weights = _backbone_weights(config)
    model = _make_network(config, len(classes), weights)
    random = {name for name in model.state_dict() if not (weights and name.startswith("backbone."))}
    backbone = f"its backbone from {weights}" if weights else ""
    if config.init_weights:
        kept, shared = load_matching(model, find_checkpoint(config.init_weights), classes)
        random &= set(kept)
        log.info(
            "the network starts from %s; classes carried over: %s; new classes: %s; other weights with new values%s: "
            "%s",
            config.init_weights,
            ", ".join(shared) or "none",
            ", ".join(name for name in classes if name not in shared) or "none",
            f" ({backbone})" if backbone else "",
            ", ".join(kept) or "none",
        )
    else:
        log.info("the network starts from random values%s", f", {backbone}" if backbone else "")
    _warn_of_frozen(config.freeze, random)
    return model


def check_names(config: TrainConfig) -> None:
    """Check the names in the configuration before any data are read.

    Raises:
        ValueError: see `build_model`; or an unknown augmentation, teacher or module to freeze.
    """
    Augmentation(config.augmentation)
    for name in config.teachers:
        read_description(find_checkpoint(name))
    weights = _backbone_weights(config)
    if weights == "timm" != config.backbone_weights:
        absent = config.backbone_weights.removesuffix(",timm")
        log.warning("%s is not here: the backbone starts from timm's ImageNet weights instead", absent)
    with torch.random.fork_rng(devices=[]):
        try:
            model = _make_network(config, 2, weights)
        except DownloadError as error:
            others = [name for name in config.backbone_weights.split(",") if name != "timm"]
            put = f", or put {' or '.join(others)} here" if others else ""
            raise ValueError(
                f"--backbone-weights {config.backbone_weights}: {error}. Connect to the internet{put}, or train from "
                "random values with --backbone-weights ''"
            ) from None
    find_frozen(model, config.freeze)


def find_licence(config: TrainConfig) -> str:
    """The licence of the checkpoint from which a run starts, which binds what is made of it; empty if not stated."""
    return read_description(find_checkpoint(config.init_weights)).licence if config.init_weights else ""


def find_outside(model: DAN, config: TrainConfig) -> Tensor | None:
    """The positions of the attention maps that lie outside the face, bool [h,w]; None without the loss `outside`.

    The face is where the template puts it, see `face_regions`.

    Raises:
        ValueError: there is no template.
    """
    if not config.outside:
        return None
    if not config.template:
        raise ValueError("--outside needs to know where the face lies in a crop, and these crops have no --template")
    side = config.input_size
    with torch.no_grad():
        _, _, h, w = model.eval()(torch.zeros(1, 3, side, side)).attention.shape
    regions = face_regions(np.reshape(config.template, (5, 2)), (h, w), find_grid(model.backbone, side))
    return torch.from_numpy(regions == REGIONS.index("outside"))


def _backbone_weights(config: TrainConfig) -> str | None:
    """The initial weights of the backbone; None if the initial checkpoint has all of them."""
    if config.init_weights:
        source = read_description(find_checkpoint(config.init_weights)).backbone
        if config.backbone in (source, f"{source}-128"):
            return None
    return find_weights(config.backbone_weights)


def _make_network(config: TrainConfig, num_classes: int, weights: str | None) -> DAN:
    backbone = create_backbone(config.backbone, weights)
    model = DAN(backbone, num_classes, config.num_heads, config.attention, config.fusion, config.va)
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, config.input_size, config.input_size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--backbone {config.backbone} does not accept --input-size {config.input_size}: {error}"
        ) from None
    return model


def _warn_of_frozen(freeze: list[str], random: set[str]) -> None:
    for text in freeze:
        module, epochs = text.split(":")
        if int(epochs) and any(name.startswith(f"{module}.") for name in random):
            log.warning(
                "--freeze %s freezes random values; add --backbone-weights or --init-weights, or remove --freeze",
                text,
            )


def find_weights(names: str) -> str | None:
    """Find initial weights: the first of several names, separated by commas, that exists.

    Args:
        names: of each a path, the name of a file in `weights/pretrained`, the name of shipped weights, or timm.

    Returns:
        the path; "timm" for timm; None for an empty name.

    Raises:
        ValueError: none exists; the message lists the paths that were tried.
    """
    shipped = resource_folder("weights")
    tried: list[Path] = []
    for name in names.split(",") if names else []:
        candidates = [Path(name), shipped / "pretrained" / name, shipped / f"{name}.safetensors"]
        for path in candidates:
            if name != "timm" and path.is_file():
                return str(path)
        if name == "timm":
            return name
        tried += candidates
    if not names:
        return None
    raise ValueError(
        f"--backbone-weights {names}: no such file; looked for {', '.join(map(str, tried))}. Put it there, "
        "give its path, or train from random values with --backbone-weights ''"
    )
