"""Figures of merit of a classifier, from its probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from ..distributed import gather_shards, rank
from ..models.attention import attention_overlap
from ..runtimes.networks import Network
from ..terminal import progress
from .calibration import expected_calibration_error


class Predictions(NamedTuple):
    """What a network says of a split."""

    logits: np.ndarray  # [N,C]
    targets: np.ndarray  # [N,C]
    attention: np.ndarray  # [N,K,h,w]


def predict(network: Network, loader: DataLoader, *, flip: bool = False) -> Predictions:
    """The network's logits over `loader`, with the targets, all float32; several processes share the work.

    Args:
        flip: average the logits with those of the mirrored image.
    """
    parts = []
    for images, target in progress(loader, desc="evaluate", unit="batch", leave=False, disable=rank() > 0):
        crops = images.numpy()
        logits, attention = network(crops)
        if flip:
            logits = (logits + network(np.ascontiguousarray(crops[:, :, ::-1]))[0]) / 2
        parts.append((torch.from_numpy(logits), target, torch.from_numpy(attention)))
    return Predictions(*(gather_shards(torch.cat(part)).numpy() for part in zip(*parts)))


def summarize_attention(attention: np.ndarray) -> dict:
    """Attention maps [N,K,h,w] -> their mean overlap, and the mean map of each head [K,h,w], of mean 1."""
    maps = attention.mean(0)
    return {
        "attention_overlap": float(attention_overlap(torch.from_numpy(attention)).mean()),
        "attention": np.round(maps / np.maximum(maps.mean((1, 2), keepdims=True), 1e-12), 3).tolist(),
    }


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows whose largest logit is the largest target; both [N,C]. NaN for N = 0."""
    return float((logits.argmax(1) == targets.argmax(1)).mean()) if len(logits) else float("nan")


def without_duplicates(logits: np.ndarray, targets: np.ndarray, leaked: np.ndarray) -> dict:
    """Accuracy and number of the rows that are not `leaked` [N]; the accuracy is None where none is left."""
    clean = ~leaked
    return {
        "accuracy_without_duplicates": accuracy(logits[clean], targets[clean]) if clean.any() else None,
        "n_without_duplicates": int(clean.sum()),
    }


def agreement(logits: np.ndarray, targets: np.ndarray) -> dict:
    """Where the targets [N,C] are shares of votes: how predictions fare with the voters. Empty for one-hot targets.

    The shares are those of the targets; of FER+'s rules only `all` keeps every vote.

    Returns:
        share_of_votes: mean share of the votes for the predicted class; best_share_of_votes: the most that any
        predictions could reach; by_agreement: number and accuracy of the images whose leading class has more than
        `above` and at most `up_to` of the votes.
    """
    top = targets.max(1)
    if (top == 1).all():
        return {}
    predicted = logits.argmax(1)
    hits = predicted == targets.argmax(1)
    tenths = np.clip(np.ceil(np.round(10 * top, 3)), 5, 10)  # of a vote of ten; float32 is not exact
    return {
        "share_of_votes": float(targets[np.arange(len(targets)), predicted].mean()),
        "best_share_of_votes": float(top.mean()),
        "by_agreement": [
            {
                "above": (t - 1) / 10 if t > 5 else 0.0,
                "up_to": t / 10,
                "n": int(inside.sum()),
                "accuracy": float(hits[inside].mean()),
            }
            for t, inside in ((t, tenths == t) for t in range(5, 11))
            if inside.any()
        ],
    }


def confusion_matrix(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Counts [C,C]: rows are true classes, columns predicted ones."""
    matrix = np.zeros((targets.shape[1],) * 2, int)
    np.add.at(matrix, (targets.argmax(1), logits.argmax(1)), 1)
    return matrix


def summarize(logits: np.ndarray, targets: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Accuracy, balanced accuracy (mean recall), macro-F1, negative log-likelihood, calibration error, a table per class.

    Classes without an image have recall None and are left out of the means.
    """
    matrix = confusion_matrix(logits, targets)
    true, predicted, hits = matrix.sum(1), matrix.sum(0), matrix.diagonal()
    present = true > 0
    recall = hits / np.maximum(true, 1)
    precision = hits / np.maximum(predicted, 1)
    f1 = 2 * hits / np.maximum(true + predicted, 1)
    log_probs = torch.log_softmax(torch.from_numpy(logits), 1).numpy()
    return {
        "accuracy": accuracy(logits, targets),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "negative_log_likelihood": float(-(targets * log_probs).sum(1).mean()),
        "expected_calibration_error": expected_calibration_error(logits, targets),
        "n": len(logits),
        "per_class": {
            name: {
                "n": int(true[c]),
                "recall": float(recall[c]) if present[c] else None,
                "precision": float(precision[c]) if predicted[c] else None,
                "f1": float(f1[c]) if present[c] else None,
            }
            for c, name in enumerate(classes)
        },
        "confusion_matrix": matrix.tolist(),
    }
