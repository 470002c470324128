"""YuNet: the faces that OpenCV finds, in pixels of the image."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.faces.detection import intersection_over_union
from fer.faces.detectors import YuNet
from fer.faces.yunet import MAX_OVERLAP, MIN_SCORE, STRIDES, WEIGHTS, decode, suppress
from fer.io.images import read_image
from fer.io.video import VideoReader

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet()


@pytest.mark.parametrize(("name", "place"), [("astronaut.jpg", (223, 118)), ("grace_hopper.jpg", (268, 192))])
def test_the_sample_faces(yunet, name, place):
    (face,) = yunet(read_image(SAMPLES / name))
    assert np.abs((face.box[:2] + face.box[2:]) / 2 - place).max() < 40  # between eyes and mouth, by eye
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is at the left of the picture
    assert right_eye[1] < nose[1] < right_mouth[1]
    assert right_mouth[0] < left_mouth[0]
    assert 0.6 < face.detection_score <= 1


def by_opencv(image: np.ndarray) -> np.ndarray:
    """OpenCV's own YuNet on the image as it is -> rows x, y, w, h, landmarks, score."""
    net = cv2.FaceDetectorYN.create(str(WEIGHTS), "", image.shape[1::-1], MIN_SCORE, MAX_OVERLAP, 5000)
    rows = net.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    return np.empty((0, 15)) if rows is None else rows


def same_faces(image: np.ndarray, yunet: YuNet) -> int:
    """How many faces both find, to a hundredth of a pixel; fails where they do not."""
    largest = sorted(by_opencv(image), key=lambda row: -row[2] * row[3])
    found = yunet(image)
    assert len(found) == len(largest)
    for face, row in zip(found, largest):
        box = np.concatenate([row[:2], row[:2] + row[2:4]])
        np.testing.assert_allclose(face.box, box, atol=0.01)
        np.testing.assert_allclose(face.landmarks, row[4:14].reshape(5, 2), atol=0.01)
        assert face.detection_score == pytest.approx(row[14], abs=1e-4)
    return len(found)


@pytest.mark.skipif(not hasattr(cv2, "FaceDetectorYN"), reason="this OpenCV has no FaceDetectorYN")
@pytest.mark.parametrize(
    "name", ["single_face.jpg", "multi_face.jpg", "Image_with_alpha.png", "single_face.mp4", "no_face.mp4"]
)
def test_the_faces_are_those_that_opencv_finds(shared, yunet, name):
    path, counts = shared / "photos" / name, []
    images = (f.image for f in VideoReader(path)) if path.suffix == ".mp4" else [read_image(path)]
    for number, image in enumerate(images):
        if number % 10 == 0:
            scale = min(1, 640 / max(image.shape[:2]))
            counts.append(same_faces(cv2.resize(image, None, fx=scale, fy=scale), yunet))
    assert (sum(counts) == 0) == (name == "no_face.mp4")


def test_outputs_mean_what_the_paper_says():
    """Against a loop over places, for random outputs."""
    rng, rows, columns = np.random.default_rng(0), 4, 8  # of the smallest stride
    outputs = {}
    for stride in STRIDES:
        places = rows * columns * STRIDES[0] ** 2 // stride**2
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = rng.uniform(-0.2, 1.2, (1, places, width)).astype(np.float32)
    outputs["bbox_8"][0, 3, 2] = np.inf  # of a damaged network: no face
    expected = []
    for stride in STRIDES:
        cls, obj, bbox, kps = (outputs[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
        wide = columns * STRIDES[0] // stride
        for i in range(len(cls)):
            score = math.sqrt(min(max(cls[i, 0], 0), 1) * min(max(obj[i, 0], 0), 1))
            row, column = divmod(i, wide)
            x, y = (column + bbox[i, 0]) * stride, (row + bbox[i, 1]) * stride
            w, h = np.exp(bbox[i, 2]) * stride, np.exp(bbox[i, 3]) * stride
            if score >= 0.5 and np.isfinite(w):
                points = [((column + kps[i, 2 * k]) * stride, (row + kps[i, 2 * k + 1]) * stride) for k in range(5)]
                expected.append(([x - w / 2, y - h / 2, x + w / 2, y + h / 2], points, score))
    boxes, landmarks, scores = decode(outputs, columns, 0.5)
    assert 5 < len(boxes) == len(expected)
    for values, i in ((boxes, 0), (landmarks, 1), (scores, 2)):
        np.testing.assert_allclose(values, [e[i] for e in expected], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 40])
def test_suppression_is_that_of_opencv(n):
    rng = np.random.default_rng(n)
    corners = rng.uniform(0, 60, (n, 2))
    boxes, scores = np.concatenate([corners, corners + rng.uniform(10, 40, (n, 2))], 1), rng.uniform(0.6, 1, n)
    whole = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).astype(int).tolist()
    expected = cv2.dnn.NMSBoxes(whole, scores.tolist(), 0.0, MAX_OVERLAP) if n else []
    assert suppress(boxes, scores) == list(expected)


@pytest.mark.parametrize("factor", [0.25, 4])
def test_yunet_gives_pixels_of_the_image_whatever_its_size(yunet, factor):
    image = read_image(SAMPLES / "astronaut.jpg")
    (face,) = yunet(image)
    (scaled,) = yunet(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    assert intersection_over_union(face.box, scaled.box[None] / factor) > 0.8
    assert np.abs(scaled.landmarks / factor - face.landmarks).max() < 8


@pytest.mark.parametrize("shape", [(300, 400, 3), (1, 1, 3), (2, 900, 3), (48, 48, 3)])
def test_no_face(yunet, shape):
    image = np.full(shape, 90, np.uint8)
    assert yunet(image) == []


def test_faces_come_largest_first(shared, yunet):
    faces = yunet(read_image(shared / "photos/multi_face.jpg"))
    areas = [np.prod(f.box[2:] - f.box[:2]) for f in faces]
    assert len(faces) > 1 and areas == sorted(areas, reverse=True)
