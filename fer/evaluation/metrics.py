"""Metrics of a classifier: accuracy, recall, precision, F1, agreement with voters, attention.

PyTorch is needed only to run a network on a loader and to summarise its attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..runtimes.types import Network
from ..terminal import progress
from .calibration import expected_calibration_error
from .intervals import Interval, bootstrap

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


class Predictions(NamedTuple):
    """The outputs of a network for N images, and their targets."""

    logits: np.ndarray  # [N,C]
    targets: np.ndarray  # [N,C]
    attention: np.ndarray  # [N,K,h,w]
    va: np.ndarray | None = None  # valence and arousal [N,2]; None where the network does not give them


def predict(network: Network, loader: DataLoader, *, flip: bool = False) -> Predictions:
    """Run a network on all batches of a loader. Under torchrun, the processes share the work.

    Args:
        loader: gives prepared crops, uint8 [N,S,S,1 or 3], and targets [N,C].
        flip: average the logits, and valence and arousal, with those of the mirrored image.

    Returns:
        float32 arrays for the whole split, in each process.
    """
    import torch

    from ..distributed import gather_shards, rank

    parts = []
    for images, target in progress(loader, desc="evaluate", unit="batch", leave=False, disable=rank() > 0):
        crops = images.numpy()
        logits, attention, _, va = network(crops)
        if flip:
            mirrored = network(np.ascontiguousarray(crops[:, :, ::-1]))
            logits = (logits + mirrored.logits) / 2
            va = None if va is None else (va + mirrored.va) / 2
        arrays = [logits, target.numpy(), attention] + ([] if va is None else [va])
        parts.append([torch.from_numpy(array) for array in arrays])
    return Predictions(*(gather_shards(torch.cat(part)).numpy() for part in zip(*parts)))


@dataclass
class AttentionSummary:
    """The attention of the heads, averaged over many images."""

    attention_overlap: float  # mean of `fer.models.attention.attention_overlap`
    attention: list[list[list[float]]]  # mean map of each head [K,h,w], scaled to a mean of 1


def summarize_attention(attention: np.ndarray) -> AttentionSummary:
    """Compute the mean overlap and the mean maps of attention maps [N,K,h,w]."""
    import torch

    from ..models.attention import attention_overlap

    maps = attention.mean(0)
    return AttentionSummary(
        float(attention_overlap(torch.from_numpy(attention)).mean()),
        np.round(maps / np.maximum(maps.mean((1, 2), keepdims=True), 1e-12), 3).tolist(),
    )


def is_correct(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether the predicted class has the largest target: logits and targets [N,C] -> bool [N]."""
    return logits.argmax(1) == targets.argmax(1)


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Accuracy of logits [N,C] for targets [N,C]: share of the images whose predicted class has the largest target.

    NaN for N = 0.
    """
    return float(is_correct(logits, targets).mean()) if len(logits) else float("nan")


def without_duplicates(logits: np.ndarray, targets: np.ndarray, leaked: np.ndarray | None) -> dict:
    """Accuracy and number of the images that are not `leaked`, as fields of `Evaluation`.

    Args:
        leaked: bool [N]; None if unknown, then both are None. The accuracy is also None if all images are leaked.
    """
    if leaked is None:
        return {"accuracy_without_duplicates": None, "n_without_duplicates": None}
    clean = ~leaked
    return {
        "accuracy_without_duplicates": accuracy(logits[clean], targets[clean]) if clean.any() else None,
        "n_without_duplicates": int(clean.sum()),
    }


@dataclass
class AgreementBin:
    """The images whose most frequent vote has a share of the votes in (above, up_to]."""

    above: float
    up_to: float
    n: int
    accuracy: float


@dataclass
class VoterAgreement:
    """Predictions beside the votes of the people who labelled the images."""

    share_of_votes: float  # mean share of the votes for the predicted class
    best_share_of_votes: float  # the largest mean share that any predictions could reach
    accuracy: float  # of the predictions: the true class is that of the targets
    voter_accuracy: float  # of a single voter drawn from the votes, who took part in deciding what is true
    cross_entropy: float  # of the predicted probabilities with the shares of the votes, in nats
    entropy_of_votes: float  # the least cross-entropy that any probabilities could reach
    kl_divergence: float  # the difference
    by_agreement: list[AgreementBin]


def voter_agreement(logits: np.ndarray, targets: np.ndarray, votes: np.ndarray) -> VoterAgreement:
    """The agreement of logits, already divided by the temperature, with the shares of the votes; all [N,C]."""
    top, truth = votes.max(1), targets.argmax(1)
    predicted = logits.argmax(1)
    hits = predicted == truth
    rows = np.arange(len(votes))
    cross_entropy = float(-(votes * log_softmax(logits)).sum(1).mean())
    entropy = float(-(votes * np.log(np.where(votes > 0, votes, 1))).sum(1).mean())
    tenths = np.clip(np.ceil(np.round(10 * top, 3)), 5, 10)  # upper end of the bin; float32 is not exact
    bins = ((t, tenths == t) for t in range(5, 11))
    return VoterAgreement(
        float(votes[rows, predicted].mean()),
        float(top.mean()),
        float(hits.mean()),
        float(votes[rows, truth].mean()),
        cross_entropy,
        entropy,
        cross_entropy - entropy,
        [
            AgreementBin((t - 1) / 10 if t > 5 else 0.0, t / 10, int(inside.sum()), float(hits[inside].mean()))
            for t, inside in bins
            if inside.any()
        ],
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logits [N,C] -> logarithms of the probabilities [N,C]."""
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def confusion_matrix(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Confusion matrix [C,C] of logits [N,C] and targets [N,C]: counts, with true classes as rows."""
    matrix = np.zeros((targets.shape[1],) * 2, int)
    np.add.at(matrix, (targets.argmax(1), logits.argmax(1)), 1)
    return matrix


def f1_scores(matrix: np.ndarray) -> np.ndarray:
    """The F1 score of each class [C], from its confusion matrix; 0 for a class that is neither true nor predicted."""
    return 2 * matrix.diagonal() / np.maximum(matrix.sum(0) + matrix.sum(1), 1)


@dataclass
class ClassMetrics:
    """Metrics of one class. Recall and F1 are None if it has no image, precision is None if it is never predicted."""

    n: int  # number of images
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass
class Metrics:
    """Metrics of predictions on a split."""

    accuracy: float
    balanced_accuracy: float  # mean recall of the classes that have images
    macro_f1: float  # mean F1 of the classes that have images
    negative_log_likelihood: float
    expected_calibration_error: float
    n: int  # number of images
    per_class: dict[str, ClassMetrics]
    confusion_matrix: list[list[int]]  # rows are true classes, columns predicted ones


def summarize(logits: np.ndarray, targets: np.ndarray, classes: tuple[str, ...]) -> Metrics:
    """Compute the metrics of logits [N,C], already divided by the temperature, and targets [N,C]."""
    matrix = confusion_matrix(logits, targets)
    true, predicted, hits = matrix.sum(1), matrix.sum(0), matrix.diagonal()
    present = true > 0
    recall = hits / np.maximum(true, 1)
    precision = hits / np.maximum(predicted, 1)
    f1 = f1_scores(matrix)
    return Metrics(
        accuracy=accuracy(logits, targets),
        balanced_accuracy=float(recall[present].mean()),
        macro_f1=float(f1[present].mean()),
        negative_log_likelihood=float(-(targets * log_softmax(logits)).sum(1).mean()),
        expected_calibration_error=expected_calibration_error(logits, targets),
        n=len(logits),
        per_class={
            name: ClassMetrics(
                int(true[c]),
                float(recall[c]) if present[c] else None,
                float(precision[c]) if predicted[c] else None,
                float(f1[c]) if present[c] else None,
            )
            for c, name in enumerate(classes)
        },
        confusion_matrix=matrix.tolist(),
    )


def balanced(correct: np.ndarray, truth: np.ndarray) -> float:
    """Mean recall of the classes that occur in `truth` [N]."""
    counts = np.bincount(truth)
    return float((np.bincount(truth, correct, len(counts))[counts > 0] / counts[counts > 0]).mean())


def measure_intervals(logits: np.ndarray, targets: np.ndarray, leaked: np.ndarray | None = None) -> dict[str, Interval]:
    """Bootstrap intervals of the headline figures, over the images."""
    correct, truth = is_correct(logits, targets), targets.argmax(1)

    def figures(rows: np.ndarray) -> dict[str, float]:
        return {
            "accuracy": float(correct[rows].mean()),
            "balanced_accuracy": balanced(correct[rows], truth[rows]),
            "macro_f1": float(f1_scores(confusion_matrix(logits[rows], targets[rows]))[np.unique(truth[rows])].mean()),
            "expected_calibration_error": expected_calibration_error(logits[rows], targets[rows]),
        }

    intervals = bootstrap(figures, len(logits))
    if leaked is not None and not leaked.all():
        clean = correct[~leaked]
        intervals |= bootstrap(lambda rows: {"accuracy_without_duplicates": float(clean[rows].mean())}, len(clean))
    return intervals
