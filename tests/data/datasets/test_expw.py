"""ExpW: photos with several labelled faces."""

import numpy as np
import pytest

from fer.data import load_samples
from fer.data.datasets.expw import load_expw
from fer.faces import Detection, crop_face
from trees import drawn, labels_of, make_files, make_image, write_text

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # 0 to 6
TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def make_expw(root, *lines: str):
    write_text(root / "label" / "label.lst", *lines)
    (root / "image" / "origin").mkdir(parents=True)
    return root


@pytest.mark.parametrize("folder", ["", "data"])
def test_faces_stay_with_their_photo(tmp_path, folder):
    """Photo i holds i % 3 + 1 faces."""
    lines, expected = [], {}
    for i in range(60):
        photo = f"angry man_{i}.jpg"  # its name has a blank
        for face in range(i % 3 + 1):
            label = (i + face) % 7
            lines.append(f"{photo} {face} {10 + i} {20 + face} {110 + i} {90 + face} 57.9 {label}")
            box = (20 + face, 10 + i, 110 + i, 90 + face)  # top left right bottom -> left top right bottom
            expected[f"{photo}#{face}"] = (LABELS[label], box, str(tmp_path / folder / "image/origin" / photo))
    make_expw(tmp_path / folder, *lines)
    splits = drawn(load_expw, tmp_path, "train", "val", "test")
    found = {
        name: (label, tuple(box), image)
        for s in splits
        for name, label, box, image in zip(s.names, labels_of(s), s.boxes.tolist(), s.images)
    }
    assert found == expected and splits[0].landmarks is None
    photos = [set(s.images) for s in splits]
    assert [len(p) for p in photos] == [48, 6, 6] and len(set.union(*photos)) == 60  # none in two splits
    assert splits[1].layout == "official; val drawn from all"


def test_faces_are_cut_by_their_boxes(tmp_path):
    make_expw(tmp_path, "a b  c.png 0 10 20 60 80 57.9 3", "a b  c.png 1 5 50 90 50 11 0")
    photo = make_image(tmp_path / "image/origin/a b  c.png", (100, 110))
    samples = load_samples("expw", tmp_path, "train")  # one photo alone stays in train
    assert samples.names == ["a b  c.png#0", "a b  c.png#1"]
    for i, box in enumerate(([20, 10, 60, 80], [50, 5, 90, 50])):
        expected = crop_face(photo, Detection(np.array(box), None, 1.0), TEMPLATE, 48)
        np.testing.assert_array_equal(samples.crop(i, TEMPLATE, 48), expected)


@pytest.mark.parametrize(
    "line",
    [
        "b.jpg 0 1 2 3 4 57.9",  # a column is missing
        "b.jpg 0 1 2 3 4 57.9 7",  # no such label
        "b.jpg 0 1 2 x 4 57.9 1",
        "",
    ],
)
def test_a_damaged_list_names_its_line(tmp_path, line):
    make_expw(tmp_path, "a.jpg 0 1 2 3 4 57.9 1", line, "c.jpg 0 1 2 3 4 57.9 1")
    with pytest.raises(ValueError, match="label.lst, line 2: expected image_name face_id top left right bottom"):
        load_samples("expw", tmp_path, "train")


def test_a_list_without_photos(tmp_path):
    make_files(tmp_path, "data/label/label.lst")
    with pytest.raises(
        ValueError, match="label/label.lst is here, but the photos in image/origin/ are not; unpack them too"
    ):
        load_samples("expw", tmp_path, "train")
