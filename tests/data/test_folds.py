"""Cross-validation."""

from collections import Counter

import numpy as np
import pytest

from conftest import make_ferplus
from fer.data import find_dataset
from fer.data.folds import Fold, load_fold
from trees import labels_of, make_files


def folds_of(name: str, root, parts: int | None, count: int, **options):
    return [load_fold(find_dataset(name), root, Fold(k, parts), **options) for k in range(1, count + 1)]


def test_each_image_is_validated_once_and_each_fold_has_all_classes(tmp_path):
    names = [f"{emotion}/{i}.jpg" for emotion, n in (("happy", 11), ("sad", 7), ("bored", 5)) for i in range(n)]
    make_files(tmp_path, *names)
    folds = folds_of("folder", tmp_path, 5, 5)
    assert sorted(name for _, val in folds for name in val.names) == sorted(names)
    for train, val in folds:
        assert sorted(train.names + val.names) == sorted(names)
        assert train.classes == val.classes == ("happiness", "sadness", "bored")
        assert len(val) in (4, 5) and set(labels_of(val)) == set(train.classes)
    assert [val.names for _, val in folds] == [val.names for _, val in folds_of("folder", tmp_path, 5, 5)]


@pytest.mark.parametrize(
    ("name", "files", "options"),
    [
        ("jaffe", ["{}.AN1.{}.tiff", "{}.HA1.{}.tiff"], {}),
        ("folder", ["happy/{}_{}.jpg", "sad/{}_{}.jpg"], {"person": r"/(\w+)_"}),
    ],
)
def test_one_person_is_left_out(tmp_path, name, files, options):
    people = ["KA", "KL", "KM", "KR"]
    make_files(tmp_path, *(file.format(person, i) for person in people for i, file in enumerate(files)))
    folds = folds_of(name, tmp_path, None, 4, **options)
    assert [set(val.groups) for _, val in folds] == [{person} for person in people]
    assert all(not set(train.groups) & set(val.groups) for train, val in folds)
    assert [len(train) for train, _ in folds] == [6] * 4
    halves = folds_of(name, tmp_path, 2, 2, **options)
    assert [len(set(val.groups)) for _, val in halves] == [2, 2]  # persons stay together
    with pytest.raises(ValueError, match="--fold 5/persons: there are only 4 persons"):
        folds_of(name, tmp_path, None, 5, **options)


def test_official_test_images_take_no_part(tmp_path):
    make_ferplus(tmp_path, {"FER2013Train": 16, "FER2013Valid": 8, "FER2013Test": 8})
    folds = folds_of("ferplus", tmp_path, 4, 4, rules=("all", "majority"))
    counts = Counter(name for _, val in folds for name in val.names)
    assert len(folds[0][0]) + len(folds[0][1]) == 24 and sum(counts.values()) == 24
    assert {(train.rule, val.rule) for train, val in folds} == {("all", "majority")}
    assert folds[0][0].sources is None
    np.testing.assert_array_equal(folds[0][0].targets.sum(1), 1)


@pytest.mark.parametrize("text", ["", "3", "0/5", "6/5", "1/1", "1/0", "a/b", "1/person", "1/5/2", "-1/5"])
def test_texts_that_name_no_fold(text):
    with pytest.raises(ValueError, match="--fold takes K/N with K from 1 to N"):
        Fold.parse(text)


def test_datasets_that_cannot_be_divided(tmp_path):
    make_files(tmp_path, "happy/1.jpg", "sad/1.jpg")
    assert Fold.parse("2/2") == Fold(2, 2) and Fold.parse("12/persons") == Fold(12, None)
    with pytest.raises(ValueError, match="--fold 1/3: there are only 2 images"):
        folds_of("folder", tmp_path, 3, 1)
    with pytest.raises(ValueError, match="the dataset does not tell persons; name them by --person"):
        folds_of("folder", tmp_path, None, 1)
