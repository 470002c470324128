"""Faces and results: equal by value, and as plain values for JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fer.faces.quality import Quality
from fer.results.types import Face, ImageResult

NAN = float("nan")
QUALITY = Quality(2.0, 1.0, 0.5, NAN, NAN, NAN)
PROBS = {"neutral": 0.25, "anger": 0.75}


def face() -> Face:
    return Face(
        np.array([1.0, 2, 3, 4]), np.ones((5, 2)), float("nan"), dict(PROBS), "", True, 3, np.ones((2, 3, 3)), QUALITY
    )


def result() -> ImageResult:
    return ImageResult("a.jpg", [face()], "", np.zeros((2, 2, 3), np.uint8), 4, 0.5, False, "fake")


def test_equal_values_are_equal_also_where_they_are_nan():
    assert face() == face() and result() == result()


@pytest.mark.parametrize(
    ("made", "changes"),
    [
        (face, {"box": np.zeros(4)}),
        (face, {"landmarks": None}),
        (face, {"detection_score": 0.9}),
        (face, {"probs": {"neutral": 1.0, "anger": 0.0}}),
        (face, {"unsure": "too dark"}),
        (face, {"aligned": False}),
        (face, {"track": None}),
        (face, {"attention": np.zeros((2, 3, 3))}),
        (face, {"attention": np.ones((1, 3, 3))}),  # of another shape
        (face, {"quality": None}),
        (face, {"quality": replace(QUALITY, yaw=3.0)}),
        (result, {"path": "b.jpg"}),
        (result, {"faces": []}),
        (result, {"error": "damaged"}),
        (result, {"image": None}),
        (result, {"frame": None}),
        (result, {"time": 0.0}),
        (result, {"repeated": True}),
        (result, {"detector": ""}),
    ],
)
def test_one_other_value_makes_the_difference(made, changes):
    assert replace(made(), **changes) != made()


def test_other_things_are_never_equal():
    assert face() != "face" and result() != face()


def test_plain_values():
    told = json.loads(json.dumps(result().to_dict(), allow_nan=False))
    assert told == {
        "path": "a.jpg",
        "error": "",
        "frame": 4,
        "time": 0.5,
        "detector": "fake",
        "faces": [
            {
                "box": [1.0, 2.0, 3.0, 4.0],
                "landmarks": [[1.0, 1.0]] * 5,
                "detection_score": None,  # JSON has no NaN
                "label": "anger",
                "confidence": 0.75,
                "unsure": "",
                "quality": {"size": 2, "sharpness": 1, "brightness": 0.5, "yaw": None, "pitch": None, "roll": None},
                "probs": PROBS,
                "valence": None,
                "arousal": None,
                "aligned": True,
                "track": 3,
            }
        ],
    }
    assert replace(face(), landmarks=None, detection_score=0.5).to_dict()["landmarks"] is None
    assert replace(face(), quality=None).to_dict()["quality"] is None
    told = replace(face(), valence=0.5, arousal=-0.25).to_dict()
    assert (told["valence"], told["arousal"]) == (0.5, -0.25)
