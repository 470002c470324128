"""The plane of valence and arousal."""

import re
from dataclasses import replace

import numpy as np
import pytest

from app.handlers import Handlers
from app.plane import QUADRANTS, draw_plane, show_va
from fer.results.types import Face
from page_inputs import linked, picture

FACE = Face(np.zeros(4), None, 0.9, {"neutral": 0.25, "anger": 0.75}, "", False)
PLACED = replace(FACE, valence=0.5, arousal=-0.25)


@pytest.mark.parametrize("faces", [[], [FACE]])
def test_without_valence_and_arousal_there_is_nothing(faces):
    assert draw_plane(faces) == "" and [show_va(face) for face in faces] == [""] * len(faces)


def test_valence_is_to_the_right_and_arousal_up():
    plane = draw_plane([PLACED, replace(PLACED, valence=-1.0, arousal=1.0)])
    assert re.findall(r'class="point" cx="([^"]*)" cy="([^"]*)"', plane) == [("50.0", "25.0"), ("-100.0", "-100.0")]
    assert "fill:rgb(213,60,20)" in plane  # anger
    assert 'aria-label="face 1: valence +0.50, arousal -0.25; face 2: valence -1.00, arousal +1.00"' in plane
    places = {word: (float(x) > 0, float(y) < 0) for x, y, word in re.findall(r'x="(\S+)" y="(\S+)"[^>]*>(\w+)', plane)}
    right_and_up = [(True, True), (False, True), (False, False), (True, False)]
    assert [places[word] for word in QUADRANTS] == right_and_up
    assert show_va(PLACED) == '<p class="va">valence +0.50, arousal -0.25</p>'


def test_a_photo_and_the_rows_have_them_where_the_network_gives_them(work, va_recognizer, upload, tmp_path):
    with_va = Handlers(va_recognizer, tmp_path)
    for handlers, has in ((work, False), (with_va, True)):
        shown = handlers.show_photos([upload("a.png", picture(2))])
        assert (shown.count('class="point"'), shown.count('class="va"')) == ((2, 2) if has else (0, 0))
        (row,) = handlers.rows([upload("a.png", picture(1))])
        assert ({"valence", "arousal"} <= row.keys()) == has
        header = linked(list(handlers.show_batch([upload("a.png", picture(1))]))[-1], ".csv").decode().splitlines()[0]
        assert header.endswith(",valence,arousal") == has
        assert ("valence and arousal" in handlers.about()) == has
