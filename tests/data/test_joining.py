"""Several datasets as one."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from fer.data import Samples
from fer.data.joining import join_samples

BOX, POINTS = np.array([[2.0, 2, 20, 20]]), np.full((1, 5, 2), 9.0)


class Lazy:
    """Images that are no list."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> np.ndarray:
        return image(10 + i)


def image(value: int) -> np.ndarray:
    return np.full((32, 32, 3), value, np.uint8)


def crops(*classes: str) -> Samples:
    targets = np.array([[0.75, 0.25], [0, 1]], np.float32)
    return Samples(Lazy(), targets, ["a", "b"], classes, "lazy", "votes")


def photo(groups=None) -> Samples:
    target = np.ones((1, 1), np.float32)
    return Samples([image(50)], target, ["c"], ("sadness",), "list", "label", BOX, POINTS, ("x.txt",), groups)


def test_classes_are_joined_by_name():
    joined = join_samples([crops("sadness", "bored"), crops("happiness", "sadness"), photo()], ["one", "two", "three"])
    assert joined.classes == ("happiness", "sadness", "bored")
    expected = [[0, 0.75, 0.25], [0, 0, 1], [0.75, 0.25, 0], [0, 1, 0], [0, 1, 0]]
    np.testing.assert_array_equal(joined.targets, np.array(expected, np.float32))
    assert joined.names == ["a", "b", "a", "b", "c"] and joined.sources.tolist() == ["one"] * 2 + ["two"] * 2 + [
        "three"
    ]
    assert (joined.layout, joined.rule, joined.ignored) == ("lazy; list", "votes; label", ("x.txt",))


def test_images_are_those_of_their_datasets_and_photos_are_cut():
    joined = join_samples([crops("sadness", "bored"), photo()], ["a", "b"])
    for samples in (joined, pickle.loads(pickle.dumps(joined)), joined.subset(np.array([2, 0, 1])).subset([1, 2, 0])):
        assert [samples.read(i)[0, 0, 0] for i in range(3)] == [10, 11, 50]
        assert [s[0, 0, 0] for s in samples.images] == [10, 11, 50]
        crops_ = [samples.crop(i, np.empty((0, 2)), 16).shape for i in range(3)]
        assert crops_[:2] == [(32, 32, 3)] * 2 and crops_[2][0] < 32
        assert samples.detection(0, image(0)).box.tolist() == [0, 0, 32, 32]
        assert samples.detection(2, image(0)).landmarks is not None


def test_values_that_one_dataset_lacks_are_unknown():
    assert join_samples([crops("sadness", "bored"), photo()]).va is None
    joined = join_samples([crops("sadness", "bored"), replace(photo(), va=np.array([[0.5, -0.5]]))])
    np.testing.assert_array_equal(joined.va, [[np.nan] * 2] * 2 + [[0.5, -0.5]])


def test_groups_without_a_name_are_their_images():
    assert join_samples([crops("sadness", "bored"), photo()]).groups is None
    joined = join_samples([crops("sadness", "bored"), photo(np.array(["anna"]))])
    assert joined.groups.tolist() == ["a", "b", "anna"]


def test_one_dataset_stays_as_it_is():
    samples = photo()
    assert join_samples([samples]) is samples
    assert join_samples([samples], ["x"]).sources.tolist() == ["x"]


@pytest.mark.parametrize("parts", [[photo(), photo()]])
def test_lists_stay_lists(parts):
    assert isinstance(join_samples(parts).images, list)
