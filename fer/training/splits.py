"""The training and validation splits of a run."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ..data import Samples, duplicates_of, find_dataset, load_samples, redundant_copies
from ..data.folds import Fold, load_fold
from ..data.joining import join_samples
from ..data.loader import draw_weights, inverse_frequency
from ..data.votes import add_votes
from ..distributed import world_size
from ..evaluation.samples import find_faces
from ..faces import create_detector
from .config import TrainConfig

log = logging.getLogger("fer")


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
    """Load the training and the validation split; of several datasets, the splits of all.

    With `merge_val`, training has the validation images too. With `drop_duplicates`, copies of validation images and
    repeated images are removed from training.

    Raises:
        ValueError: see `load_samples`, `load_fold`, `add_votes` and `steps_per_epoch`; image files are missing, the
            splits have different classes, `merge_val` finds splits that were packed with different rules, or `va` is
            set and the training images have no valence and arousal.
    """
    loaded = [_load_dataset(config, *names) for names in _name_datasets(config)]
    train, val = (join_samples(parts, name_sources(config)) for parts in zip(*loaded))
    if train.classes != val.classes:
        raise ValueError(
            f"training has {len(train.classes)} classes ({', '.join(train.classes)}), validation {len(val.classes)} "
            f"({', '.join(val.classes)}); they must be the same"
        )
    train = add_votes(train, config.votes) if config.votes else train
    if config.va and (train.va is None or np.isnan(train.va).all()):
        raise ValueError(
            f"--va: the training images of {config.dataset} have no valence and arousal; leave it out, or take "
            "AffectNet, or Parquet shards with the columns valence and arousal"
        )
    check_files(train)
    check_files(val)
    if config.detect:
        train, val = _cut_out(config, train, "train"), _cut_out(config, val, "val")
    leaked = duplicates_of(val, train)
    if config.drop_duplicates:
        train = train.subset(~(duplicates_of(train, val) | redundant_copies(train)))
        leaked[:] = False
    steps_per_epoch(config, len(train))
    return Splits(train, val, leaked)


def measure_class_shares(config: TrainConfig, train: Samples) -> dict[str, float]:
    """The share of each class in the targets of an epoch, {class: share}, by which the network learns what is frequent.

    `balanced`, `shares` and `class_weights` change it.
    """
    weights = draw_weights(train, config.balanced, dict(zip(name_sources(config), config.shares)))
    shares = np.average(train.targets, 0, weights)
    if config.class_weights:
        shares = shares * inverse_frequency(train.targets)
    return dict(zip(train.classes, (shares / shares.sum()).astype(float).round(6).tolist()))


def _name_datasets(config: TrainConfig) -> list[tuple[str, str, str, str]]:
    """Name, folder, training rule and validation rule of each dataset."""
    datasets = config.dataset.split(",")
    if len(datasets) == 1:
        return [(config.dataset, config.data, config.train_rule, config.val_rule)]
    values = {"data": config.data, "train-rule": config.train_rule, "val-rule": config.val_rule}
    lists = {flag: text.split(",") if text else [""] * len(datasets) for flag, text in values.items()}
    for flag, names in lists.items():
        if len(names) != len(datasets):
            raise ValueError(
                f"--{flag} {values[flag]}: expected one for each of the {len(datasets)} datasets, "
                f"separated by commas; got {len(names)}"
            )
    return list(zip(datasets, *lists.values()))


def name_sources(config: TrainConfig) -> list[str]:
    """The names of the datasets, each once: folder, folder-2; empty for a single one."""
    names = config.dataset.split(",")
    return [
        name if name not in names[:i] else f"{name}-{names[: i + 1].count(name)}" for i, name in enumerate(names)
    ] * (len(names) > 1)


def _load_dataset(
    config: TrainConfig, name: str, folder: str, train_rule: str, val_rule: str
) -> tuple[Samples, Samples]:
    if config.fold:
        train, val = load_fold(
            find_dataset(name), folder, Fold.parse(config.fold), (train_rule, val_rule), config.person
        )
        for part, samples in (("training", train), ("validation", val)):
            if not len(samples):
                raise ValueError(f"--fold {config.fold}: no {part} image in {folder}")
        return train, val
    train, val = load_samples(name, folder, "train", train_rule), load_samples(name, folder, "val", val_rule)
    if config.merge_val:
        more = load_samples(name, folder, "val", find_dataset(name).rule_for("train", train_rule))
        if more.rule != train.rule:
            raise ValueError(
                f"--merge-val: {folder} was packed with the rule {train.rule} for training images and {more.rule} for "
                f"validation images; pack it anew with --rule {train.rule}"
            )
        train = join_samples([train, more])
    return train, val


def _cut_out(config: TrainConfig, samples: Samples, split: str) -> Samples:
    """Find the largest face in each image whose face is not annotated; images without one are left out."""
    unknown = np.ones(len(samples), bool) if samples.boxes is None else np.isnan(samples.boxes).any(1)
    if not unknown.any():
        return samples
    detector = create_detector("yunet", config.detector_weights or None)
    faces, found = find_faces(samples.subset(unknown), detector)
    assert faces.boxes is not None and faces.landmarks is not None
    boxes, landmarks = np.empty((len(samples), 4)), np.full((len(samples), 5, 2), np.nan)
    if samples.boxes is not None:
        boxes[:] = samples.boxes
    if samples.landmarks is not None:
        landmarks[:] = samples.landmarks
    boxes[unknown], landmarks[unknown] = faces.boxes, faces.landmarks
    kept = ~unknown
    kept[unknown] = found
    if not kept.all():
        names = [name for name, keep in zip(samples.names, kept) if not keep]
        log.warning("%s: no face in %d of %d images, e.g. %s; left out", split, len(names), len(kept), names[0])
    if not kept.any():
        raise ValueError(f"--detect: no face in any of the {len(kept)} images of {split}")
    return replace(samples, boxes=boxes, landmarks=landmarks).subset(kept)
