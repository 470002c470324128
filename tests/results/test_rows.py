"""A result as rows: one per face, or one that says why there is none."""

from dataclasses import replace

import numpy as np
import pytest

from fer.description import Description
from fer.faces.quality import Quality
from fer.preprocessing import Preprocessing
from fer.results.rows import COLUMNS, face_columns, to_rows
from fer.results.types import Face, ImageResult

CLASSES = ("neutral", "anger")
FACE = Face(np.array([1.04, 2, 3, 4.56]), None, 0.87654, {"neutral": 0.25, "anger": 0.75}, "", True, 2)
BLURRED = Quality(48.06, 0.1239, 0.5, *[float("nan")] * 3)
ROW = {
    **{"path": "a", "frame": None, "time": None, "face": 0, "track": 2, "status": "ok"},
    **{"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.6, "detection_score": 0.8765, "detector": "yunet", "aligned": True},
    **{"label": "anger", "confidence": 0.75, "unsure": None, "neutral": 0.25, "anger": 0.75},
    **dict.fromkeys(("size", "sharpness", "brightness", "yaw", "pitch", "roll")),
}


@pytest.mark.parametrize(
    ("result", "rows"),
    [
        # no face
        (
            ImageResult("a", [], detector="yunet"),
            [{"path": "a", "frame": None, "time": None, "status": "no_face", "detector": "yunet"}],
        ),
        # not read
        (
            ImageResult("a", [], "damaged", frame=3, time=0.12345),
            [{"path": "a", "frame": 3, "time": 0.123, "status": "error", "error": "damaged"}],
        ),
        (ImageResult("a", [FACE], detector="yunet"), [ROW]),
        # an unsure face, whose quality was measured without landmarks
        (
            ImageResult("a", [replace(FACE, unsure="blurred", quality=BLURRED)], detector="yunet"),
            [ROW | {"unsure": "blurred", "size": 48.1, "sharpness": 0.124, "brightness": 0.5}],
        ),
        # a network that gives valence and arousal
        (
            ImageResult("a", [replace(FACE, valence=0.12345, arousal=-1.0)], detector="yunet"),
            [ROW | {"valence": 0.1235, "arousal": -1.0}],
        ),
        # two faces of a frame, the second without a score
        (
            ImageResult("a", [FACE, replace(FACE, detection_score=float("nan"))], frame=0, time=0.0, detector="yunet"),
            [ROW | {"frame": 0, "time": 0.0}, ROW | {"frame": 0, "time": 0.0, "face": 1, "detection_score": None}],
        ),
    ],
)
def test_rows(result, rows):
    found = list(to_rows(result))
    assert found == rows
    assert all(set(row) <= {*COLUMNS, "neutral", "anger", "valence", "arousal"} for row in found)


@pytest.mark.parametrize(("va", "columns"), [(False, CLASSES), (True, (*CLASSES, "valence", "arousal"))])
def test_columns_are_known_before_any_face(va, columns):
    assert face_columns(Description("a", 1, CLASSES, Preprocessing(), [], va=va)) == columns
