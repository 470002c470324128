"""Where the heads look, as pictures."""

import numpy as np

from fer.visualization.attention import draw_attention


def test_attention_pictures_are_bright_where_the_heads_look():
    attention = np.zeros((2, 7, 7), np.float32)
    attention[0, 1, 1], attention[1, 5, 5] = 3.0, 0.1  # of very different scale
    together, first, second = draw_attention(np.full((48, 48, 3), 128, np.uint8), attention, side=70)
    brightness = [
        [int(picture[y, x].sum()) for y, x in ((15, 15), (55, 55), (35, 35))] for picture in (together, first, second)
    ]
    assert brightness[0][0] == brightness[0][1] > brightness[0][2]  # each head counts the same
    assert brightness[1][0] > brightness[1][1] == brightness[1][2]
    assert brightness[2][1] > brightness[2][0] == brightness[2][2]
    assert together.shape == (70, 70, 3) and together.dtype == np.uint8


def test_attention_without_contrast_is_drawn_flat():
    pictures = draw_attention(np.full((48, 48, 3), 90, np.uint8), np.ones((1, 3, 3), np.float32))
    assert [len(np.unique(picture.reshape(-1, 3), axis=0)) for picture in pictures] == [1, 1]
