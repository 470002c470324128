"""JAFFE: files in one folder, by subject."""

import pytest

from fer.data import load_samples
from fer.data.datasets.jaffe import load_jaffe
from trees import by_name, drawn, make_files, make_image

SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
POSES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}


@pytest.mark.parametrize("folder", ["", "jaffe", "jaffedbase"])
def test_files_in_one_folder(tmp_path, folder):
    expected, number = {}, 0
    for subject in SUBJECTS:
        for pose, label in POSES.items():
            for i in (1, 2, 3):
                number += 1
                expected[f"{subject}.{pose}{i}.{number}.tiff"] = label
    make_files(tmp_path / folder, *expected, "README_FIRST.txt", "KA.AN1.39.txt", "KA.XX1.39.tiff", ".DS_Store")
    train, val, test = drawn(load_jaffe, tmp_path, "train", "val", "test")
    assert by_name(train) | by_name(val) | by_name(test) == expected
    people = [{name[:2] for name in s.names} for s in (train, val, test)]
    assert [len(p) for p in people] == [8, 1, 1] and set.union(*people) == set(SUBJECTS)  # none in two splits
    assert test.layout == "official; test drawn from all" and test.boxes is None
    assert test.counts() == dict.fromkeys(POSES.values(), 3) and "contempt" not in test.classes
    assert test.images == [str(tmp_path / folder / name) for name in test.names] and test.names == sorted(test.names)


def test_pictures_are_read(tmp_path):
    """One subject alone stays in train."""
    pixels = make_image(tmp_path / "KA.AN1.39.tiff", (256, 256))
    samples = load_samples("jaffe", tmp_path, "train")
    assert (samples.read(0) == pixels).all() and by_name(samples) == {"KA.AN1.39.tiff": "anger"}
