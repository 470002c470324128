"""Batches: drawing, cache, augmentation."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import make_ferplus
from fer.data import Samples, load_samples
from fer.data.loader import CropDataset, EpochSampler, draw_weights, inverse_frequency, make_loader
from fer.data.transforms import Augmentation
from fer.preprocessing import Preprocessing
from trees import CountedImages


@pytest.fixture
def samples(tmp_path) -> Samples:
    return load_samples("ferplus", make_ferplus(tmp_path, {"FER2013Train": 10}), "train")


def epoch(samples: Samples, number: int, workers: int = 0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    dataset = CropDataset(samples, Preprocessing(input_size=32), augment=Augmentation("faces"), seed=seed)
    loader = make_loader(dataset, 4, shuffle=True, workers=workers)
    loader.sampler.epoch = number
    images, targets = zip(*loader)
    return torch.cat(images), torch.cat(targets)


def test_an_epoch_depends_on_seed_and_number_alone(samples):
    images, targets = epoch(samples, 3)
    again, targets_again = epoch(samples, 3, workers=2)
    assert torch.equal(images, again)
    assert torch.equal(targets, targets_again)
    assert not torch.equal(images, epoch(samples, 4)[0])
    assert not torch.equal(images, epoch(samples, 3, seed=1)[0])


def test_training_batches_are_full_and_validation_misses_nothing(samples):
    dataset = CropDataset(samples, Preprocessing(input_size=32))
    assert [len(t) for _, t in make_loader(dataset, 4, shuffle=True)] == [4, 4]
    targets = torch.cat([t for _, t in make_loader(dataset, 4)])
    np.testing.assert_array_equal(targets, samples.targets)


@pytest.mark.parametrize(
    ("targets", "weights"),
    [
        ([[1, 0], [1, 0], [1, 0], [0, 1]], [2 / 3, 2]),
        ([[1, 0], [0, 1]], [1, 1]),
        ([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], [2 / 3, 2, 0]),  # a class that does not occur
        ([[0, 1]], [0, 1]),  # one class alone
        ([[0.5, 0.5], [1, 0]], [2 / 3, 2]),  # distributions: 1.5 and 0.5 of 2
    ],
)
def test_inverse_frequency(targets, weights):
    targets = np.array(targets, np.float32)
    found = inverse_frequency(targets)
    np.testing.assert_allclose(found, weights, rtol=1e-6)
    assert found.dtype == np.float32  # as the logits
    assert (targets @ found).mean() == pytest.approx(1)  # the loss keeps its scale
    assert len(set((targets.mean(0) * found)[found > 0].round(5))) == 1  # each class weighs the same in all


def samples_of(*counts: int) -> Samples:
    """Gray images of so many per class; the pixels of an image tell its number."""
    n = sum(counts)
    targets = np.eye(len(counts), dtype=np.float32)[np.repeat(np.arange(len(counts)), counts)]
    images = [np.full((32, 32), i % 256, np.uint8) for i in range(n)]
    return Samples(images, targets, [str(i) for i in range(n)], tuple("abcdefgh"[: len(counts)]), "", "")


def drawn_classes(samples: Samples, epoch: int, seed: int = 0) -> np.ndarray:
    """The classes of a balanced epoch."""
    dataset = CropDataset(samples, Preprocessing(input_size=32), seed=seed)
    loader = make_loader(dataset, 10, shuffle=True, weights=draw_weights(samples, True, {}))
    loader.sampler.epoch = epoch
    return torch.cat([targets for _, targets in loader]).argmax(1).numpy()


def test_balanced_drawing():
    """Each class equally often: n / 3 within four standard deviations in every epoch; without, as they occur."""
    samples, n = samples_of(900, 80, 20), 1000
    for epoch in range(5):
        numbers = np.bincount(drawn_classes(samples, epoch), minlength=3)
        assert numbers.sum() == n
        assert abs(numbers - n / 3).max() < 4 * np.sqrt(n * 2 / 9), numbers
    loader = make_loader(CropDataset(samples, Preprocessing(input_size=32)), 10, shuffle=True)
    assert torch.cat([targets for _, targets in loader]).sum(0).tolist() == [900, 80, 20]


def test_balanced_drawing_without_one_of_the_classes():
    assert set(drawn_classes(samples_of(50, 0, 10), 0)) == {0, 2}


def test_a_balanced_epoch_depends_on_seed_and_number_alone():
    samples = samples_of(90, 8, 2)
    first = drawn_classes(samples, 3, seed=1)
    np.testing.assert_array_equal(drawn_classes(samples, 3, seed=1), first)
    assert not np.array_equal(drawn_classes(samples, 4, seed=1), first)
    assert not np.array_equal(drawn_classes(samples, 3, seed=2), first)


@pytest.mark.parametrize("n", [1, 10, 11])
@pytest.mark.parametrize(
    ("shuffle", "weights"), [(False, None), (True, None), (True, "some")], ids=["in order", "drawn", "by weight"]
)
def test_processes_share_an_epoch(monkeypatch, shuffle, weights, n):
    """Together they see what one process sees, in turn; drawn, all get equally many."""
    sampler = EpochSampler(n, shuffle, 5, np.arange(1.0, n + 1) if weights else None)
    sampler.epoch = 2
    one = list(sampler)
    assert {epoch for epoch, _ in one} == {2} and len(sampler) == len(one) == n
    if not weights:
        assert sorted(i for _, i in one) == list(range(n))
    monkeypatch.setattr("fer.data.loader.world_size", lambda: 2)
    shares = []
    for process in (0, 1):
        monkeypatch.setattr("fer.data.loader.rank", lambda process=process: process)
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    kept = n // 2 * 2 if shuffle else n
    assert shares == [one[:kept][::2], one[:kept][1::2]]


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_of_nothing(shuffle):
    assert list(EpochSampler(0, shuffle)) == [] and len(EpochSampler(0, shuffle)) == 0


def test_indices_are_drawn_by_their_weights():
    sampler = EpochSampler(4000, True, 0, np.repeat([0.0, 1.0, 3.0, 0.0], 1000))
    numbers = Counter(i // 1000 for _, i in sampler)
    assert set(numbers) == {1, 2} and numbers[2] / 4000 == pytest.approx(0.75, abs=0.03)


def test_without_the_cache_every_epoch_reads(samples, tmp_path):
    images = CountedImages(samples.images, tmp_path / "reads")
    loader = make_loader(CropDataset(replace(samples, images=images), Preprocessing(input_size=32)), 4)
    for _ in range(2):
        list(loader)
    assert Counter(images.reads()) == dict.fromkeys(range(len(samples)), 2)


@pytest.mark.parametrize(
    ("balanced", "shares", "expected"),  # the part of an epoch that each class of each dataset has
    [
        (False, {}, None),
        (True, {}, [[3 / 8, 0], [1 / 8, 1 / 2]]),
        (False, {"a": 1, "b": 3}, [[1 / 4, 0], [1 / 8, 5 / 8]]),
        (False, {"a": 1, "b": 0}, [[1, 0], [0, 0]]),
        (True, {"a": 1, "b": 1}, [[1 / 2, 0], [1 / 10, 2 / 5]]),
    ],
)
def test_shares_of_datasets(balanced, shares, expected):
    """30 images of a, all of the first class; 10 of the first class and 50 of the second in b."""
    samples = replace(samples_of(40, 50), sources=np.array(["a"] * 30 + ["b"] * 60))
    weights = draw_weights(samples, balanced, shares)
    if expected is None:
        assert weights is None
        return
    weights = weights / weights.sum()
    found = [samples.targets[rows].T @ weights[rows] for rows in (samples.sources == "a", samples.sources == "b")]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
