from dataclasses import asdict

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from fer.evaluation.calibration import (
    cross_fitted_error,
    expected_calibration_error,
    fit_temperature,
    reliability,
    selective,
    selective_curve,
    softmax,
    unsure_threshold,
)

rng = np.random.default_rng(0)


def calibrated(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n,4] whose softmax is the true probability of the classes, and one-hot targets drawn from it."""
    logits = 2 * rng.normal(size=(n, 4))
    drawn = [rng.choice(4, p=p) for p in softmax(logits)]
    return logits, np.eye(4)[drawn]


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_the_temperature_undoes_a_factor_and_minimises_the_log_loss(factor):
    logits, targets = calibrated()
    fitted = fit_temperature(factor * logits, targets)
    assert fitted == pytest.approx(factor, rel=0.1)

    def loss(log_t):
        return log_loss(targets.argmax(1), softmax(factor * logits / np.exp(log_t)))

    assert fitted == pytest.approx(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x), rel=1e-3)


def test_vote_distributions_are_targets_too():
    logits, _ = calibrated(500)
    assert fit_temperature(3 * logits, softmax(logits)) == pytest.approx(3, rel=1e-6)


def test_calibration_error_against_a_loop():
    logits, targets = rng.normal(size=(200, 3)), np.eye(3)[rng.integers(3, size=200)]
    probs, expected = softmax(logits), 0.0
    for low in np.arange(10) / 10:
        inside = [i for i in range(200) if low <= probs[i].max() < low + 0.1]
        if inside:
            right = np.mean([probs[i].argmax() == targets[i].argmax() for i in inside])
            expected += len(inside) / 200 * abs(right - np.mean([probs[i].max() for i in inside]))
    assert expected_calibration_error(logits, targets, bins=10) == pytest.approx(expected)
    assert sum(row.n for row in reliability(logits, targets)) == 200


def test_calibration_error_at_its_edges():
    sure = 50 * np.eye(2)[[0, 0, 0, 0]]
    assert expected_calibration_error(sure, np.eye(2)[[0, 0, 0, 0]]) == pytest.approx(0)
    assert expected_calibration_error(sure, np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(0.5)
    assert expected_calibration_error(np.empty((0, 2)), np.empty((0, 2))) == 0


def test_cross_fitting_mends_overconfidence():
    logits, targets = calibrated()
    assert expected_calibration_error(4 * logits, targets) > 0.15
    assert cross_fitted_error(4 * logits, targets) < 0.04


def logits_of(confidence: list[float]) -> np.ndarray:
    return np.log(np.array([[c, 1 - c] for c in confidence]))


@pytest.mark.parametrize(
    ("confidence", "right", "accuracy", "threshold"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], 1.0, 0.8),
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.75, 0.6),  # lower ones may make up for it
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 1], 0.9, 0.6),  # none is unsure
        ([0.9, 0.8], [0, 0], 0.9, 1.0),  # all are
    ],
)
def test_the_threshold_is_the_lowest_that_keeps_the_accuracy(confidence, right, accuracy, threshold):
    logits, targets = logits_of(confidence), np.eye(2)[[1 - r for r in right]]
    found = unsure_threshold(logits, targets, accuracy)
    assert found == pytest.approx(threshold)
    figures = asdict(selective(logits, targets, found))
    kept = [r for c, r in zip(confidence, right) if c >= threshold]
    assert figures["unsure"] == pytest.approx(1 - len(kept) / len(right))
    assert figures["accuracy_when_sure"] == (pytest.approx(np.mean(kept)) if kept else None)


def test_less_than_an_even_chance_is_unsure_however_accurate():
    logits = np.log(np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3]]))
    assert unsure_threshold(logits, np.eye(3)[[0, 0]]) == 0.5


def test_risk_against_coverage():
    """Twenty images by falling confidence; the errors are the 10th and the 20th."""
    confidence = np.linspace(0.99, 0.6, 20)
    logits = np.stack([np.log(confidence), np.log(1 - confidence)], 1)
    targets = np.eye(2)[np.isin(np.arange(20), (9, 19)).astype(int)]
    curve = selective_curve(logits, targets)
    assert curve.coverage == pytest.approx(np.arange(1, 21) / 20)
    risk = np.array([*[0] * 9, *[1 / n for n in range(10, 20)], 2 / 20])
    assert curve.risk == pytest.approx(risk) and curve.area == pytest.approx(risk.mean())
    assert curve.coverage_at_95 == pytest.approx(9 / 20)  # 1 of 19 is wrong more often than 5 %


def test_a_curve_of_no_images():
    curve = selective_curve(np.empty((0, 2)), np.empty((0, 2)))
    assert (curve.coverage, curve.risk, curve.coverage_at_95) == ([], [], 0.0) and np.isnan(curve.area)
