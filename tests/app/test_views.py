"""What the page shows."""

import pytest

from page_inputs import picture


@pytest.mark.parametrize(
    ("limits", "unsure_below", "sentence", "reason"),
    [
        ({}, 1.0, "No emotion stands out.", "low confidence"),
        ({"size": 99}, 0.0, "Move closer: the face is only 70 pixels wide.", "too small"),
        ({}, 0.0, "", ""),
    ],
)
def test_a_photo_and_a_batch_say_why_a_face_is_unsure(work, upload, limits, unsure_below, sentence, reason):
    work.description.limits, work.description.unsure_below = limits, unsure_below
    shown = work.show_photos([upload("a.png", picture(1))])
    gallery = list(work.show_batch([upload("a.png", picture(1))]))[-1]
    assert ('class="reason"' in shown) == bool(reason)
    assert not reason or f'<p class="reason">{sentence}</p>' in shown
    assert ("unsure <small>perhaps" in shown) == ('class="face unsure"' in shown) == bool(reason)
    assert not reason or f" ({reason}), a.png" in gallery
