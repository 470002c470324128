"""Datasets by name. Every loader is called as `load(root, split, rule)` and returns `Samples`."""

from __future__ import annotations

from pathlib import Path

from .ferplus import load_ferplus
from .samples import Samples, SplitNotFound, duplicates_of, redundant_copies

DATASETS = {"ferplus": load_ferplus}


def load_samples(name: str, root: str | Path, split: str, rule: str = "majority") -> Samples:
    """Load one split of dataset `name` from `root`.

    Raises:
        ValueError: unknown dataset or layout, or no image in the split.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; choose one of {', '.join(DATASETS)}")
    samples = DATASETS[name](root, split, rule)
    if not len(samples):
        raise ValueError(f"{root}: the {split} split of {name} holds no image that the rule {rule!r} keeps")
    return samples


__all__ = ["DATASETS", "Samples", "SplitNotFound", "duplicates_of", "load_samples", "redundant_copies"]
