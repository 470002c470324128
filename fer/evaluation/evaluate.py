"""Measure a checkpoint on a labelled split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data import Samples, SplitNotFound, duplicates_of, load_samples
from ..data.loader import CropDataset, make_loader
from ..device import choose_device
from ..models.checkpoint import find_checkpoint, load_checkpoint
from .metrics import predict, summarize, without_duplicates


def evaluate_checkpoint(
    weights: str | Path,
    dataset: str,
    data: str | Path,
    split: str,
    rule: str = "majority",
    *,
    duplicates_of_dir: str | Path | None = None,
    flip: bool = False,
    device: str = "auto",
    batch_size: int = 64,
) -> dict:
    """Figures of a checkpoint on one split of a dataset, in float32.

    The dataset's classes are matched with the checkpoint's by name; where it has fewer, the choice is among those.

    Args:
        weights: name of shipped weights, or a file.
        duplicates_of_dir: a folder with the train split; images that also occur in it (as the rule of the checkpoint's
            training keeps it) are left out of `accuracy_without_duplicates`. None looks in `data`.
        flip: average the logits with those of the mirrored image.

    Returns:
        what `summarize` gives, and dataset, split, rule, layout, weights, flip, classes, and
        `accuracy_without_duplicates` with `n_without_duplicates` (None where no train split was found, or no image is left).

    Raises:
        ValueError: see `load_samples` and `load_checkpoint`; or a class that the checkpoint does not know.
    """
    device = choose_device(device)
    path = find_checkpoint(weights)
    model, description = load_checkpoint(path)
    samples = load_samples(dataset, data, split, rule)
    if unknown := [name for name in samples.classes if name not in description.classes]:
        known = ", ".join(description.classes)
        raise ValueError(
            f"{path} has {len(description.classes)} classes ({known}), without {', '.join(unknown)} of {dataset}"
        )
    train = find_train(dataset, data, duplicates_of_dir, split, description.recipe.get("train_rule", rule))
    columns = [description.classes.index(name) for name in samples.classes]
    loader = make_loader(CropDataset(samples, description.preprocessing), batch_size, device=device)
    logits, targets, overlap = predict(model.fold().to(device), loader, device, amp=False, flip=flip)
    logits = logits[:, columns]
    what = {"dataset": dataset, "split": split, "rule": samples.rule, "layout": samples.layout, "flip": flip}
    return (
        what
        | {"weights": path.name, "classes": list(samples.classes), "attention_overlap": float(overlap.mean())}
        | summarize(logits / description.temperature, targets, samples.classes)
        | _without_duplicates(logits, targets, samples, train)
    )


def find_train(dataset: str, data: str | Path, folder: str | Path | None, split: str, rule: str) -> Samples | None:
    """The training images to compare with: those of `folder`, or those beside `split` in `data`, if any."""
    if split == "train":
        return None
    try:
        return load_samples(dataset, folder or data, "train", rule)
    except SplitNotFound:
        if folder:
            raise
        return None


def _without_duplicates(logits: np.ndarray, targets: np.ndarray, samples: Samples, train: Samples | None) -> dict:
    if train is None:
        return {"accuracy_without_duplicates": None, "n_without_duplicates": None}
    return without_duplicates(logits, targets, duplicates_of(samples, train))
