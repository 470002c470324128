"""How well a face can be seen: known poses come back, and what spoils a picture lowers its figures."""

import pickle
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.data import load_samples
from fer.faces import Detection, create_detector
from fer.faces.quality import MODEL, Quality, head_pose, measure_quality, measure_sharpness
from fer.io.images import read_image
from fer.io.video import VideoReader


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """First tilt the head, then turn it up, then to the image's right (axes: right, down, away), by OpenCV."""
    around_y, around_x, around_z = (
        cv2.Rodrigues(np.radians(turn))[0] for turn in [(0.0, -yaw, 0.0), (-pitch, 0.0, 0.0), (0.0, 0.0, roll)]
    )
    return around_y @ around_x @ around_z


def project(angles: tuple, scale: float = 40, shift: tuple = (100, 50)) -> np.ndarray:
    """A scaled orthographic projection of the model, [5,2]."""
    return scale * (MODEL @ rotation(*angles).T)[:, :2] + shift


POSES = [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 25), (-40, 15, 10), (60, -30, -50)]


@pytest.mark.parametrize("angles", POSES)
def test_known_poses_come_back(angles):
    assert head_pose(project(angles)) == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize("angles", POSES)
def test_noise_of_a_pixel_in_a_hundred_costs_few_degrees(angles):
    noise = np.random.default_rng(0).normal(0, 0.4, (200, 5, 2))  # the eyes are 40 pixels apart
    errors = [np.subtract(head_pose(project(angles) + n), angles) for n in noise]
    assert np.abs(np.mean(errors, 0)).max() < 1 and np.std(errors, 0).max() < 3


@pytest.mark.parametrize(
    ("angles", "index", "sign"),
    [((20, 0, 0), 0, 1), ((-20, 0, 0), 0, -1), ((0, 20, 0), 1, -1), ((0, -20, 0), 1, 1)],  # y points down
)
def test_the_nose_moves_where_the_face_turns(angles, index, sign):
    moved = project(angles) - project(angles).mean(0) - (project((0, 0, 0)) - project((0, 0, 0)).mean(0))
    assert np.sign(moved[2, index]) == sign


@pytest.mark.parametrize("angles", POSES)
def test_the_mirrored_face_turns_the_other_way(angles):
    mirrored = (project(angles) * (-1, 1))[[1, 0, 2, 4, 3]]
    assert head_pose(mirrored) == pytest.approx(np.multiply(angles, (-1, 1, -1)), abs=1e-6)


@pytest.mark.parametrize(
    "landmarks",
    [np.ones((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf)],  # all in one place; unknown; damaged
)
def test_landmarks_that_give_no_pose(landmarks):
    assert np.isnan(head_pose(landmarks)).all()


def test_the_figures_of_a_face():
    gray = np.full((48, 48), 51, np.uint8)
    found = measure_quality(gray, Detection(np.array([10, 20, 40, 60.5]), None, 0.9), factor=2)
    assert found == Quality(60, 0, 0.2, np.nan, np.nan, np.nan)
    rgb = np.dstack([gray, gray, gray])
    assert measure_quality(rgb, Detection(np.array([10, 20, 40, 60.5]), None, 0.9), factor=2) == found
    with_landmarks = measure_quality(gray, Detection(np.array([0, 0, 40, 30]), project((10, 5, 0)), 0.9))
    assert (with_landmarks.size, round(with_landmarks.yaw), round(with_landmarks.pitch)) == (30, 10, 5)


def test_qualities_are_equal_by_value_also_where_they_are_nan():
    made = Quality(60, 1, 0.2, float("nan"), 2, 3)
    assert made == pickle.loads(pickle.dumps(made)) != Quality(60, 1, 0.2, float("nan"), 2, 4)
    assert made != (60, 1, 0.2, float("nan"), 2, 3)


@pytest.mark.parametrize("period", [4, 6, 8, 12])
def test_the_sharpness_of_a_wave_is_that_of_its_formula(period):
    """cos(wx): the Laplacian's energy is (2 - 2 cos w)^2, the gradient's 2 - 2 cos w, in the same unit."""
    wave = np.tile(np.round(127.5 + 120 * np.cos(2 * np.pi * np.arange(49) / period)), (49, 1)).astype(np.uint8)
    assert measure_sharpness(wave) == pytest.approx(2 - 2 * np.cos(2 * np.pi / period), rel=0.06)


def resample(gray: np.ndarray, side: int) -> np.ndarray:
    small = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_CUBIC)


