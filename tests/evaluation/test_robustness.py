"""Figures on corrupted images."""

import numpy as np
import pytest

from conftest import make_ferplus
from fer.evaluation.corruptions import CORRUPTIONS, corrupt_samples
from fer.evaluation.evaluate import load_subject, measure, predict_samples, predict_subject
from fer.evaluation.request import EvaluationRequest
from fer.evaluation.robustness import apply_limits, format_robustness, measure_robustness, plot_robustness
from fer.io.images import read_image
from fer.resources import DEFAULT_WEIGHTS


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    data = make_ferplus(tmp_path_factory.mktemp("data"), {"FER2013Valid": 16})
    return load_subject(EvaluationRequest(DEFAULT_WEIGHTS, "ferplus", data, "val"))


def test_a_row_for_each_corruption_and_strength(subject, tmp_path):
    clean = predict_subject(subject)
    rows = [row for row, _ in measure_robustness(subject, clean)]
    expected = [("none", 0), *((c.name, s) for c in CORRUPTIONS for s in c.strengths)]
    assert [(r.corruption, r.strength) for r in rows] == expected
    assert rows[0].accuracy == measure(clean).metrics.accuracy
    for row in rows:
        assert row.n == 16 and row.accuracy in row.accuracy_interval and row.n_without_face is None
    same = next(r for r in rows if (r.corruption, r.strength) == ("low resolution", 48))  # the images have 48 pixels
    assert same.accuracy == rows[0].accuracy
    text = format_robustness(rows)
    assert len(text.splitlines()) == 1 + len(rows) and f"{rows[-1].accuracy:.2%}" in text
    plot_robustness(rows, tmp_path / "r.png", "t")
    assert read_image(tmp_path / "r.png").shape[2] == 3


def test_a_row_is_that_of_the_corrupted_images(subject):
    blur = CORRUPTIONS[0]
    places = np.reshape(subject.description.template, (-1, 2))
    split = predict_samples(subject, corrupt_samples(subject.samples, blur, blur.strengths[2], places))
    row = next(
        r
        for r, _ in measure_robustness(subject, predict_subject(subject))
        if (r.corruption, r.strength) == (blur.name, blur.strengths[2])
    )
    assert row.accuracy == measure(split).metrics.accuracy
    assert row.expected_calibration_error == measure(split).metrics.expected_calibration_error
    clean = predict_subject(subject)
    assert np.abs(split.predictions.logits - clean.predictions.logits).max() > 0.01


def test_limits_are_a_reason_to_be_unsure_beside_the_confidence(subject):
    row, qualities = next(measure_robustness(subject, predict_subject(subject)))
    assert row.unsure == row.low_confidence == (~qualities.sure).mean()
    size = np.median(qualities.values["size"]) + 1  # all images have one size
    limited = apply_limits(row, qualities, {"size": size})
    assert (limited.unsure, limited.accuracy_when_sure, limited.low_confidence) == (1.0, None, row.low_confidence)
    dark = np.median(qualities.values["brightness"])
    limited, sure = apply_limits(row, qualities, {"brightness": dark}), qualities.values["brightness"] >= dark
    assert limited.unsure == 1 - (sure & qualities.sure).mean()
    assert limited.accuracy_when_sure == qualities.correct[sure & qualities.sure].mean()
