"""Faces that are followed: a rough texture as face, which moves over a smooth background."""

import cv2
import numpy as np
import pytest

from fer.faces import Detection
from fer.faces.detection import intersection_over_union
from fer.faces.flow import SIDE, FlowDetector

H, W = 480, 640
rng = np.random.default_rng(0)
TEXTURE = cv2.resize(rng.integers(0, 255, (16, 16, 3), np.uint8), (160, 160), interpolation=cv2.INTER_CUBIC)
OTHER = cv2.resize(rng.integers(0, 255, (16, 16, 3), np.uint8), (160, 160), interpolation=cv2.INTER_CUBIC)
BOX = np.array([40, 40, 120, 120], float)  # of the face in the texture
LANDMARKS = np.array([[60, 65], [100, 65], [80, 85], [65, 105], [95, 105]], float)


def place(x: float, y: float, turn: float = 0, scale: float = 1) -> np.ndarray:
    """The transform [2,3] that puts the texture's middle at (x, y)."""
    matrix = cv2.getRotationMatrix2D((80, 80), turn, scale)
    matrix[:, 2] += (x - 80, y - 80)
    return matrix


def picture(*places: np.ndarray, texture: np.ndarray = TEXTURE) -> np.ndarray:
    """RGB uint8 [H,W,3] with a face at each place."""
    image = np.repeat(np.linspace(90, 160, W, dtype=np.uint8)[None, :, None], H, 0).repeat(3, 2)
    for matrix in places:
        cv2.warpAffine(texture, matrix, (W, H), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    return image


def face(matrix: np.ndarray) -> Detection:
    middle, half = matrix @ (80, 80, 1), (BOX[2:] - BOX[:2]) / 2 * np.sqrt(np.linalg.det(matrix[:, :2]))
    return Detection(np.concatenate([middle - half, middle + half]), LANDMARKS @ matrix[:, :2].T + matrix[:, 2], 0.9)


class Known:
    """A detector that is told the faces of each picture, and counts its calls."""

    name = "known"

    def __init__(self, *places: np.ndarray):
        self.places, self.calls = places, 0

    def __call__(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        return [face(matrix) for matrix in self.places]


MOVES = [  # of the texture per frame: x, y, degrees, growth
    ("still", 0, 0, 0, 0),
    ("shift", 7, -4, 0, 0),
    ("turn", 0, 0, 3, 0),
    ("comes closer", 0, 0, 0, 0.04),
    ("all", -5, 3, -2, -0.03),
]


@pytest.mark.parametrize(("dx", "dy", "turn", "growth"), [m[1:] for m in MOVES], ids=[m[0] for m in MOVES])
def test_box_and_landmarks_move_with_the_face(dx, dy, turn, growth):
    places = [place(320 + dx * k, 240 + dy * k, turn * k, 1 + growth * k) for k in range(8)]
    detector = Known(places[0])
    follow = FlowDetector(detector, interval=1)
    for k, matrix in enumerate(places):
        (found,), true = follow(picture(matrix), 0.1 * k), face(matrix)
    assert detector.calls == 1 and found.detection_score == 0.9
    assert intersection_over_union(found.box, true.box[None])[0] > 0.95
    assert np.abs(found.landmarks - true.landmarks).max() < 2


def test_several_faces_move_their_own_way():
    detector = Known(place(150, 240), place(480, 240))
    follow = FlowDetector(detector, interval=1)
    for k in range(6):
        places = place(150 + 4 * k, 240), place(480, 240 + 4 * k)
        found = follow(picture(*places), 0.1 * k)
    assert detector.calls == 1
    assert [intersection_over_union(f.box, face(p).box[None])[0] > 0.95 for f, p in zip(found, places)] == [True, True]


MIDDLE, EDGE = place(320, 240), place(45, 240)
AGAIN = [  # name, first picture, second, seconds between them, faces in the first, whether the detector runs again
    ("nothing moves", picture(MIDDLE), picture(MIDDLE), 0.1, [MIDDLE], False),
    ("no face is known", picture(), picture(MIDDLE), 0.1, [], True),
    ("the interval is over", picture(MIDDLE), picture(MIDDLE), 0.6, [MIDDLE], True),
    ("frames out of order", picture(MIDDLE), picture(MIDDLE), -0.1, [MIDDLE], False),
    ("long out of order", picture(MIDDLE), picture(MIDDLE), -0.6, [MIDDLE], True),
    ("a face is gone", picture(MIDDLE), picture(), 0.1, [MIDDLE], True),
    ("one of two is gone", picture(MIDDLE, place(520, 240)), picture(MIDDLE), 0.1, [MIDDLE, place(520, 240)], True),
    ("something covers it", picture(MIDDLE), picture(MIDDLE, texture=OTHER), 0.1, [MIDDLE], True),
    ("it jumps", picture(MIDDLE), picture(place(420, 240)), 0.1, [MIDDLE], True),
    ("it is cut off, and still", picture(EDGE), picture(EDGE), 0.1, [EDGE], False),
    ("it is cut off more", picture(EDGE), picture(place(30, 240)), 0.1, [EDGE], True),
    ("frames of another size", picture(MIDDLE), picture(MIDDLE)[::2, ::2][:, :200], 0.1, [MIDDLE], True),
    ("dark", picture(MIDDLE), picture(MIDDLE) // 50, 0.1, [MIDDLE], True),
    ("one colour", np.zeros((H, W, 3), np.uint8), np.zeros((H, W, 3), np.uint8), 0.1, [MIDDLE], True),
]


@pytest.mark.parametrize(
    ("first", "second", "seconds", "faces", "again"), [a[1:] for a in AGAIN], ids=[a[0] for a in AGAIN]
)
def test_when_the_detector_runs_again(first, second, seconds, faces, again):
    detector = Known(*faces)
    follow = FlowDetector(detector, interval=0.5)
    follow(first, 10.0)
    assert detector.calls == 1
    follow(second, 10.0 + seconds)
    assert detector.calls == 1 + again


EMPTY = [  # seconds of the frames, and those in which the detector looks
    ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2]),  # a camera that is new
    ([0.0, 0.6, 1.1, 1.2, 1.25, 1.35, 1.4], [0.0, 0.6, 1.1, 1.35]),  # from a second on
    ([0.0, 1.1, 0.2], [0.0, 1.1, 0.2]),  # out of order
]


@pytest.mark.parametrize(("times", "looks"), EMPTY)
def test_an_empty_view_is_looked_at_more_rarely(times, looks):
    detector, seen = Known(MIDDLE), []
    follow = FlowDetector(detector, interval=0.5)
    follow(picture(MIDDLE), 0.0)
    detector.places = ()
    for time in times:
        calls = detector.calls
        follow(picture(), time)
        seen += [time] * (detector.calls - calls)
    assert seen == looks
    detector.places = (MIDDLE,)
    assert len(follow(picture(MIDDLE), times[-1] + 0.21)) == 1


def test_an_interval_of_zero_detects_in_every_frame():
    detector = Known(MIDDLE)
    follow = FlowDetector(detector, interval=0)
    for k in range(3):
        follow(picture(MIDDLE), 0.1 * k)
    assert detector.calls == 3


@pytest.mark.parametrize("shape", [(48, 64), (1080, 1920), (640, 480), (1, 1900)])
def test_what_is_remembered_is_small(shape):
    follow = FlowDetector(Known(), interval=1)
    assert follow(np.zeros((*shape, 3), np.uint8), 0.0) == []
    assert follow.gray.dtype == np.uint8 and max(follow.gray.shape) <= SIDE
