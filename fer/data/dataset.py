"""The description of a dataset: how to load it, and what its official release holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .samples import Samples


@dataclass(frozen=True)
class Dataset:
    """How to load a dataset, and what its official release holds.

    Args:
        load: called as `load(root, split, rule)`.
        labels: {label in the release (an integer, a folder or a column): class}. `fer check-data` shows it, with an
            example of each class. It converts nothing: the samples that `load` returns have the classes already.
        rules: names of the rules for kept images and the meaning of targets; the first is the default.
        train_rule: the default rule for the train split, if it differs.
        official: number of images in the official release under the default rules, by split (or splits joined
            by "+"); several numbers if releases differ.
        every: the rule that keeps all images, for `check_dataset`.
        leaks: whether the official release holds the same image in several splits.
    """

    load: Callable[[str | Path, str, str], Samples]
    labels: dict[str, str]
    rules: tuple[str, ...] = ("label",)
    train_rule: str = ""
    official: dict[str, tuple[int, ...]] = field(default_factory=dict)
    every: str = ""
    leaks: bool = False

    def rule_for(self, split: str, rule: str = "") -> str:
        """Return `rule`, or the default of the split if it is empty. Raises ValueError for an unknown rule."""
        if not rule:
            return self.train_rule if split == "train" and self.train_rule else self.rules[0]
        if rule not in self.rules:
            raise ValueError(f"unknown rule {rule!r}; choose one of {', '.join(self.rules)}")
        return rule
