"""RAF-DB, basic and compound: the official tree with aligned crops or photos, and the mirror in folders."""

from collections import Counter

import numpy as np
import pytest

from fer.data import DATASETS, load_samples
from fer.data.datasets.rafdb import load_rafdb, load_rafdb_compound
from fer.faces import Detection, crop_face
from trees import by_name, drawn, labels_of, make_files, make_image, write_text

BASIC = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1 to 7
COMPOUND = (  # 1 to 11
    "happily surprised",
    "happily disgusted",
    "sadly fearful",
    "sadly angry",
    "sadly surprised",
    "sadly disgusted",
    "fearfully angry",
    "fearfully surprised",
    "angrily surprised",
    "angrily disgusted",
    "disgustedly surprised",
)
COUNTS = {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)}  # 1 to 7
LIST = "EmoLabel/list_patition_label.txt"  # sic
TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def list_lines(counts: dict[str, tuple[int, ...]]) -> list[str]:
    """Lines of a label list with so many images of label 1, 2, ... in each part, mixed as in the release."""
    lines = []
    for part, digits in (("train", 5), ("test", 4)):
        numbers = counts.get(part, ())
        labels = np.repeat(np.arange(1, len(numbers) + 1), numbers)
        np.random.default_rng(0).shuffle(labels)
        lines += [f"{part}_{i:0{digits}d}.jpg {label}" for i, label in enumerate(labels, 1)]
    return lines


def make_aligned(root, lines: list[str]):
    """The official tree with an aligned crop for each line."""
    write_text(root / LIST, *lines)
    (root / "Image" / "aligned").mkdir(parents=True)
    for line in lines:
        make_image(root / "Image" / "aligned" / f"{line.split('.')[0]}_aligned.jpg", (100, 100))
    return root


@pytest.mark.parametrize("folder", ["", "basic", "raf-basic"])
def test_official_tree(tmp_path, folder):
    root = make_aligned(tmp_path / folder, list_lines({"train": (2,) * 7, "test": (1,) * 7}))
    train, val = drawn(load_rafdb, tmp_path, "train", "val")
    test = load_samples("rafdb", tmp_path, "test")
    assert (test.layout, train.layout) == ("official", "official; val drawn from train")
    assert test.boxes is test.landmarks is None
    expected = dict(line.split() for line in list_lines({"train": (2,) * 7, "test": (1,) * 7}))
    expected = {name: BASIC[int(label) - 1] for name, label in expected.items()}
    assert by_name(train) | by_name(val) | by_name(test) == expected
    assert test.names == [f"test_{i:04d}.jpg" for i in range(1, 8)]  # in the order of the list
    assert test.images[0] == str(root / "Image/aligned/test_0001_aligned.jpg")
    assert test.crop(0, TEMPLATE, 48).shape == (100, 100, 3)  # a crop stays as it is stored


def test_the_mended_name_of_the_list(tmp_path):
    write_text(tmp_path / "EmoLabel/list_partition_label.txt", "test_0001.jpg 4", "", "  test_0002.jpg 7  ")
    make_files(tmp_path, "Image/aligned/")
    expected = {"test_0001.jpg": "happiness", "test_0002.jpg": "neutral"}  # an empty line and blanks do no harm
    assert by_name(load_samples("rafdb", tmp_path, "test")) == expected


def test_the_counts_of_the_release(tmp_path):
    """12,271 training and 3,068 test images; no image is opened, none is there."""
    lines = list_lines(COUNTS)
    assert (len(lines), sum("train" in line for line in lines)) == (12_271 + 3_068, 12_271)
    write_text(tmp_path / "basic" / LIST, *lines)
    make_files(tmp_path, "basic/Image/aligned/")
    train, val = drawn(load_rafdb, tmp_path, "train", "val")
    test = load_samples("rafdb", tmp_path, "test")
    assert test.counts() == dict(zip(BASIC, COUNTS["test"]))
    assert Counter(labels_of(train)) + Counter(labels_of(val)) == Counter(dict(zip(BASIC, COUNTS["train"])))
    for label, number in zip(BASIC, COUNTS["train"]):
        assert val.counts()[label] == pytest.approx(number / 10, abs=1), label
    assert (len(train) + len(val), len(test)) == (12_271, 3_068)
    assert DATASETS["rafdb"].official == {"train+val": (12_271,), "test": (3_068,)}
    assert by_name(train) | by_name(val) | by_name(test) == {
        name: BASIC[int(label) - 1] for name, label in (line.split() for line in lines)
    }


