"""Linear classifiers, against closed forms and clear cases."""

import numpy as np
import pytest

from fer.fitting.classifier import FOLDS, cross_validate, fit_classifier, make_folds

pytest.importorskip("sklearn", reason="fitting needs scikit-learn: pip install 'dan-fer[fit]'")
rng = np.random.default_rng(0)


def make_faces(n: int, classes: int, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of classes whose means are `distance` standard deviations from the origin, on scales of 1 to 1000."""
    labels = np.arange(n) % classes
    return (rng.normal(size=(n, 6)) + distance * np.eye(6)[labels]) * np.logspace(0, 3, 6), labels


@pytest.mark.parametrize("classes", [2, 3])
def test_clear_classes_are_told_apart(classes):
    x, labels = make_faces(60, classes, 8)
    classifier = fit_classifier(x, labels, np.arange(60))
    assert classifier.weight.shape == (classes, 6) and classifier.weight.dtype == np.float32
    assert classifier.weight.flags.c_contiguous  # as files need it
    assert (classifier(x).argmax(1) == labels).all()
    assert (cross_validate(x, labels, np.arange(60)).argmax(1) == labels).all()


def test_what_cannot_be_told_apart_is_not():
    """Cross-validated, noise is as good as chance, and its probabilities are near those of the classes."""
    x, labels = rng.normal(size=(300, 40)), np.arange(300) % 3
    logits = cross_validate(x, labels, np.arange(300))
    assert abs((logits.argmax(1) == labels).mean() - 1 / 3) < 0.1
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.abs(probs - 1 / 3).mean() < 0.1


def test_a_person_is_never_on_both_sides():
    labels, persons = np.arange(90) % 3, np.arange(90) // 6
    folds = list(make_folds(labels, persons))
    assert len(folds) == FOLDS and sorted(np.concatenate([test for _, test in folds])) == list(range(90))
    assert all(not set(persons[train]) & set(persons[test]) for train, test in folds)


def test_persons_who_are_recognised_give_no_accuracy():
    """Each person has one label by chance: within persons it is known, for others it is not."""
    persons = np.repeat(np.arange(30), 10)
    labels = (np.arange(30) % 2)[persons]
    x = 5 * np.eye(30)[persons] + 0.1 * rng.normal(size=(300, 30))
    assert (cross_validate(x, labels, np.arange(300)).argmax(1) == labels).mean() > 0.95
    assert (cross_validate(x, labels, persons).argmax(1) == labels).mean() < 0.7


def test_few_faces():
    x, labels = make_faces(4, 2, 8)
    assert len(list(make_folds(labels, np.arange(4)))) == 2
    assert list(make_folds(labels, np.array([0, 1, 2, 1]))) == []  # the second class has one person
    with pytest.raises(ValueError, match="cannot be divided"):
        cross_validate(x, labels, np.array([0, 1, 2, 1]))
    assert (fit_classifier(x, labels, np.array([0, 1, 2, 1]))(x).argmax(1) == labels).all()  # without a choice
