"""Weight averaging: one network from several runs that started from the same weights."""

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

# Fields of the descriptions.
_MUST_BE_EQUAL = ("backbone", "attention", "fusion", "va", "num_heads", "classes", "preprocessing")


def average_checkpoints(
    names: list[str], out: str | Path, data: str | Path, *, batches: int = 100, device: str = "auto"
) -> None:
    """Average the weights of several checkpoints (a model soup: Wortsman et al. 2022, arXiv:2203.05482).

    The batch statistics of the mean are computed on training images with the augmentation of the first checkpoint's
    recipe. The stored checkpoint has no metrics; evaluate it.

    Args:
        names: paths of checkpoints, or names of shipped weights, with the same architecture, classes and preprocessing.
            The mean is useful if their runs share the first epochs.
        out: the `.safetensors` file to write.
        data: folder of the dataset that the first checkpoint was trained on.
        batches: maximum number of batches, of 64 images each, for the batch statistics.
        device: auto, cpu, cuda or mps.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`; or a checkpoint differs from the first in its architecture,
            classes or preprocessing.
    """
    device = choose_device(device)
    loaded = [load_checkpoint(name) for name in names]
    model, description = loaded[0]
    for name, (_, other) in zip(names, loaded):
        if different := [field for field in _MUST_BE_EQUAL if getattr(other, field) != getattr(description, field)]:
            raise ValueError(
                f"{name} differs from {names[0]} in {', '.join(different)}; only checkpoints that agree in "
                f"{', '.join(_MUST_BE_EQUAL)} can be averaged"
            )
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
