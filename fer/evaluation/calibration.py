"""Calibration: temperature scaling, calibration error, and the threshold below which predictions are unsure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SELECTIVE_ACCURACY = 0.9  # of the predictions that are not unsure
EVEN_CHANCE = 0.5  # with a lower calibrated confidence, a prediction is more likely wrong than right


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits [N,C] -> probabilities [N,C]."""
    exp = np.exp(logits - logits.max(1, keepdims=True))
    return exp / exp.sum(1, keepdims=True)


def _confidence(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The confidence (largest probability) of each prediction, and whether the prediction is correct; both [N]."""
    probs = softmax(logits)
    return probs.max(1), probs.argmax(1) == targets.argmax(1)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Fit the temperature (Guo et al. 2017, arXiv:1706.04599) of logits [N,C] to targets [N,C].

    The temperature, 0.05 to 20, minimises the cross-entropy of logits / temperature with the targets. The cross-entropy
    is convex in 1 / temperature, so the zero of its derivative is found by bisection.
    """
    low, high = 0.05, 20.0
    for _ in range(50):
        middle = (low * high) ** 0.5
        slope = ((softmax(logits / middle) - targets) * logits).sum(1).mean()  # derivative by 1 / temperature
        low, high = (middle, high) if slope > 0 else (low, middle)
    return float(middle)


@dataclass
class ReliabilityBin:
    """The predictions whose confidence falls into one bin."""

    n: int  # number of predictions
    confidence: float  # their mean confidence
    accuracy: float


def reliability(logits: np.ndarray, targets: np.ndarray, bins: int = 15) -> list[ReliabilityBin]:
    """The reliability diagram of logits [N,C] and targets [N,C]: bins of equal width, without the empty ones."""
    confidence, correct = _confidence(logits, targets)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean()))
        for inside in (index == b for b in range(bins))
        if inside.any()
    ]


def expected_calibration_error(logits: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of logits [N,C] and targets [N,C] (Guo et al. 2017).

    The mean difference between confidence and accuracy over the bins of `reliability`, weighted by their sizes.
    """
    table = reliability(logits, targets, bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in table) / max(1, len(logits))


def unsure_threshold(logits: np.ndarray, targets: np.ndarray, accuracy: float = SELECTIVE_ACCURACY) -> float:
    """The confidence below which predictions are unsure.

    This is the lowest threshold for which the predictions of at least that confidence reach `accuracy`, but at least
    EVEN_CHANCE. It is 1 if no threshold reaches `accuracy`.

    Args:
        logits: [N,C], already divided by the temperature.
        targets: [N,C].
        accuracy: the accuracy to reach, 0 to 1.
    """
    confidence, correct = _confidence(logits, targets)
    order = np.argsort(-confidence, kind="stable")
    accuracies = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)  # of the 1, 2, ... most confident predictions
    good = np.flatnonzero(accuracies >= accuracy)
    return max(EVEN_CHANCE, float(confidence[order][good[-1]])) if len(good) else 1.0


@dataclass
class SelectiveAccuracy:
    """The accuracy without the unsure predictions, those of low confidence (selective prediction)."""

    unsure_below: float  # threshold of the confidence
    unsure: float  # share of the predictions below the threshold
    accuracy_when_sure: float | None  # accuracy of the other predictions; None if there is none


def selective(logits: np.ndarray, targets: np.ndarray, threshold: float) -> SelectiveAccuracy:
    """The accuracy of the predictions whose confidence is at least `threshold`, from logits [N,C] and targets [N,C]."""
    confidence, correct = _confidence(logits, targets)
    sure = confidence >= threshold
    return SelectiveAccuracy(threshold, float(1 - sure.mean()), float(correct[sure].mean()) if sure.any() else None)


@dataclass
class SelectiveCurve:
    """Risk against coverage: the errors among the most confident predictions, by how many they are.

    Geifman and El-Yaniv 2017, arXiv:1705.08500.
    """

    coverage: list[float]  # share of the images, rising to 1
    risk: list[float]  # error rate among them
    area: float  # under the curve over all coverages; 0 is perfect
    coverage_at_95: float  # the largest coverage at which 95 % are right


def selective_curve(logits: np.ndarray, targets: np.ndarray, points: int = 200) -> SelectiveCurve:
    """The curve of logits, already divided by the temperature, at about `points` coverages."""
    confidence, correct = _confidence(logits, targets)
    n = len(correct)
    right = correct[np.argsort(-confidence, kind="stable")]
    risk = 1 - np.cumsum(right) / np.arange(1, n + 1)
    good = np.flatnonzero(risk <= 0.05)
    shown = np.unique(np.linspace(0, n - 1, min(points, n)).astype(int)) if n else np.empty(0, int)
    return SelectiveCurve(
        [float(v) for v in (shown + 1) / max(1, n)],
        [float(v) for v in risk[shown]],
        float(risk.mean()) if n else float("nan"),
        float((good[-1] + 1) / n) if len(good) else 0.0,
    )


def cross_fitted_error(logits: np.ndarray, targets: np.ndarray) -> float:
    """Expected calibration error after temperature scaling, by two-fold cross-fitting.

    The temperature is fitted on one half of the images and applied to the other, and the reverse.
    """
    halves = np.arange(len(logits)) % 2 == 0
    scaled = np.empty_like(logits)
    for half in (halves, ~halves):
        scaled[half] = logits[half] / fit_temperature(logits[~half], targets[~half])
    return expected_calibration_error(scaled, targets)
