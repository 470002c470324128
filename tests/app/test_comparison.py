import numpy as np
import pytest

from app.comparison import Comparison, swing
from fer.results.types import Face

LANDMARKS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], float)


def face(shift: float = 0, happy: float = 0.8) -> Face:
    box = np.array([0, 0, 100, 100], float) + shift * np.array([1, 0, 1, 0])
    probs = {"happiness": happy, "sadness": 1 - happy}
    return Face(box, LANDMARKS + (shift, 0), 0.9, probs, "", True, track=0)


CASES = [  # faces of the live view in each frame, those of the reference, part of the line
    ([], [], "no face in common; missed 0, false positives 0"),
    ([[]], [[face()]], "no face in common; missed 1, false positives 0"),
    ([[face()]], [[face()]], "IoU 1.000 (worst 5 % 1.000), landmarks 0.000"),
    ([[face(20)]], [[face()]], "IoU 0.667 (worst 5 % 0.667), landmarks 0.500 (0.500)"),
    ([[face(90)], [face()]], [[face()], [face()]], "missed 1 of 2 faces, false positives 1"),
    ([[face(), face(200)]], [[face(200), face()]], "missed 0 of 2 faces, false positives 0"),
    ([[face(happy=0.4)], [face()]], [[face()], [face()]], "same label 50.0%, probabilities 0.2000 apart"),
    ([[face(happy=0.6)], [face(happy=0.9)]], [[face(happy=0.7)], [face(happy=0.9)]], "flicker x1.50"),
]


@pytest.mark.parametrize(("live", "reference", "expected"), CASES)
def test_figures(live, reference, expected):
    comparison = Comparison()
    for ours, theirs in zip(live, reference):
        comparison.add(ours, theirs)
    assert expected in str(comparison)


def test_a_swing_leaves_the_view_and_comes_back():
    frames = list(swing([np.full((4, 8, 3), 9, np.uint8)] * 4, 4))
    assert [int(frame.sum() > 0) for frame in frames] == [1, 0, 1, 0]
