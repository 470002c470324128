"""fer check-data: what is wrong with a copy is found, counted and named."""

import numpy as np
import pytest

from checks import check, make_pictures, picture
from conftest import make_ferplus
from fer.cli import main
from fer.data.check import near_pairs
from fer.io.images import write_image


@pytest.fixture
def tree(tmp_path):
    return make_pictures(tmp_path / "tree")


def test_a_sound_copy(tree, tmp_path, capsys):
    status, report = check(tree, tmp_path)
    assert status == 0 and report["problems"] == []
    assert report["counts"]["train"] == {"rule": "label", "images": 10, "happiness": 5, "sadness": 5}
    assert report["images"]["val"] == {
        "width": [48, 48, 48],
        "height": [48, 48, 48],
        "gray": 0.0,
        "brightness": pytest.approx(128, abs=30),
    }
    told = capsys.readouterr().out
    assert "happiness, happy -> happiness, e.g. train/happy/train1.png" in told
    assert told.strip().splitlines()[-2] == "no problem found"


def test_processes_change_nothing(tree, tmp_path):
    (tree / "train" / "sad" / "train6.png").write_bytes(b"")
    assert check(tree, tmp_path) == check(tree, tmp_path, workers=2)


def empty_file(tree):
    (tree / "train" / "sad" / "train6.png").write_bytes(b"")


def text_file(tree):
    (tree / "train" / "sad" / "train6.png").write_text("<html>")


def half_file(tree):
    path = tree / "train" / "sad" / "train6.png"
    path.write_bytes(path.read_bytes()[:800])


def leak(tree):
    write_image(tree / "test" / "sad" / "copy.bmp", picture(1))  # the same pixels in another format


def contradiction(tree):
    write_image(tree / "train" / "sad" / "copy.png", picture(1))


def near_copy(tree):
    image = np.clip(picture(1).astype(int) + 6, 0, 255).astype(np.uint8)
    write_image(tree / "val" / "happy" / "brighter.png", image)


def other_file(tree):
    (tree / "train" / "sad" / "Thumbs.db").write_bytes(b"x")


def no_class(tree):
    for path in (tree / "test" / "sad").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "status", "text"),
    [
        (empty_file, 1, "train: 1 unusable file (empty), e.g. train/sad/train6.png"),
        (text_file, 1, "train: 1 unusable file (not an image), e.g. train/sad/train6.png"),
        (half_file, 1, "train: 1 unusable file (damaged), e.g. train/sad/train6.png"),
        (leak, 1, "1 images of test are identical to one of train: they inflate the accuracy on test"),
        (no_class, 1, "test: no image of sadness"),
        (contradiction, 0, "train: 1 images have copies with a different label"),
        (near_copy, 0, "train and val: 1 pairs that look alike"),
        (other_file, 0, "train: 1 files without an image suffix are ignored: train/sad/Thumbs.db"),
    ],
)
def test_what_is_wrong_is_said(tree, tmp_path, capsys, damage, status, text):
    damage(tree)
    found, report = check(tree, tmp_path)
    told = capsys.readouterr().out
    assert found == status
    assert any(text in line for line in report["problems" if status else "remarks"])
    assert text in told


def test_missing_files_and_wrong_counts(tmp_path):
    """A list that names files which are not there, and fewer images than the release has."""
    root = tmp_path / "basic"
    (root / "EmoLabel").mkdir(parents=True)
    (root / "EmoLabel" / "list_patition_label.txt").write_text(
        "train_00001.jpg 4\ntrain_00002.jpg 5\ntest_0001.jpg 1\n"
    )
    write_image(root / "Image" / "aligned" / "train_00001_aligned.jpg", picture(0, 100))
    status, report = check(root, tmp_path, "rafdb")
    assert status == 1
    assert "train+val: 2 images; the official release has 12,271" in report["problems"]
    missing = [line for lines in report["unreadable"].values() for line in lines]
    assert len(missing) == 2 and all(": missing (" in line for line in missing)


def test_a_box_outside_its_photo(tmp_path):
    (tmp_path / "label").mkdir()
    lines = [f"{i}.jpg 0 10 10 40 40 50 {i % 7}" for i in range(30)] + ["30.jpg 0 90 90 140 140 50 3"]
    (tmp_path / "label" / "label.lst").write_text("\n".join(lines))
    for i in range(31):
        write_image(tmp_path / "image" / "origin" / f"{i}.jpg", picture(i, 100))
    _, report = check(tmp_path, tmp_path, "expw")
    assert any("1 unusable file (box outside the image), e.g. 30.jpg#0" in line for line in report["problems"])


def test_no_layout(tmp_path, capsys):
    (tmp_path / "something").mkdir()
    assert main(["check-data", "rafdb", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "list_patition_label.txt" in error and "Found: something/" in error


def test_duplicates_of_the_real_copy(shared, tmp_path):
    """The figures that docs/datasets.md of the FER+ copy gives."""
    status, report = check(shared / "data" / "ferplus", tmp_path, "ferplus", workers=2)
    assert status == 0  # the official release has these copies
    assert report["duplicates"]["exact"] == {"val in train": 279}
    assert report["duplicates"]["redundant"]["train"] == 1224
    assert report["duplicates"]["near"]["train and val"] > 50


def test_fake_ferplus_reports_its_size(tmp_path):
    make_ferplus(tmp_path / "tree", {"FER2013Train": 16})
    status, report = check(tmp_path / "tree", tmp_path, "ferplus")
    assert status == 1
    assert report["problems"] == ["train: 16 images; the official release has 27,947"]
    assert set(report["absent"]) == {"val", "test"}


@pytest.mark.parametrize("distance", range(4))
def test_near_pairs_are_those_of_all_pairs(distance):
    rng = np.random.default_rng(distance)
    hashes = rng.integers(0, 2**64, 60, np.uint64)
    copies = hashes.copy()
    for i in range(60):  # zero to five bits away
        for bit in rng.choice(64, i % 6, replace=False):
            copies[i] ^= np.uint64(1) << np.uint64(bit)
    values = np.concatenate([hashes, copies])
    bits = [[(int(a) ^ int(b)).bit_count() for b in values] for a in values]
    expected = [[a, b] for a in range(120) for b in range(a + 1, 120) if bits[a][b] <= distance]
    assert near_pairs(values, distance).tolist() == expected


@pytest.mark.parametrize("n", [0, 1])
def test_near_pairs_of_few(n):
    assert near_pairs(np.zeros(n, np.uint64)).shape == (0, 2)
