import numpy as np
import pytest

from fer.labels import EMOTIONS
from fer.results.types import Face
from fer.visualization.colors import COLORS, color_of
from fer.visualization.faces import draw_faces


def face(box: tuple, label: str = "anger", unsure: str = "") -> Face:
    probs = {name: 0.93 if name == label else 0.01 for name in EMOTIONS}
    return Face(np.array(box, float), None, 0.9, probs, unsure, aligned=False)


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
    assert (picture == COLORS["anger"]).all(2).any()


def test_no_face_changes_nothing():
    image = np.full((20, 20, 3), 9, np.uint8)
    assert (draw_faces(image, []) == image).all()


def test_unsure_looks_different():
    image = np.zeros((300, 300, 3), np.uint8)
    boxes = (100, 100, 200, 200)
    sure, dark, blurred = (draw_faces(image, [face(boxes, unsure=reason)]) for reason in ("", "too dark", "blurred"))
    assert (sure != dark).any() and (dark != blurred).any()


def test_other_classes_are_drawn_in_their_colours():
    probs = {"happiness": 0.1, "calm": 0.2, "tired": 0.7}
    tired = Face(np.array([40, 40, 130, 130], float), None, 0.9, probs, "", aligned=False)
    picture = draw_faces(np.full((200, 200, 3), 255, np.uint8), [tired], bars=True)
    for name in probs:
        assert (picture == color_of(name, list(probs))).all(2).any(), name


def test_numbers_tell_faces_apart():
    image, faces = np.full((300, 400, 3), 90, np.uint8), [face((20, 60, 120, 160)), face((220, 60, 320, 160))]
    plain, numbered = draw_faces(image, faces), draw_faces(image, faces, numbers=True)
    left, right = (slice(None), slice(0, 200)), (slice(None), slice(200, 400))
    assert (plain[left] == plain[right]).all()  # the same label
    assert (numbered[left] != numbered[right]).any()
