"""Cross-validation: a dataset in parts, of which one validates and the others train."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .dataset import Dataset
from .datasets.layouts import hash_name
from .joining import join_samples
from .persons import find_persons
from .samples import Samples, SplitNotFound


@dataclass(frozen=True)
class Fold:
    """One part of a dataset: the `number`-th, from 1, of `parts` parts, or the `number`-th person."""

    number: int
    parts: int | None  # None: each person is a part of its own

    @classmethod
    def parse(cls, text: str) -> Fold:
        """Read `3/10`, or `3/persons` for leave-one-subject-out. Raises ValueError for another text."""
        match = re.fullmatch(r"([1-9]\d*)/(persons|[1-9]\d*)", text)
        fold = match and cls(int(match[1]), None if match[2] == "persons" else int(match[2]))
        if not fold or fold.parts is not None and not fold.number <= fold.parts >= 2:
            raise ValueError(f"--fold takes K/N with K from 1 to N, e.g. 3/10, or K/persons; got {text!r}")
        return fold


def load_fold(
    dataset: Dataset, root: str | Path, fold: Fold, rules: tuple[str, str] = ("", ""), person: str = ""
) -> tuple[Samples, Samples]:
    """Load the samples that train, and those of the fold, which validate.

    All images take part, except those of an official test split. The folds are always the same: images are divided by
    class, and images of one person, film or photo stay together, where the dataset or `person` tells them.

    Args:
        rules: of the training and of the validation images, see `load_samples`.
        person: see `find_persons`; empty: what the dataset tells.

    Raises:
        ValueError: see `Dataset.load`, `find_persons`; or the dataset has fewer parts, or no persons.
    """
    train, val = (_load_pool(dataset, root, split, rule, person) for split, rule in zip(("train", "val"), rules))
    chosen = _find_units(val)[draw_fold(val, fold)]
    return train.subset(~np.isin(_find_units(train), chosen)), val.subset(np.isin(_find_units(val), chosen))


def _load_pool(dataset: Dataset, root: str | Path, split: str, rule: str, person: str) -> Samples:
    """All images but those of an official test split, under the rule of `split`."""
    rule = dataset.rule_for(split, rule)
    try:
        pool = dataset.load(root, "all", rule)
    except SplitNotFound:
        parts = [dataset.load(root, "train", rule)]
        with suppress(SplitNotFound):
            parts.append(dataset.load(root, "val", rule))
        pool = join_samples(parts)
    return replace(pool, groups=find_persons(pool.names, person)) if person else pool


def _find_units(samples: Samples) -> np.ndarray:
    """What stays in one part [N]: the group of each sample, or the sample itself, by its name."""
    return np.array(samples.names) if samples.groups is None else samples.groups


def draw_fold(samples: Samples, fold: Fold) -> np.ndarray:
    """Which samples [N] belong to the fold.

    Raises:
        ValueError: there are fewer parts, or no persons.
    """
    units, grouped = _find_units(samples), samples.groups is not None
    if fold.parts is None and not grouped:
        raise ValueError(f"--fold {fold.number}/persons: the dataset does not tell persons; name them by --person")
    if fold.parts is None:
        members = np.unique(units)
    else:
        labels = np.zeros(len(units), int) if grouped else samples.targets.argmax(1)
        label_of = dict(zip(units.tolist(), labels.tolist()))
        members = np.array(sorted(label_of, key=lambda unit: (label_of[unit], hash_name(unit))))
    if len(members) < (fold.parts or fold.number):
        kind = "persons or groups" if grouped else "images"
        raise ValueError(f"--fold {fold.number}/{fold.parts or 'persons'}: there are only {len(members)} {kind}")
    return np.isin(units, members[fold.number - 1 :: fold.parts or len(members)])
