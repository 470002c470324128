"""What is known of a public dataset before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .samples import Samples


@dataclass(frozen=True)
class Dataset:
    """How a dataset is loaded, and what its official release holds.

    Args:
        load: called as `load(root, split, rule)`.
        labels: what stands in the release (an integer, a folder, a column) -> the class.
        rules: which images are kept and what their targets mean, by name; the first is the default.
        train_rule: the default for training, where it is another one.
        official: images of the release in these splits, joined by "+", by the default rules; several where releases differ.
        every: the rule that keeps all images, for a look at the files.
        leaks: the release itself holds the same image in several splits.
    """

    load: Callable[[str | Path, str, str], Samples]
    labels: dict[str, str]
    rules: tuple[str, ...] = ("label",)
    train_rule: str = ""
    official: dict[str, tuple[int, ...]] = field(default_factory=dict)
    every: str = ""
    leaks: bool = False

    def rule_for(self, split: str, rule: str = "") -> str:
        """The rule by its name, or the default of the split. Raises ValueError for an unknown one."""
        if not rule:
            return self.train_rule if split == "train" and self.train_rule else self.rules[0]
        if rule not in self.rules:
            raise ValueError(f"unknown rule {rule!r}; choose one of {', '.join(self.rules)}")
        return rule