def blur(gray: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(gray, (0, 0), sigma)


@cache
def load_faces(folder: Path) -> list[np.ndarray]:
    samples = load_samples("ferplus", folder, "val", "all")
    return [read_image(samples.images[i]) for i in range(0, len(samples.images), 10)]


@pytest.fixture
def real_faces(shared) -> list[np.ndarray]:
    """Every tenth validation image of FER+, RGB."""
    return load_faces(shared / "data/ferplus")


WORSE = [  # each row gets worse from left to right
    [lambda g: g, lambda g: blur(g, 0.5), lambda g: blur(g, 1), lambda g: blur(g, 2)],
    [lambda g: g, lambda g: resample(g, 32), lambda g: resample(g, 24), lambda g: resample(g, 16)],
]


@pytest.mark.parametrize("degrees", WORSE, ids=["blur", "resolution"])
def test_real_faces_lose_sharpness(real_faces, degrees):
    found = np.array([[measure_sharpness(degree(face[..., 0])) for degree in degrees] for face in real_faces])
    assert (np.diff(found, axis=1) < 0).all()
    assert np.percentile(found[:, 3], 99) < np.percentile(found[:, 0], 1)  # the worst are apart from the best


@pytest.mark.parametrize(
    "change",
    [lambda g: g // 2, lambda g: 64 + g // 2, lambda g: 255 - g],
    ids=["half as bright", "half the contrast", "negative"],
)
def test_light_and_contrast_hardly_change_the_sharpness(real_faces, change):
    ratios = [measure_sharpness(change(face[..., 0])) / measure_sharpness(face[..., 0]) for face in real_faces]
    assert np.abs(np.median(ratios) - 1) < 0.02 and np.percentile(np.abs(np.subtract(ratios, 1)), 95) < 0.1


def test_real_faces_look_ahead_and_their_mirror_images_the_other_way(real_faces):
    detector = create_detector()
    poses = []
    for face in real_faces:
        large = cv2.resize(face, (112, 112), interpolation=cv2.INTER_CUBIC)
        both = detector(large), detector(np.ascontiguousarray(large[:, ::-1]))
        if all(len(found) == 1 for found in both):
            poses.append([head_pose(found[0].landmarks) for found in both])
    straight, mirrored = np.moveaxis(np.array(poses), 1, 0)  # [N,3] each
    assert len(poses) > 250
    assert np.abs(np.median(straight, 0)).max() < 5  # YuNet's own bias in yaw is -3
    assert (np.median(np.abs(straight * (1, -1, 1) + mirrored), axis=0) < (7, 4, 7)).all()
    assert np.corrcoef(straight[:, 0], mirrored[:, 0])[0, 1] < -0.7
    assert np.corrcoef(straight[:, 1], mirrored[:, 1])[0, 1] > 0.7
    assert 8 < straight[:, 0].std() < 25 and 3 < straight[:, 1].std() < 12


def test_a_head_that_turns_in_a_video(shared):
    """In the clip a woman looks down (frames 24 to 72), to the image's left (144), and a little to its right (312)."""
    detector, poses = create_detector(), {}
    for frame in VideoReader(shared / "photos/WolfgangLanger_Pexels.mp4"):
        if frame.number in (24, 48, 72, 144, 240, 312):
            poses[frame.number] = head_pose(detector(frame.image)[0].landmarks)
        if frame.number == 312:
            break
    assert all(-20 < poses[number][1] < -7 for number in (24, 48, 72))
    assert -35 < poses[144][0] < -12 and 5 < poses[312][0] < 25
    assert np.abs(poses[240]).max() < 7  # straight ahead
