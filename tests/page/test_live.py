import base64

import numpy as np
import pytest
from page_inputs import picture

from app import live
from app.live import LiveView, give_hint
from fer.inference.results import Face


def url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def frame(faces: int = 1, **more) -> dict:
    return {"picture": url(picture(faces)), "session": "a"} | more


@pytest.fixture
def view(recognizer) -> LiveView:
    return LiveView(recognizer)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_frame(view, count):
    answer = view.look(frame(count))
    assert len(answer["faces"]) == count and answer["milliseconds"] > 0
    for face in answer["faces"]:
        assert face["label"] in view.recognizer.classes
        assert len(face["probs"]) == 8 and sum(face["probs"]) == pytest.approx(1, abs=1e-3)
        assert len(face["box"]) == 4 and "maps" not in face
    assert ("No face" in answer["hint"]) == (count == 0)


def test_a_face_keeps_its_track_and_its_probabilities_glide(view, monkeypatch):
    faces = []
    for emotion in (0, 0, 1):
        monkeypatch.setattr(view.recognizer, "_to_probs", lambda _, e=emotion: np.eye(8, dtype=np.float32)[[e]])
        faces += view.look(frame())["faces"]
    assert [face["track"] for face in faces] == [0, 0, 0]
    assert [face["probs"][0] for face in faces[:2]] == [1, 1]
    assert 0.5 < faces[2]["probs"][0] < 1 and sum(faces[2]["probs"]) == pytest.approx(1, abs=1e-3)


def test_cameras_do_not_share_tracks(view):
    view.look(frame(2))
    assert [face["track"] for face in view.look(frame(1, session="b"))["faces"]] == [0]
    assert set(view.sessions) == {"a", "b"}


def test_attention_lies_over_the_face(view):
    (face,) = view.look(frame(attention=True))["faces"]
    assert np.shape(face["maps"])[0] == 3  # all heads, then two
    assert np.min(face["maps"]) >= 0 and np.max(face["maps"]) == 1
    a, b, c, d, e, f = face["crop"]  # without landmarks: the square around the box
    assert [e, f, a + c + e, b + d + f] == pytest.approx(face["box"], abs=0.1)


BROKEN = [
    ({}, "could not be read"),
    ({"picture": "", "session": "a"}, "could not be read"),
    ({"picture": "data:image/png;base64,@@@", "session": "a"}, "could not be read"),
    ({"picture": url(b"MZ" + bytes(200)), "session": "a"}, "could not be read"),
    ({"picture": 3, "session": "a"}, "Something went wrong"),
    (None, "could not be read"),
]


@pytest.mark.parametrize(("request_", "hint"), BROKEN)
def test_a_broken_frame_is_a_hint_and_the_next_goes_on(view, request_, hint):
    answer = view.look(request_)
    assert answer["faces"] == [] and hint in answer["hint"]
    assert len(view.look(frame())["faces"]) == 1


def test_a_failure_of_the_network_is_a_hint(view, monkeypatch, caplog):
    monkeypatch.setattr(view.recognizer, "network", lambda x: 1 / 0)
    assert "Something went wrong" in view.look(frame())["hint"]
    assert "ZeroDivisionError" in caplog.text


def test_a_frame_that_is_too_large_is_refused(view, monkeypatch):
    monkeypatch.setattr(live, "MAX_PIXELS", 1000)
    assert "could not be read" in view.look(frame())["hint"]


def test_silent_cameras_are_forgotten(view, monkeypatch):
    monkeypatch.setattr(live, "SESSIONS", 3)
    for name in "abcde":
        view.look(frame(session=name))
    assert list(view.sessions) == ["c", "d", "e"]
    view.sessions["c"].seen -= live.FORGET + 1
    view.look(frame(session="d"))
    assert list(view.sessions) == ["e", "d"]


def face(side: float) -> Face:
    return Face(np.array([0, 0, side, side]), None, 0.9, {"anger": 1.0}, False, False)


@pytest.mark.parametrize(
    ("gray", "faces", "hint"),
    [
        (120, [], "No face"),
        (120, [face(30)], "come closer"),
        (120, [face(30), face(90)], ""),
        (120, [face(90)], ""),
        (10, [], "dark"),
        (10, [face(90)], "dark"),
    ],
)
def test_hints(gray, faces, hint):
    given = give_hint(np.full((48, 64, 3), gray, np.uint8), faces)
    assert (hint in given) if hint else given == ""
