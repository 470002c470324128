"""Cross-validation: the runs of all folds together."""

from __future__ import annotations

import numpy as np

from ..evaluation.metrics import f1_scores
from .runs import Run, count_folds, to_markdown


def describe_folds(groups: dict[str, list[Run]]) -> str:
    """Markdown: for each group with folds its figures over all images, and the confusion matrix; else empty."""
    return "\n\n".join(_describe(name, group) for name, group in groups.items() if count_folds(group))


def _describe(name: str, group: list[Run]) -> str:
    """Each image is validated once for each seed, in the best epoch of its fold."""
    matrix = np.sum([run.best["val_confusion_matrix"] for run in group], 0)
    recall = matrix.diagonal() / np.maximum(matrix.sum(1), 1)
    present, classes = matrix.sum(1) > 0, list(group[0].best["val_per_class"])
    lines = [
        f"{name}, {count_folds(group)} folds together: accuracy {matrix.trace() / matrix.sum():.2%} of "
        f"{matrix.sum()} images, balanced accuracy {recall[present].mean():.2%}, "
        f"macro F1 {f1_scores(matrix)[present].mean():.2%}"
    ]
    if any(run.config.get("select") != "last" for run in group):
        lines.append(
            "The best epoch was chosen on the fold itself: these figures are too high; train with --select last."
        )
    header = ["true \\ predicted", *classes]
    rows = [[classes[i], *map(str, row)] for i, row in enumerate(matrix.tolist())]
    return "\n\n".join([*lines, to_markdown([header, *rows])])
