"""Probabilities for another mix of classes, against Bayes' rule."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fake_detector import FakeDetector
from fer.description import Description
from fer.inference.classifier import FaceClassifier
from fer.inference.recognizer import EmotionRecognizer
from fer.preprocessing import Preprocessing
from fer.prior import parse_prior

SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}
DESCRIPTION = Description("x", 1, ("a", "b", "c"), Preprocessing(), [], temperature=2.0, class_shares=SHARES)
NEW = {"c": 2, "a": 1, "b": 1}  # counts are fine as well


def naive(probs: dict[str, float], new: dict[str, float], strength: float) -> list[float]:
    weighted = [probs[name] * (new[name] / sum(new.values()) / SHARES[name]) ** strength for name in "abc"]
    return [value / sum(weighted) for value in weighted]


@pytest.mark.parametrize(
    ("text", "new", "strength"),
    [
        ("trained", SHARES, 1.0),
        ("trained:0.5", SHARES, 1.0),
        ("even", dict.fromkeys("abc", 1), 1.0),
        ("even:1", dict.fromkeys("abc", 1), 1.0),
        ("even:0.5", dict.fromkeys("abc", 1), 0.5),
        ("even:.25", dict.fromkeys("abc", 1), 0.25),
        ("even:0", SHARES, 1.0),
        ("new.json", NEW, 1.0),
        ("new.json:0.5", NEW, 0.5),
        ("new.yaml", NEW, 1.0),
    ],
)
def test_probabilities_follow_bayes(tmp_path, monkeypatch, text, new, strength):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.json").write_text(json.dumps(NEW))
    (tmp_path / "new.yaml").write_text("a: 1\nb: 1\nc: 2\n")
    logits = np.array([[1.0, 0.5, -2.0], [0.0, 3.0, 2.0]], np.float32)
    trained = FaceClassifier(None, DESCRIPTION).to_probs(logits)
    probs = FaceClassifier(None, DESCRIPTION, prior=text).to_probs(logits)
    expected = [naive(dict(zip("abc", row)), new, strength) for row in trained.tolist()]
    np.testing.assert_allclose(probs, expected, rtol=1e-5)
    assert probs.dtype == np.float32


def test_a_class_of_share_0_is_not_predicted(tmp_path):
    (tmp_path / "new.yaml").write_text("a: 0\nb: 0.5\nc: 0.5\n")
    probs = FaceClassifier(None, DESCRIPTION, prior=str(tmp_path / "new.yaml")).to_probs(np.array([[5.0, 0.0, 0.0]]))
    assert probs[0, 0] < 1e-6 and np.isfinite(probs).all()


@pytest.mark.parametrize(
    ("text", "content", "message"),
    [
        ("", "", "--prior takes auto, trained, even or a file, perhaps with :STRENGTH of 0 to 1, not ''"),
        ("even:1.5", "", "--prior takes auto, trained, even or a file"),
        ("x.yaml", None, r"--prior x.yaml: not a readable JSON or YAML file \(No such file or directory\)"),
        ("x.yaml", "{", "--prior x.yaml: not a readable JSON or YAML file"),
        ("x.yaml", "3", r"--prior x.yaml: expected {class: share} with the classes a, b, c"),
        ("x.yaml", "{a: 1, b: 1}", "expected {class: share} with the classes a, b, c"),
        ("x.yaml", "{a: 1, b: 1, c: 1, d: 1}", "expected {class: share}"),
        ("x.yaml", "{a: 1, b: -1, c: 1}", "shares are numbers of at least 0, not all 0"),
        ("x.yaml", "{a: 1, b: much, c: 1}", "shares are numbers of at least 0"),
        ("x.yaml", "{a: 1, b: .nan, c: 1}", "shares are numbers of at least 0"),
        ("x.yaml", "{a: 1, b: .inf, c: 1}", "shares are numbers of at least 0"),
        ("x.yaml", "{a: 0, b: 0, c: 0}", "not all 0"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, text, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        parse_prior(text, DESCRIPTION)


def test_what_the_checkpoint_must_know():
    with pytest.raises(ValueError, match="--prior even: this checkpoint does not hold the class shares"):
        parse_prior("even", replace(DESCRIPTION, class_shares={}))
    with pytest.raises(ValueError, match="--prior even:0.5: there was no b in the training"):
        parse_prior("even:0.5", replace(DESCRIPTION, class_shares={"a": 0.5, "b": 0.0, "c": 0.5}))
    assert not parse_prior("trained", replace(DESCRIPTION, class_shares={})).any()


def test_a_recogniser_takes_a_prior():
    recognizer = EmotionRecognizer(None, DESCRIPTION, FakeDetector(), prior="even")
    assert recognizer.classifier.adjustment.argmax() == 2


def test_the_checkpoint_names_the_default():
    described = replace(DESCRIPTION, prior="even:0.5")
    expected = parse_prior("even:0.5", DESCRIPTION)
    np.testing.assert_array_equal(EmotionRecognizer(None, described, FakeDetector()).classifier.adjustment, expected)
    assert expected.any() and not FaceClassifier(None, described, prior="trained").adjustment.any()
    assert not FaceClassifier(None, DESCRIPTION).adjustment.any()
