"""Samples: cutting faces out of photos, and finding images that occur twice."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from fer.data import Samples, duplicates_of, redundant_copies
from fer.data import samples as samples_module
from fer.data.samples import fingerprint
from fer.faces import Detection, crop_face
from fer.io.images import read_image, write_image
from trees import make_image

TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
POINTS = np.array([[40.0, 40], [62, 45], [50, 55], [42, 66], [58, 69]])
BOX = np.array([30.0, 25, 75, 80])


def make_samples(images: list, boxes=None, landmarks=None) -> Samples:
    """Samples of one class."""
    names = [str(i) for i in range(len(images))]
    return Samples(images, np.ones((len(images), 1)), names, ("fear",), "", "", boxes, landmarks)


@pytest.mark.parametrize(
    ("landmarks", "used"),
    [
        (POINTS, POINTS),
        (np.full((5, 2), np.nan), None),  # not known: by the box
        (np.where(np.arange(10).reshape(5, 2) == 3, np.nan, POINTS), None),  # one number is missing
        (None, None),
    ],
)
@pytest.mark.parametrize(
    "box",
    [
        BOX,
        np.array([-10.0, -5, 30, 20]),  # leaves the photo
        np.array([50.0, 50, 50, 50]),  # empty
    ],
)
@pytest.mark.parametrize("size", [32, 100])
def test_photos_are_cut_as_at_inference(tmp_path, landmarks, used, box, size):
    photo = make_image(tmp_path / "a.png", (100, 120))
    samples = make_samples([str(tmp_path / "a.png")], box[None], None if landmarks is None else landmarks[None])
    crop = samples.crop(0, TEMPLATE, size)
    np.testing.assert_array_equal(crop, crop_face(photo, Detection(box, used, 0.9), TEMPLATE, size))
    assert crop.shape == (size, size, 3)


def test_a_template_without_points_cuts_by_the_box(tmp_path):
    photo = make_image(tmp_path / "a.png", (100, 120))
    samples = make_samples([str(tmp_path / "a.png")], BOX[None], POINTS[None])
    by_box = crop_face(photo, Detection(BOX, None, 0.9), TEMPLATE, 48)
    np.testing.assert_array_equal(samples.crop(0, np.empty((0, 2)), 48), by_box)


def test_valence_and_arousal_need_two_numbers_for_each_image():
    with pytest.raises(ValueError, match=r"2 images need valence and arousal \[2,2\]; got \[2\]"):
        replace(make_samples(["a", "b"]), va=np.zeros(2))


def test_crops_stay_as_they_are_stored():
    crop = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    np.testing.assert_array_equal(make_samples([crop]).crop(0, TEMPLATE, 48), crop)


def test_a_subset_keeps_rows_together(tmp_path):
    images = [make_image(tmp_path / f"{i}.png") for i in range(4)]
    boxes, landmarks = np.arange(16.0).reshape(4, 4), np.arange(40.0).reshape(4, 5, 2)
    samples = replace(make_samples(images, boxes, landmarks), targets=np.eye(4), classes=tuple("abcd"))
    for indices in (np.array([3, 1]), np.array([True, False, False, True]), np.array([], int)):
        part = samples.subset(indices)
        positions = np.arange(4)[indices]
        assert part.names == [str(i) for i in positions] and len(part) == len(positions)
        np.testing.assert_array_equal(part.targets, np.eye(4)[positions])
        np.testing.assert_array_equal(part.boxes, boxes[positions])
        np.testing.assert_array_equal(part.landmarks, landmarks[positions])
        for k, i in enumerate(positions):
            np.testing.assert_array_equal(part.read(k), images[i])


def test_fingerprints(tmp_path):
    """Equal by pixels, whatever the format; two faces of one photo differ."""
    gray = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    for name in ("a.png", "b.bmp"):
        write_image(tmp_path / name, gray)
    files = make_samples([str(tmp_path / name) for name in ("a.png", "b.bmp")] + [gray, gray.T, gray[:, ::-1]])
    numbers = [list(files.fingerprints).index(f) for f in files.fingerprints]
    assert numbers == [0, 0, 0, 3, 4]
    faces = make_samples([gray, gray, gray], np.array([[0, 0, 9, 9], [5, 5, 9, 9], [0, 0, 9, 9]]))
    numbers = [list(faces.fingerprints).index(f) for f in faces.fingerprints]
    assert numbers == [0, 1, 0]
    assert redundant_copies(faces).tolist() == [False, False, True]
    assert fingerprint(gray, BOX) == fingerprint(gray, BOX.astype(np.float32)) != fingerprint(gray)


@pytest.fixture
def pictures(tmp_path):
    """Four files: b copies a by its bytes, c by its pixels alone, d is another picture."""
    pixels = make_image(tmp_path / "a.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "b.jpg")
    write_image(tmp_path / "c.bmp", pixels)
    make_image(tmp_path / "d.png")
    return {name: str(path) for path in sorted(tmp_path.iterdir()) for name in path.stem}


@pytest.mark.parametrize(
    ("left", "right", "repeated"),
    [
        # files: the same pixels, whatever the names and formats
        ("abcd", "a", "abc"),
        ("bcd", "a", "bc"),
        ("d", "ab", ""),
        ("d", "d", "d"),
        ("", "ab", ""),
        ("ab", "", ""),
        # arrays: the same pixels
        ("ABCD", "A", "ABC"),
        ("D", "ABC", ""),
        # files and arrays: the same pixels
        ("abcd", "A", "abc"),
        ("ABCD", "a", "ABC"),
        ("aBcD", "b", "aBc"),
        # unreadable files are like no other
        ("ax", "ay", "a"),
        ("xa", "yA", "a"),
        ("x", "A", ""),
        ("X", "y", ""),
    ],
)
def test_duplicates(tmp_path, pictures, left, right, repeated):
    """Lower case: a file; upper case: its pixels; x and y: missing and damaged."""
    (tmp_path / "y").write_bytes(b"no image")
    sources = pictures | {name.upper(): read_image(path) for name, path in pictures.items()}
    sources |= {"x": str(tmp_path / "x"), "y": str(tmp_path / "y"), "X": b"no image either"}
    samples, other = (make_samples([sources[name] for name in side]) for side in (left, right))
    found = duplicates_of(samples, other)
    assert found.dtype == bool and "".join(name for name, is_one in zip(left, found) if is_one) == repeated


@pytest.mark.parametrize(
    ("left", "right", "repeated"),
    [
        ("abcd", "a", "ab"),  # c has the pixels of a in another format
        ("cd", "ab", ""),
        ("d", "d", "d"),
        ("ax", "ay", "a"),
        ("xy", "xd", ""),  # a missing file is like no other
    ],
)
def test_many_files_are_compared_by_their_bytes(tmp_path, pictures, monkeypatch, left, right, repeated):
    monkeypatch.setattr(samples_module, "DECODED_BYTES", -3)
    monkeypatch.setattr(Samples, "read", None)  # nothing is decoded
    sources = pictures | {"x": str(tmp_path / "x"), "y": str(tmp_path / "y")}
    samples, other = (make_samples([sources[name] for name in side]) for side in (left, right))
    assert "".join(name for name, is_one in zip(left, duplicates_of(samples, other)) if is_one) == repeated


def test_an_unreadable_image_is_no_redundant_copy(tmp_path):
    assert redundant_copies(make_samples([str(tmp_path / "x"), str(tmp_path / "x")])).tolist() == [False, False]


def test_duplicates_are_told_apart_by_more_than_their_size(tmp_path):
    images = [np.full((8, 8, 3), value, np.uint8) for value in (10, 20)]
    for i, image in enumerate(images):
        write_image(tmp_path / f"{i}.bmp", image)
    zero, one = (make_samples([str(tmp_path / f"{i}.bmp")]) for i in (0, 1))
    assert duplicates_of(zero, one).tolist() == [False]


def test_samples_check_their_shapes():
    with pytest.raises(ValueError, match=r"2 images and 3 classes need targets \[2,3\]"):
        Samples(["a", "b"], np.zeros((2, 4)), ["a", "b"], ("x", "y", "z"), "", "")
