"""Grad-CAM, against the formula of the paper."""

import numpy as np
import pytest
import torch

from fer.models.checkpoint import load_checkpoint
from fer.models.grad_cam import GradCam
from fer.models.inputs import normalize

pytest.importorskip("pytorch_grad_cam")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("folded", [False, True])
def test_the_map_is_that_of_the_formula(tiny_checkpoint, channels, folded):
    """ReLU of the features, weighted by the mean gradient of the class's logit over the positions; up to its scale."""
    model, description = load_checkpoint(tiny_checkpoint)
    model = model.fold() if folded else model
    crops = np.random.default_rng(0).integers(0, 255, (3, 64, 64, channels), np.uint8)
    classes = np.array([5, 0, 5])
    before = model(normalize(torch.from_numpy(crops), description.preprocessing)).logits
    maps = GradCam(model, description.preprocessing)(crops, classes)
    assert maps.shape == (3, 4, 4) and maps.dtype == np.float32

    features = model.backbone.features(normalize(torch.from_numpy(crops), description.preprocessing)).detach()
    features.requires_grad_()
    model.backbone.features = lambda x: features
    logits = model(torch.zeros(3, 3, 64, 64)).logits
    torch.testing.assert_close(logits, before)  # the network itself is as before
    (gradient,) = torch.autograd.grad(logits[np.arange(3), classes].sum(), features)
    cam = torch.relu((gradient.mean((2, 3), keepdim=True) * features).sum(1)).detach().numpy()
    assert cam.max() > 0
    for found, expected in zip(maps, cam - cam.min((1, 2), keepdims=True)):
        np.testing.assert_allclose(found * expected.max(), expected * found.max(), rtol=1e-3, atol=1e-12)


def test_the_class_matters(tiny_checkpoint):
    model, description = load_checkpoint(tiny_checkpoint)
    crops = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 1), np.uint8).repeat(8, 0)
    maps = GradCam(model, description.preprocessing)(crops, np.arange(8))
    assert len(np.unique(maps.reshape(8, -1), axis=0)) > 1
