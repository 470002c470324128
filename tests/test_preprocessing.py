import numpy as np
import pytest
import torch

from fer.models.inputs import to_input
from fer.preprocessing import Preprocessing

rng = np.random.default_rng(0)


def test_a_gray_photo_is_the_same_in_colour():
    gray = rng.integers(0, 255, (48, 48), np.uint8)
    preprocessing = Preprocessing()
    assert torch.equal(to_input([gray], preprocessing), to_input([np.dstack([gray] * 3)], preprocessing))


def test_a_crop_that_is_not_square_keeps_its_proportions():
    wide = np.zeros((24, 48), np.uint8)
    wide[:, 12:36] = 255  # a square in the middle
    tall = Preprocessing().prepare(wide)[..., 0]
    assert (tall[:, 56] > 250).all() and (tall[:, 10] < 5).all()  # as high as the crop: its border is repeated
    assert (tall[0] > 127).sum() == pytest.approx(56, abs=2)  # as wide as before


def test_a_sharp_crop_is_no_sharper_than_the_training_crops():
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 240))  # one pixel wide in 480: lost at 48
    assert to_input([stripes], Preprocessing()).std() < 0.01


@pytest.mark.parametrize(
    "crop", [rng.integers(0, 255, (48, 48), np.uint8), rng.integers(0, 255, (48, 48, 3), np.uint8)]
)
@pytest.mark.parametrize("gray", [True, False])
def test_mean_and_std_of_each_channel(crop, gray):
    preprocessing = Preprocessing(gray=gray, mean=[10, 20.5, 30], std=[1, 2, 4])  # lists, as JSON gives them
    found = to_input([crop], preprocessing)
    for channel, mean, std in zip(range(3), (10, 20.5, 30), (1, 2, 4)):
        alone = to_input([crop], Preprocessing(gray=gray, mean=mean, std=std))
        torch.testing.assert_close(found[:, channel], alone[:, channel])
    assert preprocessing == Preprocessing(gray=gray, mean=(10, 20.5, 30), std=(1, 2, 4))
    assert len({preprocessing, Preprocessing(gray=gray, mean=(10, 20.5, 30), std=(1, 2, 4))}) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"interpolation": "nearest"},
        {"input_size": 8},
        {"mean": [1, 2]},
        {"std": ()},
        {"std": [[1, 2, 3]]},
        {"std": 0},
        {"std": [1, 1, -1]},
        {"std": float("nan")},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match="must be"):
        Preprocessing(**wrong)
