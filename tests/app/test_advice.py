"""Every reason has its sentence."""

import numpy as np
import pytest

from app.advice import ADVICE, advise
from fer.faces.quality import Quality
from fer.inference.trust import REASONS
from fer.results.types import Face


def face(unsure: str) -> Face:
    quality = Quality(17.6, 2, 0.5, 0, 0, 0)
    return Face(np.array([0, 0, 18, 20]), None, 0.9, {"anger": 1.0}, unsure, False, quality=quality)


@pytest.mark.parametrize(
    ("unsure", "sentence"),
    [
        ("", ""),
        ("too small", "Move closer: the face is only 18 pixels wide."),
        ("too dark", "Too dark to read: turn towards a light."),
        ("low confidence", "No emotion stands out."),
    ],
)
def test_a_sentence_for_each_face(unsure, sentence):
    assert advise(face(unsure)) == sentence


def test_no_reason_is_without_a_sentence():
    assert tuple(ADVICE) == REASONS and all(advise(face(reason)).endswith(".") for reason in REASONS)
