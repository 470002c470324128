import base64
import copy
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from app import live
from app.live import Camera, LiveView, give_hint
from fer.faces import Detection, create_detector
from fer.faces.quality import Quality
from fer.results.types import Face
from page_inputs import picture


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
        monkeypatch.setattr(
            view.recognizer.classifier, "to_probs", lambda _, e=emotion: np.eye(8, dtype=np.float32)[[e]]
        )
        faces += view.look(frame())["faces"]
    assert [face["track"] for face in faces] == [0, 0, 0]
    assert [face["probs"][0] for face in faces[:2]] == [1, 1]
    assert 0.5 < faces[2]["probs"][0] < 1 and sum(faces[2]["probs"]) == pytest.approx(1, abs=1e-3)


def test_valence_and_arousal_where_the_network_gives_them(view, va_recognizer):
    assert not {"valence", "arousal"} & view.look(frame())["faces"][0].keys()
    (face,) = LiveView(va_recognizer).look(frame())["faces"]
    assert -1 < face["valence"] < 1 and -1 < face["arousal"] < 1


def test_valence_and_arousal_of_both_crops_count_alike(va_recognizer):
    va_recognizer.classifier.description = replace(va_recognizer.description, second_crop=True)
    va_recognizer.detector = Landmarks(UPRIGHT)
    camera, (both,) = Camera(va_recognizer), va_recognizer(FRAME)
    for k in range(3):
        (face,) = camera.look(FRAME, 0.1 * k)
        assert (face.valence, face.arousal) == (
            pytest.approx(both.valence, abs=1e-5),
            pytest.approx(both.arousal, abs=1e-5),
        )


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


BOX = np.array([20, 10, 90, 80], float)
UPRIGHT = np.array([[42, 37], [68, 37], [55, 50], [45, 63], [65, 63]], float)
TILTED = UPRIGHT @ [[0.8, 0.6], [-0.6, 0.8]] + (30, -25)  # by 37 degrees
FRAME = np.random.default_rng(0).integers(0, 255, (90, 120, 1), np.uint8).repeat(3, 2)


