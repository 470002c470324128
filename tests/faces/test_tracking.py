"""Which face of a frame is which of the frame before."""

import numpy as np
import pytest

from fer.faces.tracking import FaceTracker

pytest.importorskip("supervision", reason="tracking needs supervision: pip install 'dan-fer[video]'")
LEFT, RIGHT = [10, 10, 50, 50], [100, 10, 140, 50]


def follow(tracker: FaceTracker, *frames: list[list[int]]) -> list[list[int | None]]:
    return [tracker.update(np.array(boxes, float).reshape(-1, 4), np.full(len(boxes), np.nan)) for boxes in frames]


def test_numbers_follow_the_faces_and_not_their_order():
    frames = [[LEFT, RIGHT], [LEFT, RIGHT], [RIGHT, LEFT], [RIGHT]]
    *_, (left, right), swapped, alone = follow(FaceTracker(rate=10), *frames)
    assert {left, right} == {0, 1}
    assert (swapped, alone) == ([right, left], [right])


def test_a_face_comes_back_within_the_time_of_patience_only():
    for gap, same in ((5, True), (40, False)):  # frames at 10 a second; the patience is a second
        tracker = FaceTracker(rate=10, patience=1.0)
        found = follow(tracker, *[[LEFT]] * 3, *[[]] * gap, *[[LEFT]] * 3)
        assert (found[2] == found[-1]) == same and found[-1] != [None], gap


def test_each_tracker_counts_from_zero():
    for _ in range(2):
        assert follow(FaceTracker(rate=10), [LEFT], [LEFT])[-1] == [0]
