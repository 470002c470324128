"""Maps of a crop, put back on the photo."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import TEMPLATE
from fer.faces import Detection, crop_transform
from fer.results.explanation import Explanation, fuse_attention, spread
from fer.results.types import Face

rng = np.random.default_rng(0)
WIDTH, HEIGHT = 160, 120
MAP = rng.random((7, 7)).astype(np.float32)


def explanation(angle: float = 0, centre: tuple[float, float] = (80, 60), side: float = 70) -> Explanation:
    """Of a face whose crop is turned by `angle` degrees around its centre."""
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = (np.array(TEMPLATE) - 0.5) * side @ rotation.T + centre
    box = np.array([*landmarks.min(0), *landmarks.max(0)])
    face = Face(box, landmarks, 0.9, {"happiness": 1.0}, False, True, attention=np.stack([MAP, 0.1 * MAP[::-1]]))
    transform = crop_transform(Detection(box, landmarks, 0.9), np.array(TEMPLATE))
    return Explanation(face, np.zeros((112, 112, 1), np.uint8), transform)


@pytest.mark.parametrize("angle", [0, 30, 180, -75])
def test_each_cell_comes_to_its_place(angle):
    e = explanation(angle)
    placed = e.place(MAP, (0, 0, WIDTH, HEIGHT))
    for row, column in ((0, 0), (3, 3), (1, 5), (6, 2)):
        place = np.array([(column + 0.5) / 7, (row + 0.5) / 7]) - 0.5  # by hand: turn, scale, shift
        turn = np.radians(angle)
        x = 80 + 70 * (place[0] * np.cos(turn) - place[1] * np.sin(turn))
        y = 60 + 70 * (place[0] * np.sin(turn) + place[1] * np.cos(turn))
        assert placed[int(y), int(x)] == pytest.approx(MAP[row, column], abs=0.1)  # within a pixel of the centre


def test_cells_lie_on_the_grid_of_the_checkpoint():
    """With a step of 16 of 112 px from pixel 0 on: the centre of a cell has its value, half-way lies the mean."""
    grid = (0.5 / 112, 16 / 112)
    wide = spread(MAP, 112, grid)
    np.testing.assert_allclose(wide[::16, ::16], MAP, atol=0.01)
    np.testing.assert_allclose(wide[16, 8], MAP[1, :2].mean(), atol=0.01)
    np.testing.assert_allclose(wide[97:, 97:], MAP[-1, -1], rtol=1e-5)  # beyond the last cell
    placed = replace(explanation(), grid=grid).place(MAP, (0, 0, WIDTH, HEIGHT))
    x, y = (int(centre - 35 + 70 * (0.5 + 16 * 3) / 112) for centre in (80, 60))
    assert placed[y, x] == pytest.approx(MAP[3, 3], abs=0.1)


@pytest.mark.parametrize("angle", [0, 40])
@pytest.mark.parametrize("centre", [(80, 60), (10, 5), (155, 118)])  # inside, and over the edge of the photo
def test_the_window_holds_all_of_the_crop(angle, centre):
    e = explanation(angle, centre)
    whole = e.place(MAP, (0, 0, WIDTH, HEIGHT))
    left, top, right, bottom = window = e.window(WIDTH, HEIGHT)
    np.testing.assert_allclose(e.place(MAP, window), whole[top:bottom, left:right], rtol=1e-5)
    whole[top:bottom, left:right] = np.nan
    assert np.isnan(whole).all()
    if angle == 0:
        x, y = np.clip(centre[0] + np.array([-35, 35]), 0, WIDTH), np.clip(centre[1] + np.array([-35, 35]), 0, HEIGHT)
        np.testing.assert_allclose(window, (x[0], y[0], x[1], y[1]), atol=1)


def test_a_crop_beyond_the_photo_has_an_empty_window():
    e = explanation(centre=(-100, 60))
    window = e.window(WIDTH, HEIGHT)
    assert e.place(MAP, window).size == 0


def test_the_fusion_counts_each_head_alike():
    e = explanation()
    unit = (MAP - MAP.min()) / (MAP.max() - MAP.min())
    np.testing.assert_allclose(e.fused, (unit + unit[::-1]) / 2, atol=1e-6)  # the second head is 0.1 times as large
    np.testing.assert_allclose(fuse_attention(np.stack([e.attention] * 3)), [e.fused] * 3)
    flat = np.full_like(MAP, 0.3)
    np.testing.assert_allclose(fuse_attention(np.stack([MAP, flat])), unit / 2, atol=1e-6)


def test_a_narrow_peak_does_not_outshine_a_wide_one():
    wide, narrow = np.zeros((2, 7, 7), np.float32)
    wide[3:6, 1:6], narrow[1, 3] = 1 / 15, 1.0  # the same sum
    fused = fuse_attention(np.stack([wide, narrow]))
    assert fused[4, 3] == fused[1, 3] == 0.5


def test_explanations_compare_by_value():
    assert explanation() == explanation() != explanation(angle=1)
