import cv2
import numpy as np
import pytest

from conftest import TEMPLATE
from fer.faces.alignment import (
    align_crop,
    crop_face,
    crop_transform,
    is_upright,
    measure_template,
    similarity_transform,
)
from fer.faces.detectors import Detection

rng = np.random.default_rng(0)


def rotation(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray(points) @ transform[:, :2].T + transform[:, 2]


@pytest.mark.parametrize("angle", [0, 0.4, -2.5])
def test_a_similarity_is_recovered_exactly(angle):
    points = rng.uniform(0, 100, (5, 2))
    expected = rotation(angle, 1.7, (3, -8))
    np.testing.assert_allclose(similarity_transform(points, apply(expected, points)), expected, atol=1e-9)


def test_of_noisy_points_the_least_squares_similarity_is_taken():
    """As OpenCV's estimate over all points, which minimises the same error."""
    points, target = rng.uniform(0, 100, (5, 2)), rng.uniform(0, 1, (5, 2))
    ours = np.square(apply(similarity_transform(points, target), points) - target).sum()
    for _ in range(200):
        other = similarity_transform(points, target) + rng.normal(0, 1e-3, (2, 3)) * [[1, 1, 10], [1, 1, 10]]
        other[1, :2] = -other[0, 1], other[0, 0]  # a similarity again
        assert np.square(apply(other, points) - target).sum() >= ours


def face_image(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Black, with a white dot on each landmark."""
    image = np.zeros((size, size, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(
            image, (int(x * 16), int(y * 16)), int(size / 50 * 16), (255, 255, 255), cv2.FILLED, cv2.LINE_AA, shift=4
        )
    return image


@pytest.mark.parametrize("side", [48, 200, 900])  # a face smaller than, as large as and much larger than the crop
@pytest.mark.parametrize("angle", [0, 0.5])
def test_landmarks_land_on_the_template(side, angle):
    template = np.array(TEMPLATE)
    landmarks = apply(rotation(angle, side, (500 - side / 2, 500 - side / 2)), template - 0.5) + side / 2
    crop = crop_face(face_image(landmarks, 1000), Detection(np.zeros(4), landmarks, 1.0), template, 96)
    assert crop.shape == (96, 96, 3)
    for x, y in template * 96:
        window = crop[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9, 0].astype(float)
        centre = [(window * grid).sum() / window.sum() - 8 for grid in np.mgrid[:17, :17]]
        found = np.array(centre)[::-1] + [int(x), int(y)] + 0.5
        np.testing.assert_allclose(found, [x, y], atol=0.8)


def test_without_landmarks_the_square_around_the_box_is_taken():
    image = rng.integers(0, 255, (100, 100, 3), np.uint8)
    square = Detection(np.array([20, 30, 68, 78.0]), None, 1.0)
    np.testing.assert_array_equal(crop_face(image, square, np.array(TEMPLATE), 48), image[30:78, 20:68])
    upright = Detection(np.array([30, 30, 58, 78.0]), None, 1.0)  # narrower: widened to its height
    np.testing.assert_array_equal(crop_face(image, upright, np.array(TEMPLATE), 48), image[30:78, 20:68])


def test_what_lies_outside_the_image_repeats_its_border():
    image = np.full((50, 50, 3), 7, np.uint8)
    crop = crop_face(image, Detection(np.array([-30, -30, 20, 20.0]), None, 1.0), np.empty((0, 2)), 48)
    assert (crop == 7).all()


def test_a_large_face_is_averaged_not_sampled():
    stripes = np.zeros((960, 960, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_face(stripes, Detection(np.array([0, 0, 960, 960.0]), None, 1.0), np.empty((0, 2)), 48)
    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_an_empty_box_does_not_divide_by_zero():
    transform = crop_transform(Detection(np.array([5, 5, 5, 5.0]), None, 1.0), np.empty((0, 2)))
    assert np.isfinite(transform).all()


def test_a_dataset_crop_is_brought_to_the_template():
    """A dot where the detector sees the nose lands on the template's nose; no face leaves it to the caller."""
    crop = np.zeros((48, 48, 3), np.uint8)
    crop[30:34, 20:24] = 255  # around (22, 32)
    points = np.array([[14, 22], [30, 22], [22, 32], [16, 40], [28, 40]], float)

    def detector(image):
        assert image.shape == (112, 112, 3)
        return [Detection(np.array([0, 0, 112, 112.0]), points * 112 / 48, 1.0)]

    template = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    aligned = align_crop(crop, detector, template, 48)
    y, x = (v.mean() for v in np.nonzero(aligned[..., 0] > 127))
    assert (x + 0.5, y + 0.5) == pytest.approx((24, 28.8), abs=1)
    assert align_crop(crop, lambda image: [], template, 48) is None


def test_the_template_is_the_symmetric_median_of_what_the_detector_sees():
    template = np.array(TEMPLATE)
    tilted = template + [0.04, 0.0]  # all crops lie a little to the right: mirrored, they lie to the left

    def detector(image):
        assert image.shape == (112, 112, 3)
        return [Detection(np.zeros(4), tilted * 112, 1.0)] if image[0, 0, 0] else []

    crops = [np.full((48, 48, 3), value, np.uint8) for value in (0, 9, 9, 9)]
    measured, found = measure_template(crops, detector)
    np.testing.assert_allclose(measured, template, atol=1e-6)
    assert found == 0.75
    with pytest.raises(ValueError, match="no face was found in 1 crops"):
        measure_template(crops[:1], detector)


@pytest.mark.parametrize(
    ("degrees", "upright"), [(0, True), (24, True), (-24, True), (26, False), (-90, False), (180, False)]
)
def test_upright_faces(degrees, upright):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = np.stack([100 * np.array(TEMPLATE) @ turn, np.full((5, 2), np.nan)])
    assert is_upright(turned).tolist() == [upright, False]
