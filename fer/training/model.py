"""The network that a run starts from."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from ..models.backbone import create_backbone
from ..models.checkpoint import find_checkpoint, load_matching
from ..models.dan import DAN
from .config import TrainConfig

log = logging.getLogger("fer")


def build_model(config: TrainConfig, num_classes: int) -> DAN:
    """The network that a run starts from.

    Raises:
        ValueError: unknown names, weights that do not fit, or a backbone that does not take images of the input size.
    """
    backbone = create_backbone(config.backbone, find_weights(config.backbone_weights))
    model = DAN(backbone, num_classes, config.num_heads, config.attention, config.fusion)
    if config.init_weights:
        kept = load_matching(model, find_checkpoint(config.init_weights))
        log.info("went on from %s; new values: %s", config.init_weights, ", ".join(kept) or "none")
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, config.input_size, config.input_size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--backbone {config.backbone} does not take --input-size {config.input_size}: {error}"
        ) from None
    return model


def find_weights(name: str) -> str | None:
    """A weights file by path, or by name in the folders where downloads are kept.

    Raises:
        ValueError: not found; says where it was looked for.
    """
    if not name or name == "timm":
        return name or None
    places = [Path(name), Path("pretrained") / name, Path("../shared/pretrained") / name]
    for path in places:
        if path.is_file():
            return str(path)
    raise ValueError(
        f"--backbone-weights {name}: no such file; looked for {', '.join(map(str, places))}. Put it there, give its "
        "path, or train from random values with --backbone-weights ''"
    )
