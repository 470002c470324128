import numpy as np
import pytest
import torch
from conftest import make_ferplus

from fer.data import Samples, load_samples
from fer.data.loader import CropDataset, make_loader
from fer.data.transforms import AUGMENTATIONS, Augmentation
from fer.preprocessing import Preprocessing


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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_the_kind_of_image_and_depend_on_the_seed(name, channels):
    image = np.random.default_rng(0).integers(0, 255, (112, 112, channels), np.uint8)
    augment = Augmentation(name)
    results = [augment(image, seed) for seed in range(12)]
    assert {(r.shape, r.dtype.name) for r in results} == {((112, 112, channels), "uint8")}
    for seed, result in enumerate(results):
        np.testing.assert_array_equal(Augmentation(name)(image, seed), result)
    different = len({r.tobytes() for r in results})
    assert different == 1 if name == "none" else different > 3


def test_an_unknown_augmentation():
    with pytest.raises(ValueError, match="unknown augmentation 'hard'; choose one of faces"):
        Augmentation("hard")


def test_samples_check_their_shapes():
    with pytest.raises(ValueError, match=r"2 images and 3 classes need targets \[2,3\]"):
        Samples(["a", "b"], np.zeros((2, 4)), ["a", "b"], ("x", "y", "z"), "", "")
