from dataclasses import asdict

import numpy as np
import pytest
from sklearn import metrics as reference

from fer.evaluation.metrics import accuracy, summarize, summarize_attention, voter_agreement

rng = np.random.default_rng(0)
CLASSES = ("a", "b", "c", "d")


def test_every_figure_agrees_with_scikit_learn():
    logits, labels = rng.normal(size=(60, 4)), rng.integers(4, size=60)
    predicted, targets = logits.argmax(1), np.eye(4)[labels]
    figures = asdict(summarize(logits, targets, CLASSES))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert figures["n"] == 60
    assert figures["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert figures["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert figures["macro_f1"] == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    assert figures["negative_log_likelihood"] == pytest.approx(reference.log_loss(labels, probs))
    assert figures["confusion_matrix"] == reference.confusion_matrix(labels, predicted).tolist()
    table = reference.precision_recall_fscore_support(labels, predicted)
    for c, name in enumerate(CLASSES):
        row = figures["per_class"][name]
        assert (row["precision"], row["recall"], row["f1"], row["n"]) == pytest.approx(tuple(t[c] for t in table))


def test_a_class_without_an_image_is_left_out_of_the_means():
    labels = np.array([0, 0, 1, 1])
    figures = asdict(summarize(5 * np.eye(4)[[0, 1, 1, 1]], np.eye(4)[labels], CLASSES))
    assert figures["balanced_accuracy"] == pytest.approx(0.75)
    assert figures["per_class"]["c"] == {"n": 0, "recall": None, "precision": None, "f1": None}


def test_no_image_has_no_accuracy():
    assert np.isnan(accuracy(np.empty((0, 4)), np.empty((0, 4))))


def test_predictions_are_compared_with_the_votes():
    targets = np.array([[0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.4, 0.6, 0], [0.4, 0.3, 0.3]], np.float32)
    figures = asdict(voter_agreement(5 * np.eye(3)[[0, 1, 1, 0]], targets, targets))
    assert figures["share_of_votes"] == pytest.approx((0.9 + 0.3 + 0.6 + 0.4) / 4)
    assert figures["best_share_of_votes"] == pytest.approx((0.9 + 0.6 + 0.6 + 0.4) / 4)
    assert figures["by_agreement"] == [
        {"above": 0.0, "up_to": 0.5, "n": 1, "accuracy": 1.0},
        {"above": 0.5, "up_to": 0.6, "n": 2, "accuracy": 0.5},
        {"above": 0.8, "up_to": 0.9, "n": 1, "accuracy": 1.0},
    ]


def test_predictions_beside_a_single_voter():
    """Two images; the votes say more than the majority."""
    votes = np.array([[0.75, 0.25, 0], [0.5, 0, 0.5]])
    figures = voter_agreement(np.log([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]), np.eye(3)[[0, 0]], votes)
    assert (figures.accuracy, figures.voter_accuracy) == (0.5, pytest.approx(0.625))
    cross_entropy = -(0.75 * np.log(0.6) + 0.25 * np.log(0.3) + 0.5 * np.log(0.2) + 0.5 * np.log(0.6)) / 2
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25) + np.log(0.5)) / 2
    assert figures.cross_entropy == pytest.approx(cross_entropy)
    assert figures.entropy_of_votes == pytest.approx(entropy)
    assert figures.kl_divergence == pytest.approx(cross_entropy - entropy)


def test_attention_is_summed_up_over_images():
    """Two images, two heads on a line of two positions; a mean map has mean 1."""
    attention = np.array([[[[2.0, 0.0]], [[0.0, 4.0]]], [[[2.0, 0.0]], [[4.0, 0.0]]]], np.float32)
    figures = asdict(summarize_attention(attention))
    assert figures["attention_overlap"] == pytest.approx(0.5)  # apart in the first image, alike in the second
    assert figures["attention"] == [[[2.0, 0.0]], [[1.0, 1.0]]]
