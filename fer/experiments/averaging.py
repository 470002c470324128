"""The mean of checkpoints: one network from runs that went on from the same weights."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import update_bn

from ..data import load_samples
from ..data.loader import CropDataset, make_loader
from ..data.transforms import Augmentation
from ..device import choose_device
from ..models.checkpoint import load_checkpoint, save_checkpoint
from ..models.inputs import normalize

_MUST_AGREE = ("backbone", "attention", "fusion", "num_heads", "classes", "preprocessing")


def average_checkpoints(
    names: list[str], out: str | Path, data: str | Path, *, batches: int = 100, device: str = "auto"
) -> None:
    """Store the mean of the weights of several checkpoints (a model soup: Wortsman et al. 2022, arXiv:2203.05482).

    The batch statistics of the mean are measured on training images, augmented as the recipe of the first checkpoint says.
    The checkpoint has no figures: measure it.

    Args:
        names: shipped weights or files, of one architecture; the mean is of use where their runs share the first epochs.
        out: the `.safetensors` file to write.
        data: the folder of the dataset that the first was trained on.
        batches: of 64 images, on which the statistics are measured.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`; or a checkpoint is of another architecture than the first.
    """
    device = choose_device(device)
    loaded = [load_checkpoint(name) for name in names]
    model, description = loaded[0]
    for name, (_, other) in zip(names, loaded):
        if any(getattr(other, field) != getattr(description, field) for field in _MUST_AGREE):
            raise ValueError(f"{name} is a network or knows classes other than {names[0]}; only equal ones have a mean")
    states = [other.state_dict() for other, _ in loaded]
    mean = {key: torch.stack([s[key].double() for s in states]).mean(0).to(v.dtype) for key, v in states[0].items()}
    model.load_state_dict(mean)

    recipe = description.recipe
    samples = load_samples(description.dataset, data, "train", recipe.get("train_rule", ""))
    template, augment = np.reshape(description.template, (-1, 2)), Augmentation(recipe.get("augmentation", "none"))
    dataset = CropDataset(samples, description.preprocessing, template, augment)
    loader = make_loader(dataset, min(64, len(samples)), shuffle=True)
    inputs = (normalize(images, description.preprocessing) for images, _ in islice(loader, batches))
    update_bn(inputs, model.to(device), torch.device(device))
    description.metrics = {}
    description.recipe = recipe | {"mean_of": [str(name) for name in names]}
    save_checkpoint(out, model, description)
