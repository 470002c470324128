"""Loss of detail for the student."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from fer.training.config import TrainConfig
from fer.training.degrading import NOISE, degrade
from fer.training.loop import fit
from fer.training.splits import load_splits
from fer.training.trainer import Trainer
from runs import interrupt, tiny_config, weights_of


def test_share_of_the_images_is_degraded_half_of_them_reduced_and_half_noisy():
    torch.manual_seed(0)
    smooth = interpolate(torch.linspace(-1, 1, 8).expand(8, 3, 8, 8), (112, 112), mode="bicubic")
    before = smooth.clone()
    after = degrade(smooth, 0.5, 48)
    assert torch.equal(smooth, before)  # the teachers' images
    change = (after - smooth).flatten(1).std(1)
    assert (change > 0).sum() == 4
    reduced, noisy = (change > 0) & (change < 0.02), change > 0.02  # a smooth image loses little by being reduced
    assert reduced.sum() == noisy.sum() == 2
    assert change.max() < NOISE
    colours = (after - smooth)[noisy]
    assert torch.allclose(colours[:, 0], colours[:, 2], atol=1e-6)


def test_reduced_image_loses_the_finest_pattern_of_its_crop():
    torch.manual_seed(0)
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(24, 24).expand(1, 3, 48, 48)
    degraded = degrade(interpolate(board, (112, 112), mode="nearest"), 1.0, 48)  # a single image is reduced, not noisy
    assert degraded.std() < 0.5  # of 1


def test_no_image_is_degraded_by_default_or_in_a_batch_that_is_too_small():
    images = torch.randn(4, 3, 112, 112)
    assert degrade(images, 0.0, 48) is images
    assert degrade(images, 0.1, 48) is images
    assert TrainConfig().degrade == 0
    with pytest.raises(ValueError, match="--degrade must be between 0 and 1, not 1.5"):
        TrainConfig(degrade=1.5)


def test_teachers_see_the_images_before_they_lose_detail(ferplus_tree, tmp_path, tiny_checkpoint):
    images = torch.randint(0, 256, (8, 32, 32, 1), dtype=torch.uint8)
    seen = {}
    for share in (0.0, 1.0):
        config = tiny_config(ferplus_tree, tmp_path / str(share), amp=False, teachers=[str(tiny_checkpoint)])
        trainer = Trainer(replace(config, degrade=share), load_splits(config))
        seen[share] = trainer._prepare(images, torch.eye(8))
    assert torch.equal(seen[0.0][2], seen[1.0][2])
    assert not torch.equal(seen[0.0][0], seen[1.0][0])


def test_run_degrades_alike_after_a_resume_and_otherwise_than_without(ferplus_tree, tmp_path):
    plain = tiny_config(ferplus_tree, tmp_path / "plain", amp=False)
    fit(plain)
    fit(replace(plain, degrade=0.5, out=str(tmp_path / "whole")))
    pieces = replace(plain, degrade=0.5, out=str(tmp_path / "pieces"))
    with pytest.raises(KeyboardInterrupt):
        fit(pieces, on_epoch=interrupt)
    fit(replace(pieces, resume=True))
    assert torch.equal(weights_of(tmp_path / "pieces"), weights_of(tmp_path / "whole"))
    assert not torch.equal(weights_of(tmp_path / "plain"), weights_of(tmp_path / "whole"))
