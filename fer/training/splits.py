"""What a run trains on and what chooses its checkpoint."""

from __future__ import annotations

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


def load_splits(config: TrainConfig) -> Splits:
    """Load both splits; with `drop_duplicates`, training loses its copies of validation images and of itself."""
    train = load_samples(config.dataset, config.data, "train", config.train_rule)
    val = load_samples(config.dataset, config.data, "val", config.val_rule)
    if train.classes != val.classes:
        raise ValueError(
            f"training has {len(train.classes)} classes ({', '.join(train.classes)}), validation {len(val.classes)} "
            f"({', '.join(val.classes)}); they must be the same"
        )
    leaked = duplicates_of(val, train)
    if config.drop_duplicates:
        train = train.subset(~(duplicates_of(train, val) | redundant_copies(train)))
        leaked[:] = False
    return Splits(train, val, leaked)
