"""Pictures of explanations."""

from dataclasses import replace

import numpy as np
import pytest

from fer.results.explanation import Explanation
from fer.results.types import Face
from fer.visualization.explanation import draw_explanations, draw_sheet


def explanation(channels: int = 1) -> Explanation:
    """The crop is 100 pixels wide, from (20, 10) on. Head 1 looks to its upper left, head 2 to its lower right."""
    attention = np.zeros((2, 7, 7), np.float32)
    attention[0, 1, 1], attention[1, 5, 5] = 3, 0.1
    face = Face(
        np.array([30, 20, 110, 100.0]), None, 0.9, {"happiness": 0.9, "fear": 0.1}, False, False, None, attention
    )
    transform = np.array([[0.01, 0, -0.2], [0, 0.01, -0.1]])
    return Explanation(face, np.full((112, 112, channels), 128, np.uint8), transform)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_shows_the_crop_and_each_map_once(channels):
    e, side, gap, line = explanation(channels), 70, 4, 10
    sheet = draw_sheet(e, side)
    assert sheet.dtype == np.uint8 and sheet.shape == (2 * (gap + line) + side, gap + 4 * (side + gap), 3)
    tiles = [sheet[gap + line :][:side, gap + i * (side + gap) :][:, :side].astype(int) for i in range(4)]
    assert (tiles[0] == 128).all()
    upper, lower = ([int(t[y, y].sum()) for t in tiles] for y in (15, 55))
    assert upper[1] == lower[1] and upper[2] > lower[2] and upper[3] < lower[3]
    assert (sheet[: gap + line] < 100).any() and (sheet[-line:] < 100).any()  # the label, the captions

    more = draw_sheet(replace(e, grad_cam=e.attention[1]), side)
    assert (more[:, : sheet.shape[1]] == sheet).all()
    tile = more[gap + line :][:side, -gap - side : -gap]
    assert (tile == tiles[3]).all()


def test_the_photo_is_coloured_where_the_heads_look():
    photo = np.full((130, 140, 3), 60, np.uint8)
    before = photo.copy()
    drawn = draw_explanations(photo, [explanation()]).astype(int)
    assert (photo == before).all()
    changed = np.abs(drawn - photo).sum(2)
    hot = [(20 + 100 * c / 7, 10 + 100 * c / 7) for c in (1.5, 5.5)]  # centres of the two cells
    for x, y in hot:
        assert changed[round(y), round(x)] > 200
    assert changed[60, 70] < changed[31, 41] / 4  # between them
    assert (changed[115:, :] == 0).all() and (changed[:, 125:] == 0).all()  # beyond the crop


@pytest.mark.parametrize("shift", [0, -95, 95, 1000])  # inside, over either edge, and beyond the photo
def test_a_crop_over_the_edge_of_the_photo(shift):
    e = explanation()
    e.transform[0, 2] -= shift / 100
    drawn = draw_explanations(np.full((130, 140, 3), 60, np.uint8), [e])
    assert drawn.shape == (130, 140, 3)


def test_no_face():
    photo = np.full((30, 40, 3), 60, np.uint8)
    assert (draw_explanations(photo, []) == photo).all()
