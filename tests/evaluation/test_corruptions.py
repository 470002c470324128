"""Corruptions spoil an image the more, the stronger they are, and leave its shape."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from conftest import TEMPLATE
from fer.data import Samples
from fer.evaluation.corruptions import CORRUPTIONS, corrupt_samples

NAMED = {corruption.name: corruption for corruption in CORRUPTIONS}
RNG = np.random.default_rng(0)
IMAGE = cv2.normalize(
    cv2.GaussianBlur(RNG.normal(size=(60, 48, 3)), (0, 0), 4), np.empty(0), 0, 255, cv2.NORM_MINMAX
).astype(np.uint8)


def make_samples(n: int) -> Samples:
    images = list(RNG.integers(0, 256, (n, 48, 48, 3), np.uint8))
    return Samples(
        images, np.eye(2)[np.arange(n) % 2], [f"{i}.png" for i in range(n)], ("neutral", "anger"), "", "label"
    )


@pytest.mark.parametrize("name", [name for name, c in NAMED.items() if len(c.strengths) > 1])
def test_stronger_is_further_from_the_image(name):
    changed = [NAMED[name].corrupt(IMAGE, s, 1, np.array(TEMPLATE)) for s in NAMED[name].strengths]
    assert all(c.shape == IMAGE.shape and c.dtype == np.uint8 for c in changed)
    distances = [np.abs(c.astype(int) - IMAGE).mean() for c in changed]
    assert distances == sorted(distances) and distances[-1] > distances[0]


@pytest.mark.parametrize(
    ("name", "strength", "expected"),
    [
        ("darkness", 0.5, (IMAGE * 0.5).astype(np.uint8)),
        ("low resolution", 48, IMAGE),  # as large already
        ("rotation", 0, IMAGE),
    ],
)
def test_images_that_are_known(name, strength, expected):
    assert np.array_equal(NAMED[name].corrupt(IMAGE, strength, 0, np.array(TEMPLATE)), expected)


@pytest.mark.parametrize(
    ("name", "rows"), [("eyes covered", (0.39 - 0.08, 0.39 + 0.08)), ("mouth covered", (0.68, 0.84))]
)
def test_the_band_lies_over_the_landmarks(name, rows):
    image = np.zeros((100, 100, 3), np.uint8)
    covered = NAMED[name].corrupt(image, 0.08, 0, np.array(TEMPLATE))[..., 0] == 128
    assert np.flatnonzero(covered.any(1)).tolist() == list(range(round(100 * rows[0]), round(100 * rows[1])))
    assert covered[:, 50].any() and not covered[:, 5].any()


def test_gray_has_no_colour():
    gray = NAMED["gray"].corrupt(IMAGE, 1, 0, np.array(TEMPLATE))
    assert np.ptp(gray, axis=2).max() == 0 and np.abs(gray[..., 0] - IMAGE @ (0.299, 0.587, 0.114)).max() < 1


def test_samples_are_corrupted_when_they_are_read():
    samples = make_samples(6)
    dark = corrupt_samples(samples, NAMED["darkness"], 0.5, np.array(TEMPLATE))
    assert np.array_equal(dark.read(2), (samples.read(2) * 0.5).astype(np.uint8))
    assert np.array_equal(dark.crop(2, np.array(TEMPLATE), 32), dark.read(2))
    assert np.array_equal(dark.subset(np.array([2])).read(0), dark.read(2))
    noisy = corrupt_samples(samples, NAMED["noise"], 25, np.array(TEMPLATE))
    assert np.array_equal(noisy.read(1), noisy.read(1)) and not np.array_equal(noisy.read(1), samples.read(1))


def test_faces_in_photos_are_corrupted_as_they_are_cut_out():
    samples = make_samples(2)
    height, width = samples.read(0).shape[:2]
    photos = replace(samples, boxes=np.array([[0, 0, width, height]] * 2, float), landmarks=np.full((2, 5, 2), np.nan))
    dark = corrupt_samples(photos, NAMED["darkness"], 0.5, np.array(TEMPLATE))
    assert np.array_equal(dark.read(0), photos.read(0))
    crop = photos.crop(0, np.array(TEMPLATE), 32)
    assert np.array_equal(dark.crop(0, np.array(TEMPLATE), 32), (crop * 0.5).astype(np.uint8))
