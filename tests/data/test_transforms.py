"""Augmentation."""

import albumentations as A
import numpy as np
import pytest

from fer.data.transforms import AUGMENTATIONS, Augmentation


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


def test_the_paper_turns_and_shifts_together():
    """Of 400 bars about a fifth moves, and nearly all of those are both turned and shifted."""
    compose, image = A.Compose(AUGMENTATIONS["paper"]()[:-1]), np.zeros((112, 112, 1), np.uint8)  # nothing is erased
    image[54:58, 36:76] = 255
    turned, shifted = [], []
    for seed in range(400):
        compose.set_random_seed(seed)
        points = np.argwhere(compose(image=image)["image"][..., 0] > 127)
        spread = np.linalg.eigh(np.cov(points.T))[1][:, -1]  # along the bar
        turned.append(abs(spread[0]) > 0.02)
        shifted.append(np.abs(points.mean(0) - 55.5).max() > 0.7)
    turned, shifted = np.array(turned), np.array(shifted)
    assert 0.14 < (turned | shifted).mean() < 0.26
    assert (turned & shifted).sum() > 0.85 * (turned | shifted).sum()


def test_an_unknown_augmentation():
    with pytest.raises(ValueError, match="unknown augmentation 'hard'; choose one of faces"):
        Augmentation("hard")