POINTS = np.array([[30.5, 40], [70, 42], [51, 60], [35, 80], [66, 81]])


def write_points(root, name: str, points: np.ndarray) -> None:
    """Five lines x, tab, y; then gender, race and age."""
    write_text(root / f"Annotation/manual/{name}_manu_attri.txt", *(f"{x:f}\t{y:f}" for x, y in points), "1", "0", "2")


def test_photos_with_landmarks_or_boxes(tmp_path):
    """Image/original alone: each photo needs its landmarks, its box, or both."""
    root = tmp_path / "basic"
    write_text(root / LIST, *(f"test_000{i}.jpg {i}" for i in (1, 2, 3)), "train_00001.jpg 5")
    for i in (1, 2, 3):
        make_image(root / f"Image/original/test_000{i}.jpg", (120, 110))
    write_points(root, "test_0001", POINTS)
    write_text(root / "Annotation/boundingbox/test_0002_boundingbox.txt", "20.0 22.0 90.0 101.0 ")
    write_points(root, "test_0003", POINTS[[1, 0, 2, 4, 3]])  # the person's right and left
    write_text(root / "Annotation/boundingbox/test_0003_boundingbox.txt", "21.0 23.0 91.0 102.0")
    test = load_samples("rafdb", tmp_path, "test")
    assert test.images[1] == str(root / "Image/original/test_0002.jpg")
    assert by_name(test) == {"test_0001.jpg": "surprise", "test_0002.jpg": "fear", "test_0003.jpg": "disgust"}
    np.testing.assert_allclose(test.boxes, [[30.5, 40, 70, 81], [20, 22, 90, 101], [21, 23, 91, 102]])
    np.testing.assert_allclose(test.landmarks, [POINTS, np.full((5, 2), np.nan), POINTS])  # from left to right
    for i, landmarks in enumerate((POINTS, None, POINTS)):
        expected = crop_face(test.read(i), Detection(test.boxes[i], landmarks, 1.0), TEMPLATE, 64)
        np.testing.assert_array_equal(test.crop(i, TEMPLATE, 64), expected)


@pytest.mark.parametrize(
    ("annotation", "content", "message"),
    [
        (
            "manual/test_0002_manu_attri.txt",
            "1\t2",
            "test_0001.jpg is a full photo without annotation: neither .*manual/test_0001_manu",
        ),
        ("manual/test_0001_manu_attri.txt", "30\t40\n70\t40", "test_0001_manu_attri.txt: expected"),  # cut off
        ("manual/test_0001_manu_attri.txt", "x\ty\n" * 5, "test_0001_manu_attri.txt: expected"),
        ("boundingbox/test_0001_boundingbox.txt", "1 2 3", "test_0001_boundingbox.txt: expected"),
        ("boundingbox/test_0001_boundingbox.txt", "7", "test_0001_boundingbox.txt: expected"),
    ],
)
def test_photos_with_missing_or_damaged_annotations(tmp_path, annotation, content, message):
    write_text(tmp_path / LIST, "test_0001.jpg 5")
    make_files(tmp_path, "Image/original/test_0001.jpg")
    write_text(tmp_path / "Annotation" / annotation, content)
    with pytest.raises(ValueError, match=message):
        load_samples("rafdb", tmp_path, "test")


def test_aligned_crops_are_preferred_to_photos(tmp_path):
    make_aligned(tmp_path, ["test_0001.jpg 5"])
    make_image(tmp_path / "Image/original/test_0001.jpg", (200, 200))
    test = load_samples("rafdb", tmp_path, "test")
    assert test.boxes is None and test.images == [str(tmp_path / "Image/aligned/test_0001_aligned.jpg")]


