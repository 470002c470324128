"""The supported datasets, by name."""

from __future__ import annotations

from pathlib import Path

from .dataset import Dataset
from .datasets.affectnet import AFFECTNET7, AFFECTNET8
from .datasets.ckplus import CKPLUS
from .datasets.expw import EXPW
from .datasets.fer2013 import FER2013
from .datasets.ferplus import FERPLUS
from .datasets.folder import FOLDER
from .datasets.jaffe import JAFFE
from .datasets.parquet import PARQUET
from .datasets.rafdb import RAFDB, RAFDB_COMPOUND
from .datasets.sfew import SFEW
from .samples import Samples, SplitNotFound, duplicates_of, redundant_copies

DATASETS = {
    "ferplus": FERPLUS,
    "fer2013": FER2013,
    "rafdb": RAFDB,
    "rafdb-compound": RAFDB_COMPOUND,
    "affectnet7": AFFECTNET7,
    "affectnet8": AFFECTNET8,
    "sfew": SFEW,
    "ckplus": CKPLUS,
    "jaffe": JAFFE,
    "expw": EXPW,
    "folder": FOLDER,
    "parquet": PARQUET,
}


def find_dataset(name: str) -> Dataset:
    """Look up a dataset by name. Raises ValueError for an unknown name."""
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; choose one of {', '.join(DATASETS)}")
    return DATASETS[name]


def load_samples(name: str, root: str | Path, split: str, rule: str = "") -> Samples:
    """Load one split of dataset `name` from `root`.

    Args:
        rule: which images are kept and what their targets mean; empty: the dataset's default for the split.

    Raises:
        ValueError: unknown dataset, rule or layout, or the split holds no image.
    """
    dataset = find_dataset(name)
    samples = dataset.load(root, split, dataset.rule_for(split, rule))
    if not len(samples):
        raise ValueError(f"{root}: the {split} split of {name} holds no image that the rule {samples.rule!r} keeps")
    return samples


__all__ = [
    "DATASETS",
    "Dataset",
    "Samples",
    "SplitNotFound",
    "duplicates_of",
    "find_dataset",
    "load_samples",
    "redundant_copies",
]
