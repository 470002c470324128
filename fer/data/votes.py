"""Votes of several people as targets, for datasets whose own labels are single classes."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from ..io.columns import look_up, read_columns
from ..labels import class_of
from .samples import Samples

PREFIX = "votes_"


def add_votes(samples: Samples, path: str | os.PathLike) -> Samples:
    """The samples with the shares of the votes as targets. Images without votes keep their labels.

    Args:
        path: a CSV file with a column that names the image (see `look_up`) and a column `votes_<class>` for each class
            that has votes, with their number or share. A missing column or an empty field stands for no vote.

    Raises:
        ValueError: the file cannot be read, names no image of the samples or a class that they do not have, or holds
            something that is no number of votes.
    """
    columns = [name for name in read_columns(path) if name.startswith(PREFIX)]
    classes = [class_of(name.removeprefix(PREFIX)) for name in columns]
    if not columns or (unknown := [name for name in classes if name not in samples.classes]):
        wrong = f"classes that the dataset does not have: {', '.join(unknown)}" if columns else "no such column"
        raise ValueError(f"{path}: expected columns {PREFIX}<class> for {', '.join(samples.classes)}; got {wrong}")
    texts = look_up(path, columns, samples.names)
    votes = np.zeros((len(samples), len(samples.classes)), np.float32)
    for column, name in zip(columns, classes):
        votes[:, samples.classes.index(name)] += [_to_number(path, text) for text in texts[column]]
    totals = votes.sum(1, keepdims=True)
    voted = totals[:, 0] > 0
    targets = np.where(voted[:, None], votes / np.where(totals > 0, totals, 1), samples.targets)
    return replace(samples, targets=targets.astype(np.float32), rule=f"{samples.rule}, votes for {voted.sum()}")


def _to_number(path: str | os.PathLike, text: str) -> float:
    try:
        number = float(text or 0)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{path}: expected a number of votes, got {text!r}")
    return number
