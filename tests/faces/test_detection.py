"""What a detector finds: overlap, scale, order."""

import numpy as np
import pytest

from fer.faces.detection import Detection, intersection_over_union, largest_first

BOX = [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], []),
        ([BOX], [1]),
        ([[0, 0, 10, 5], [5, 5, 15, 15], [2, 2, 4, 4]], [1 / 2, 25 / 175, 4 / 100]),  # half, a corner, within
        ([[10, 0, 20, 10], [30, 30, 40, 40]], [0, 0]),  # side by side, far away
        ([[5, 5, 5, 5]], [0]),  # empty
    ],
)
def test_intersection_over_union(others, expected):
    found = intersection_over_union(np.array(BOX, float), np.array(others, float).reshape(-1, 4))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_two_empty_boxes_do_not_divide_by_zero():
    assert intersection_over_union(np.zeros(4), np.zeros((1, 4))).tolist() == [0]


@pytest.mark.parametrize("landmarks", [None, np.arange(10.0).reshape(5, 2)])
def test_a_face_in_an_image_of_another_size(landmarks):
    face = Detection(np.array([2.0, 4, 6, 8]), landmarks, 0.9).scaled(0.5)
    assert face.box.tolist() == [1, 2, 3, 4] and face.detection_score == 0.9
    np.testing.assert_array_equal(face.landmarks, landmarks if landmarks is None else landmarks / 2)


def test_largest_first():
    faces = [Detection(np.array([0, 0, side, 10.0]), None, 0.9) for side in (10, 30, 20)]
    assert [face.box[2] for face in largest_first(faces)] == [30, 20, 10]
    assert largest_first([]) == []
