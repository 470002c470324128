"""The training and validation splits of a run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..data import Samples, duplicates_of, load_samples, redundant_copies
from ..distributed import world_size
from .config import TrainConfig


@dataclass
class Splits:
    """Training and validation samples."""

    train: Samples
    val: Samples
    leaked: np.ndarray  # bool [N]: validation images that are also in training


def check_files(samples: Samples) -> None:
    """Raise ValueError if image files that the labels name are missing."""
    paths = [str(samples.images[i]) for i in range(len(samples))] if samples.are_files else []
    with ThreadPoolExecutor() as pool:
        missing = [path for path, exists in zip(paths, pool.map(os.path.isfile, paths)) if not exists]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(paths)} image files are missing, e.g. {missing[0]}; "
            "fer check-data lists them, fer pack leaves them out"
        )


def steps_per_epoch(config: TrainConfig, images: int) -> int:
    """The number of optimiser steps in an epoch. Raises ValueError if the images are too few for one."""
    steps = images // (config.batch_size * config.accumulate * world_size())
    if not steps:
        raise ValueError(
            f"{images} training images are fewer than one step needs (--batch-size {config.batch_size} "
            f"x --accumulate {config.accumulate} x {world_size()} processes); lower --batch-size or --accumulate"
        )
    return steps


def load_splits(config: TrainConfig) -> Splits:
    """Load the training and the validation split.

    With `drop_duplicates`, copies of validation images and repeated images are removed from training.

    Raises:
        ValueError: see `load_samples` and `steps_per_epoch`; image files are missing, the splits have different
            classes, or `va` is set and the training images have no valence and arousal.
    """
    train = load_samples(config.dataset, config.data, "train", config.train_rule)
    val = load_samples(config.dataset, config.data, "val", config.val_rule)
    if train.classes != val.classes:
        raise ValueError(
            f"training has {len(train.classes)} classes ({', '.join(train.classes)}), validation {len(val.classes)} "
            f"({', '.join(val.classes)}); they must be the same"
        )
    if config.va and (train.va is None or np.isnan(train.va).all()):
        raise ValueError(
            f"--va: the training images of {config.dataset} have no valence and arousal; leave it out, or take "
            "AffectNet, or Parquet shards with the columns valence and arousal"
        )
    check_files(train)
    check_files(val)
    leaked = duplicates_of(val, train)
    if config.drop_duplicates:
        train = train.subset(~(duplicates_of(train, val) | redundant_copies(train)))
        leaked[:] = False
    steps_per_epoch(config, len(train))
    return Splits(train, val, leaked)
