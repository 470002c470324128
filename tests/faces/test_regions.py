"""Which region of a face a cell of a map lies in."""

import numpy as np
import pytest

from fer.faces.regions import REGIONS, face_regions
from runs import TEMPLATE

FACE = np.reshape(TEMPLATE, (5, 2))


def region_at(place: tuple[float, float], landmarks: np.ndarray) -> str:
    """By a map of 100 x 100 cells."""
    column, row = (int(100 * value) for value in place)
    return REGIONS[face_regions(landmarks, (100, 100))[row, column]]


PLACES = [
    ((0.31, 0.39), "brows and eyes"),  # an eye
    ((0.5, 0.25), "brows and eyes"),  # between the brows
    ((0.5, 0.6), "nose"),  # its tip
    ((0.2, 0.6), "cheeks"),
    ((0.65, 0.76), "mouth and chin"),  # a corner of the mouth
    ((0.5, 0.92), "mouth and chin"),  # the chin
    ((0.5, 0.1), "outside"),  # hair
    ((0.02, 0.5), "outside"),
    ((0.9, 0.9), "outside"),
]


@pytest.mark.parametrize(("place", "region"), PLACES)
def test_regions_of_the_template(place, region):
    assert region_at(place, FACE) == region


@pytest.mark.parametrize("degrees", [-40, 30])
@pytest.mark.parametrize(("place", "region"), PLACES)
def test_the_regions_turn_and_shrink_with_the_face(place, region, degrees):
    cos, sin = np.cos(np.radians(degrees)) / 2, np.sin(np.radians(degrees)) / 2
    turn = np.array([[cos, sin], [-sin, cos]])  # of row vectors, around the middle, to half the size
    assert region_at(tuple((np.array(place) - 0.5) @ turn + 0.5), (FACE - 0.5) @ turn + 0.5) == region


def test_the_grid_places_the_cells():
    """Half a cell to the upper left, as in MobileFaceNet: the column at the left and the row at the top are outside."""
    cells = face_regions(FACE, (7, 7), [0.5 / 112, 1 / 7])
    assert (cells[:2] == REGIONS.index("outside")).all() and (cells[:, 0] == REGIONS.index("outside")).all()
    assert (cells[2:, 2:6] != REGIONS.index("outside")).all()


def test_many_faces_at_once():
    faces = np.stack([FACE, FACE / 2])
    assert face_regions(faces, (3, 5)).shape == (2, 3, 5)
    assert (face_regions(faces, (3, 5))[1] == face_regions(FACE / 2, (3, 5))).all()
    assert face_regions(faces[:0], (3, 5)).shape == (0, 3, 5)