@pytest.mark.parametrize(
    ("files", "lines", "message"),
    [
        ((), ["test_0001.jpg 5"], "neither Image/aligned nor Image/original; unpack them too"),
        (["Image/aligned/"], ["test_0001.jpg 0"], "line 1: expected a label from 1 to 7, got 'test_0001.jpg 0'$"),
        (["Image/aligned/"], ["test_0001.jpg 5", "test_0002.jpg"], "line 2: expected a label from 1 to 7"),
        (
            ["Image/aligned/"],
            ["test_0001.jpg 5", "test_0002.jpg 12"],
            "line 2: expected a label from 1 to 7, got .* 12'$",
        ),
        # the list of the compound set
        (["Image/aligned/"], ["test_0001.jpg 5", "test_0002.jpg 9"], "line 2: .*--dataset rafdb-compound$"),
    ],
)
def test_wrong_trees(tmp_path, files, lines, message):
    make_files(tmp_path, *files)
    write_text(tmp_path / LIST, *lines)
    with pytest.raises(ValueError, match=message):
        load_samples("rafdb", tmp_path, "test")


@pytest.mark.parametrize("folder", ["", "DATASET"])
def test_mirror_in_numbered_folders(tmp_path, folder):
    root, expected = tmp_path / folder, {}
    for part, number in (("train", 10), ("test", 2)):
        for k, label in enumerate(BASIC, 1):
            for i in range(number):
                make_image(root / part / str(k) / f"{part}_{i:05d}_aligned.jpg", (100, 100))
                expected[f"{part}/{k}/{part}_{i:05d}_aligned.jpg"] = label
    train, val = drawn(load_rafdb, tmp_path, "train", "val")
    test = load_samples("rafdb", tmp_path, "test")
    assert by_name(train) | by_name(val) | by_name(test) == expected
    assert test.layout == "folders" and val.layout == "folders; val drawn from train"
    assert all(name.startswith("test/") for name in test.names) and len(test) == 14
    assert val.counts() == dict.fromkeys(val.classes, 1)
    assert test.images == [str(root / name) for name in test.names]


@pytest.mark.parametrize("folder", ["", "compound", "raf-compound"])
def test_compound(tmp_path, folder):
    lines = list_lines({"train": (10,) * 11, "test": (3,) * 11})
    make_aligned(tmp_path / folder, lines)
    train, val = drawn(load_rafdb_compound, tmp_path, "train", "val")
    test = load_samples("rafdb-compound", tmp_path, "test")
    assert train.classes == val.classes == test.classes == COMPOUND
    assert test.counts() == dict.fromkeys(COMPOUND, 3) and val.counts() == dict.fromkeys(COMPOUND, 1)
    assert by_name(train) | by_name(val) | by_name(test) == {
        name: COMPOUND[int(label) - 1] for name, label in (line.split() for line in lines)
    }
    with pytest.raises(ValueError, match="rafdb-compound" if not folder else "no RAF-DB here"):
        load_samples("rafdb", tmp_path, "test")


def test_both_sets_side_by_side(tmp_path):
    make_aligned(tmp_path / "basic", ["test_0001.jpg 7"])
    make_aligned(tmp_path / "compound", ["test_0001.jpg 7"])
    assert labels_of(load_samples("rafdb", tmp_path, "test")) == ["neutral"]
    assert labels_of(load_samples("rafdb-compound", tmp_path, "test")) == ["fearfully angry"]


def test_a_list_with_a_byte_order_mark(tmp_path):
    make_files(tmp_path, "EmoLabel/list_patition_label.txt", "Image/aligned/train_1_aligned.jpg")
    (tmp_path / "EmoLabel/list_patition_label.txt").write_text("\ufefftrain_1.jpg 4\ntrain_2.jpg 5\n", encoding="utf-8")
    assert load_samples("rafdb", tmp_path, "train").names == ["train_1.jpg", "train_2.jpg"]
