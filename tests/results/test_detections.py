"""Faces for supervision: every value is at its place, and its tools take them."""

import sys

import numpy as np
import pytest

import fer
from fer.results.types import Face

supervision = pytest.importorskip("supervision", reason="needs supervision: pip install 'dan-fer[video]'")

SURE = Face(np.array([1, 2, 31, 42.5]), None, 0.75, {"neutral": 0.25, "anger": 0.75}, "", False)
DARK = Face(np.array([50, 2, 70, 22]), None, float("nan"), {"neutral": 1.0, "anger": 0.0}, "too dark", True)
TRACKED = Face(np.array([1, 2, 3, 4]), None, 0.5, {"neutral": 0.25, "anger": 0.75}, "", False, track=3)


def test_values_of_faces():
    detections = fer.to_detections([SURE, DARK])
    np.testing.assert_array_equal(detections.xyxy, [[1, 2, 31, 42.5], [50, 2, 70, 22]])
    assert detections.confidence.tolist() == [0.75, 1.0]
    assert detections.class_id.tolist() == [1, 0]
    assert {name: values.tolist() for name, values in detections.data.items() if name != "detection_score"} == {
        "class_name": ["anger", "neutral"],
        "probs": [[0.25, 0.75], [1, 0]],
        "unsure": ["", "too dark"],
    }
    np.testing.assert_array_equal(detections.data["detection_score"], [0.75, np.nan])


@pytest.mark.parametrize(
    ("faces", "tracks"),
    [([SURE, DARK], None), ([TRACKED], [3]), ([TRACKED, SURE], [3, -1])],
)
def test_tracks(faces, tracks):
    ids = fer.to_detections(faces).tracker_id
    assert (None if ids is None else ids.tolist()) == tracks


def test_without_faces_they_are_empty_and_join_others():
    empty = fer.to_detections([])
    assert empty.is_empty()
    joined = supervision.Detections.merge([empty, fer.to_detections([SURE]), fer.to_detections([DARK])])
    assert joined.data["class_name"].tolist() == ["anger", "neutral"] and len(joined[joined.data["unsure"] == ""]) == 1


def test_its_annotators_draw_them():
    image = np.zeros((64, 96, 3), np.uint8)
    detections = fer.to_detections([SURE, DARK])
    drawn = supervision.LabelAnnotator().annotate(
        supervision.BoxAnnotator().annotate(image.copy(), detections), detections
    )
    assert drawn[2:42, 1:31].any() and not drawn[50:, 75:].any()


def test_without_supervision_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ModuleNotFoundError, match=r"to_detections needs supervision: pip install 'dan-fer\[video\]'"):
        fer.to_detections([SURE])
