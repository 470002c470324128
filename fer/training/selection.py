"""Which epoch of a run is the best, and whether the run has ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..evaluation.metrics import summarize


def score(logits: np.ndarray, targets: np.ndarray, leaked: np.ndarray, select: str) -> float:
    """The validation figure that chooses the best epoch, on the images that are not in training, or on all if none is.

    Args:
        logits, targets: [N,C].
        leaked: bool [N], images that are in training.
        select: name of the figure in `Metrics`; last: the accuracy, which then chooses nothing.
    """
    kept = np.ones(len(logits), bool) if leaked.all() else ~leaked
    figures = summarize(logits[kept], targets[kept], tuple(map(str, range(targets.shape[1]))))
    return getattr(figures, "accuracy" if select == "last" else select)


def best_epoch(history: Sequence[dict], select: str = "accuracy") -> int:
    """The index of the best epoch: that with the highest score, or the last one if `select` is last."""
    scores = [figures["val_score"] for figures in history]
    return len(scores) - 1 if select == "last" else scores.index(max(scores))


def has_ended(history: Sequence[dict], epochs: int, patience: int = 0) -> bool:
    """Whether all epochs are done, or `patience` of them went by without a better one (early stopping)."""
    waited = len(history) - 1 - best_epoch(history) if history else 0
    return len(history) >= epochs or bool(patience) and waited >= patience
