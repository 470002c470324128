import hashlib
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.faces import detectors
from fer.faces.detectors import DetectorUnavailable, Haar, WholeImage, YuNet, create_detector
from fer.images import read_image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def yunet(shared) -> YuNet:
    return YuNet(shared / "models/yunet_n_320_320.onnx")


def no_network(*_, **__):
    raise OSError("no network")


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner)


@pytest.mark.parametrize("name", ["astronaut.jpg", "grace_hopper.jpg"])
def test_haar_finds_the_sample_faces(name):
    image = read_image(SAMPLES / name)
    (face,) = Haar()(image)
    assert face.landmarks is None and np.isnan(face.score)
    middle = (face.box[:2] + face.box[2:]) / 2
    expected = {"astronaut.jpg": (223, 118), "grace_hopper.jpg": (268, 192)}[name]  # between eyes and mouth
    assert np.abs(middle - expected).max() < 40


@pytest.mark.parametrize("name", ["astronaut.jpg", "grace_hopper.jpg"])
def test_yunet_agrees_with_haar_and_gives_landmarks(yunet, name):
    image = read_image(SAMPLES / name)
    (face,) = yunet(image)
    (other,) = Haar()(image)
    assert overlap(face.box, other.box) > 0.4
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is at the left of the picture
    assert right_eye[1] < nose[1] < right_mouth[1]
    assert right_mouth[0] < left_mouth[0]
    assert 0.6 < face.score <= 1


@pytest.mark.parametrize("factor", [0.25, 4])
def test_yunet_gives_pixels_of_the_image_whatever_its_size(yunet, factor):
    image = read_image(SAMPLES / "astronaut.jpg")
    (face,) = yunet(image)
    (scaled,) = yunet(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    assert overlap(face.box, scaled.box / factor) > 0.8
    assert np.abs(scaled.landmarks / factor - face.landmarks).max() < 8


@pytest.mark.parametrize("shape", [(300, 400, 3), (1, 1, 3), (2, 900, 3), (48, 48, 3)])
def test_no_face(yunet, shape):
    image = np.full(shape, 90, np.uint8)
    assert yunet(image) == []
    assert Haar()(image) == []


def test_faces_come_largest_first(shared, yunet):
    faces = yunet(read_image(shared / "photos/multi_face.jpg"))
    areas = [np.prod(f.box[2:] - f.box[:2]) for f in faces]
    assert len(faces) > 1 and areas == sorted(areas, reverse=True)


def test_none_takes_the_whole_image():
    (face,) = WholeImage()(np.zeros((20, 30, 3), np.uint8))
    assert face.box.tolist() == [0, 0, 30, 20]


def test_an_unknown_detector_lists_the_choices():
    with pytest.raises(ValueError, match="unknown detector 'mtcnn'; choose one of auto, yunet, haar, none"):
        create_detector("mtcnn")


def test_auto_falls_back_to_haar_and_says_so(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    monkeypatch.setattr("pooch.retrieve", no_network)
    with caplog.at_level(logging.WARNING, "fer"):
        assert create_detector("auto").name == "haar"
    (record,) = caplog.records
    assert "could not be downloaded" in record.message and "Falling back to the Haar detector" in record.message


def test_yunet_by_name_does_not_fall_back(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    monkeypatch.setattr("pooch.retrieve", no_network)
    with pytest.raises(DetectorUnavailable, match="--detector-weights"):
        create_detector("yunet")


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_given_weights_are_never_replaced(tmp_path, name):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DetectorUnavailable, match="cannot open it as a YuNet model"):
        create_detector(name, tmp_path / "text.onnx")
    with pytest.raises(DetectorUnavailable, match="no such detector model"):
        create_detector(name, tmp_path / "missing.onnx")


def test_the_download_is_kept_verified_and_used_again(monkeypatch, tmp_path, shared):
    """The real pooch, fetching from a local file in place of the internet."""
    model = shared / "models/yunet_n_320_320.onnx"
    served = tmp_path / "served.onnx"
    served.write_bytes(model.read_bytes())

    class CopyDownloader:
        def __call__(self, url, output, pooch):
            Path(output).write_bytes(served.read_bytes())

    monkeypatch.setattr("pooch.core.choose_downloader", lambda *_, **__: CopyDownloader())
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(detectors, "YUNET_SHA256", hashlib.sha256(model.read_bytes()).hexdigest())
    assert create_detector("yunet").name == "yunet"
    served.unlink()
    assert create_detector("yunet").name == "yunet"  # from the cache

    served.write_bytes(model.read_bytes()[:-1])  # a damaged download
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "other"))
    with pytest.raises(DetectorUnavailable, match="could not be downloaded"):
        create_detector("yunet")
    assert [p for p in (tmp_path / "other").rglob("*") if p.is_file()] == []
