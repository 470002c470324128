import numpy as np
import pytest

from fer.draw import COLOURS, draw_faces
from fer.inference.results import Face
from fer.labels import EMOTIONS


def face(box: tuple, label: str = "anger", unsure: bool = False) -> Face:
    probs = {name: 0.93 if name == label else 0.01 for name in EMOTIONS}
    return Face(np.array(box, float), None, 0.9, probs, unsure, aligned=False)


def test_every_emotion_has_a_colour_of_its_own():
    assert list(COLOURS) == list(EMOTIONS)
    assert len(set(COLOURS.values())) == len(EMOTIONS)


@pytest.mark.parametrize("size", [(40, 30), (480, 640), (3000, 4000)])
@pytest.mark.parametrize(
    "box",
    [
        (0.3, 0.3, 0.6, 0.7),  # inside
        (0.0, 0.0, 0.4, 0.4),  # no room above for the label
        (-0.3, -0.3, 1.3, 1.3),  # larger than the picture
        (0.9, 0.9, 1.2, 1.2),  # cut off
        (0.5, 0.5, 0.5, 0.5),  # empty
    ],
)
def test_any_box_is_drawn_in_its_colour_on_a_copy(size, box):
    h, w = size
    image = np.zeros((h, w, 3), np.uint8)
    picture = draw_faces(image, [face((box[0] * w, box[1] * h, box[2] * w, box[3] * h))])
    assert not image.any()
    assert picture.shape == image.shape
    assert (picture == COLOURS["anger"]).all(2).any()


def test_no_face_changes_nothing():
    image = np.full((20, 20, 3), 9, np.uint8)
    assert (draw_faces(image, []) == image).all()


def test_unsure_looks_different():
    image = np.zeros((300, 300, 3), np.uint8)
    boxes = (100, 100, 200, 200)
    assert (draw_faces(image, [face(boxes)]) != draw_faces(image, [face(boxes, unsure=True)])).any()


def test_a_class_that_is_no_single_emotion_is_drawn_too():
    compound = Face(np.array([4, 4, 30, 30], float), None, 0.9, {"sadly angry": 1.0}, False, aligned=False)
    assert draw_faces(np.zeros((40, 40, 3), np.uint8), [compound]).any()