class Landmarks:
    """A detector that finds faces with these landmarks, and counts its calls."""

    name = "landmarks"
    max_side = float("inf")

    def __init__(self, *faces: np.ndarray):
        self.faces, self.calls = faces, 0

    def __call__(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        return [Detection(BOX, landmarks, 0.9) for landmarks in self.faces]


@pytest.fixture
def two_crops(recognizer, monkeypatch):
    """A recogniser whose checkpoint asks for two crops of an upright face; `taken` has the crops of each frame."""
    recognizer = copy.copy(recognizer)
    recognizer.classifier.description = replace(recognizer.description, second_crop=True)
    recognizer.detector, recognizer.taken = Landmarks(UPRIGHT), []
    look = recognizer.classifier.classify
    monkeypatch.setattr(recognizer.classifier, "classify", lambda crops: recognizer.taken.append(crops) or look(crops))
    return recognizer


def which(recognizer) -> list[str]:
    """The crops of each frame: a (aligned), s (square)."""
    aligned, _ = recognizer.classifier.cut(FRAME, Detection(BOX, UPRIGHT, 0.9))
    return [
        "".join("a" if np.array_equal(crop, aligned[..., 0]) else "s" for crop in crops) for crops in recognizer.taken
    ]


CROPS = [  # seconds between frames, attention, crops of each frame
    (0.1, False, ["as", "a", "s", "a", "s"]),
    (1.0, False, ["as", "a", "s", "a", "s"]),  # the detector runs each time
    (0.1, True, ["as", "a", "as", "a", "as"]),
]


@pytest.mark.parametrize(("seconds", "attention", "crops"), CROPS)
def test_the_crops_of_a_face_take_turns_and_count_alike(two_crops, seconds, attention, crops):
    camera, (both,) = Camera(two_crops), two_crops(FRAME)
    faces = [camera.look(FRAME, seconds * k, attention) for k in range(5)]
    assert which(two_crops) == crops
    for (face,) in faces:
        assert list(face.probs.values()) == pytest.approx(list(both.probs.values()), abs=1e-5)
        assert face.attention is not None or not attention
    assert all(np.array_equal(f[0].attention, both.attention) for f, c in zip(faces, crops) if "a" in c)


def test_the_quality_is_measured_when_the_aligned_crop_has_its_turn(two_crops):
    camera, bright, dark = Camera(two_crops, interval=0), FRAME, FRAME // 2
    (in_light,), (in_dark,) = two_crops(bright), two_crops(dark)
    shown = [(bright, in_light), (bright, in_light), (dark, in_light), (dark, in_dark)]  # crops: as, a, s, a
    for k, (image, expected) in enumerate(shown):
        (face,) = camera.look(image, 0.1 * k)
        assert face.quality == expected.quality
    assert face.quality.size == 70 and abs(face.quality.roll) < 1


def test_a_face_beyond_a_limit_says_why(view):
    view.recognizer.description.limits = {"size": 200}
    answer = view.look(frame())
    assert [face["unsure"] for face in answer["faces"]] == ["too small"]
    assert answer["hint"] == "Move closer: the face is only 70 pixels wide."
    assert answer["faces"][0]["quality"][0] == 70 and answer["faces"][0]["quality"][3:] == [None] * 3


def test_a_face_that_tilts_has_one_crop_and_then_two_again(two_crops):
    camera = Camera(two_crops, interval=0)
    for k, landmarks in enumerate([UPRIGHT, UPRIGHT, TILTED, TILTED, UPRIGHT]):
        two_crops.detector.faces = [landmarks]
        camera.look(FRAME, 0.1 * k)
    assert [len(crops) for crops in two_crops.taken] == [2, 1, 1, 1, 2]


def test_the_detector_runs_now_and_then(two_crops):
    camera, detector = Camera(two_crops, interval=0.5), two_crops.detector
    assert [len(camera.look(FRAME, 0.1 * k)) for k in range(5)] == [1] * 5
    assert detector.calls == 1
    detector.faces = []
    assert [len(camera.look(FRAME, 0.1 * k)) for k in range(5, 8)] == [0] * 3
    assert detector.calls == 4  # as long as there is no face


def test_the_batch_size_of_the_command_is_that_of_the_live_view(recognizer, monkeypatch):
    recognizer.classifier.batch_size = 3
    view, sizes = LiveView(recognizer), []
    look = recognizer.classifier.network
    monkeypatch.setattr(view.recognizer.classifier, "network", lambda batch: sizes.append(len(batch)) or look(batch))
    assert len(view.look(frame(7))["faces"]) == 7
    assert sizes == [3, 3, 1]


def test_small_faces_are_left_out(two_crops):
    two_crops.min_face = 71
    assert Camera(two_crops).look(FRAME, 0.0) == []


def test_without_a_detector_each_frame_is_a_crop(two_crops):
    two_crops.detector = create_detector("none")
    camera = Camera(two_crops)
    for k in range(3):
        image = np.roll(FRAME, 5 * k, 1)
        (face,) = camera.look(image, 0.1 * k)
        assert face.box.tolist() == [0, 0, 120, 90]
        assert len(two_crops.taken[k]) == 1 and np.array_equal(two_crops.taken[k][0], image[..., 0])


def test_frames_of_one_camera_wait_for_each_other(view, monkeypatch):
    inside, most, look = [], [], view.recognizer.classifier.classify

    def predict(crops):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.005)
        inside.pop()
        return look(crops)

    monkeypatch.setattr(view.recognizer.classifier, "classify", predict)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(view.look, [frame()] * 24))
    assert {face["track"] for answer in answers for face in answer["faces"]} == {0}
    assert most == [1] * 24


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
    monkeypatch.setattr(view.recognizer.classifier, "network", lambda x: 1 / 0)
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
    view.sessions["c"].last_used -= live.FORGET + 1
    view.look(frame(session="d"))
    assert list(view.sessions) == ["e", "d"]


def face(side: float, unsure: str = "") -> Face:
    quality = Quality(side, 2, 0.5, 0, 0, 0)
    return Face(np.array([0, 0, side, side]), None, 0.9, {"anger": 1.0}, unsure, False, quality=quality)


@pytest.mark.parametrize(
    ("gray", "faces", "hint"),
    [
        (120, [], "No face"),
        (120, [face(30)], "come closer"),
        (120, [face(30), face(90)], ""),
        (120, [face(90)], ""),
        (10, [], "dark"),
        (10, [face(90)], "dark"),
        # the reason of the largest face; a face that is far away has a better one
        (120, [face(90, "low confidence"), face(30)], "No emotion stands out"),
        (120, [face(30, "low confidence")], "come closer"),
        (120, [face(30, "too small")], "only 30 pixels wide"),
        (120, [face(30, "turned away"), face(90)], ""),
        (120, [face(90, "blurred")], "hold still"),
    ],
)
def test_hints(gray, faces, hint):
    given = give_hint(np.full((48, 64, 3), gray, np.uint8), faces)
    assert (hint in given) if hint else given == ""
