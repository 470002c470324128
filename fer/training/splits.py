"""What a run trains on and what chooses its checkpoint."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..data import Samples, duplicates_of, load_samples, redundant_copies
from .config import TrainConfig


@dataclass
class Splits:
    """Training and validation samples, and which validation images [N] are also in training."""

    train: Samples
    val: Samples
    leaked: np.ndarray


def check_files(samples: Samples) -> None:
    """Raises ValueError where files that the labels name are not there."""
    paths = [str(samples.images[i]) for i in range(len(samples))] if samples.are_files else []
    with ThreadPoolExecutor() as pool:
        missing = [path for path, there in zip(paths, pool.map(os.path.isfile, paths)) if not there]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(paths)} images are not there, e.g. {missing[0]}; fer check-data lists them, fer pack "
            "leaves them out"
        )


def load_splits(config: TrainConfig) -> Splits:
    """Load both splits; with `drop_duplicates`, training loses its copies of validation images and of itself."""
    train = load_samples(config.dataset, config.data, "train", config.train_rule)
    val = load_samples(config.dataset, config.data, "val", config.val_rule)
    if train.classes != val.classes:
        raise ValueError(
            f"training has {len(train.classes)} classes ({', '.join(train.classes)}), validation {len(val.classes)} "
            f"({', '.join(val.classes)}); they must be the same"
        )
    check_files(train)
    check_files(val)
    leaked = duplicates_of(val, train)
    if config.drop_duplicates:
        train = train.subset(~(duplicates_of(train, val) | redundant_copies(train)))
        leaked[:] = False
    return Splits(train, val, leaked)
