"""Crops as the input of a network."""

import numpy as np
import pytest
import torch

from fer.models.inputs import to_input
from fer.preprocessing import Preprocessing

rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    "crop",
    [
        rng.integers(0, 255, (48, 48), np.uint8),  # gray, as stored
        rng.integers(0, 255, (48, 48, 3), np.uint8),
        rng.integers(0, 255, (30, 20, 3), np.uint8),  # smaller, not square
        rng.integers(0, 255, (480, 640, 3), np.uint8),  # larger
    ],
)
@pytest.mark.parametrize("gray", [True, False])
def test_any_crop_becomes_an_input(crop, gray):
    x = to_input([crop, crop], Preprocessing(gray=gray))
    assert tuple(x.shape) == (2, 3, 112, 112)
    assert x.dtype == torch.float32
    assert x.abs().max() < 1.2
    if gray:
        assert torch.equal(x[:, 0], x[:, 1])


def test_no_crop_at_all():
    assert tuple(to_input([], Preprocessing()).shape) == (0, 3, 112, 112)


def test_values():
    x = to_input([np.full((48, 48), 255, np.uint8)], Preprocessing())
    assert torch.allclose(x, torch.tensor((255 - 127.5) / 128))
