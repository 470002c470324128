"""Limits of quality, on faces whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import make_ferplus
from fer.evaluation.corruptions import CORRUPTIONS, corrupt_samples
from fer.evaluation.evaluate import predict_split
from fer.evaluation.limits import POOLS, WINDOW, Qualities, are_within, find_limits, measure_qualities
from fer.evaluation.request import EvaluationRequest
from fer.inference.recognizer import EmotionRecognizer
from fer.resources import DEFAULT_WEIGHTS

N = 4000


def make_qualities(correct: np.ndarray, sure: bool | np.ndarray = True, **values: np.ndarray) -> Qualities:
    n = len(correct)
    return Qualities({name: np.full(n, np.nan) for name in POOLS} | values, np.broadcast_to(sure, n), correct)


@pytest.mark.parametrize(
    ("name", "values", "wrong_if", "expected"),
    [
        ("size", np.linspace(10, 50, N), lambda v: v < 20, 20),
        ("brightness", np.linspace(0, 1, N), lambda v: v < 0.25, 0.25),
        ("yaw", np.linspace(-60, 60, N), lambda v: np.abs(v) > 40, 40),  # to either side
    ],
)
def test_the_limit_lies_where_errors_begin(name, values, wrong_if, expected):
    shuffled = np.random.default_rng(0).permutation(values)
    limits = find_limits(make_qualities(~wrong_if(shuffled), **{name: shuffled}), [])
    assert limits == {name: pytest.approx(expected, rel=0.15)}


def test_corrupted_images_join_the_pool_of_their_quality():
    clean = make_qualities(np.ones(N, bool), size=np.linspace(30, 50, N), sharpness=np.linspace(1, 2, N))
    small = make_qualities(np.zeros(N, bool), size=np.linspace(5, 15, N), sharpness=np.linspace(0, 0.1, N))
    limits = find_limits(clean, [("low resolution", small)])
    assert list(limits) == ["size"] and 14 < limits["size"] < 31  # sharpness is measured on blurred images alone
    assert list(find_limits(clean, [("blur", small)])) == ["sharpness"]
    assert find_limits(clean, [("noise", small)]) == {}


def test_only_sure_predictions_count():
    size = np.linspace(0, 1, N)
    assert find_limits(make_qualities(size > 0.5, sure=size > 0.5, size=size), []) == {}


def test_few_faces_give_no_limit():
    size = np.linspace(0, 1, 2 * WINDOW - 1)
    assert find_limits(make_qualities(size > 0.5, size=size), []) == {}


def test_qualities_are_those_of_inference(tmp_path):
    data = make_ferplus(tmp_path / "data", {"FER2013Valid": 4})
    split = predict_split(EvaluationRequest(DEFAULT_WEIGHTS, "ferplus", data, "val"))
    recognizer = EmotionRecognizer.from_pretrained(detector="none", prior="trained")  # as in evaluation
    whole = measure_qualities(split)
    for i in range(4):
        (face,) = recognizer(split.samples.read(i))
        for name in ("size", "brightness", "sharpness"):
            assert whole.values[name][i] == pytest.approx(getattr(face.quality, name))
        assert np.isnan(whole.values["yaw"][i])
        assert whole.sure[i] == (face.confidence >= recognizer.description.unsure_below)


def test_the_size_is_that_to_which_a_face_was_reduced(tmp_path):
    """Images of crops of different sizes; and faces in photos, whose boxes tell their size."""
    data = make_ferplus(tmp_path / "data", {"FER2013Valid": 3})
    split = predict_split(EvaluationRequest(DEFAULT_WEIGHTS, "ferplus", data, "val"))
    (low,) = (c for c in CORRUPTIONS if c.name == "low resolution")
    images = [np.zeros((side, side, 3), np.uint8) for side in (20, 96, 300)]
    crops = replace(split.samples, images=images)
    boxes = np.array([[2, 2, 18, 18], [10, 20, 70, 80], [50, 50, 250, 150.0]])
    for samples, sizes in ((crops, (20, 24, 24)), (replace(crops, boxes=boxes), (16, 24, 12))):
        reduced = corrupt_samples(samples, low, 24, np.empty((0, 2)))
        assert measure_qualities(replace(split, faces=reduced)).values["size"] == pytest.approx(sizes)


def test_a_face_is_within_the_limits_unless_a_known_quality_is_beyond_one():
    values = {"size": np.array([10, 20, 30, np.nan]), "yaw": np.array([0, -50, 50, np.nan])}
    qualities = make_qualities(np.ones(4, bool), **values)
    for limits, expected in (
        ({"size": 20}, [False, True, True, True]),
        ({"size": 20, "yaw": 40}, [False, False, False, True]),
        ({"pitch": 1}, [True] * 4),
        ({}, [True] * 4),
    ):
        assert are_within(qualities, limits).tolist() == expected
