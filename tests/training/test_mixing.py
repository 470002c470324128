"""Mixup and cutmix."""

from dataclasses import replace

import pytest
import torch

from fer.training.loop import fit
from runs import interrupt, tiny_config, weights_of


def test_mixed_images_are_the_same_after_a_resume_and_with_workers(ferplus_tree, tmp_path):
    """Two epochs at once, one and one more, and with another number of workers: equal weights."""
    changes = {"mixup": 0.2, "cutmix": 1.0, "augmentation": "faces", "amp": False}
    for workers in (0, 1):
        fit(tiny_config(ferplus_tree, tmp_path / f"whole{workers}", workers=workers, **changes))
    pieces = tiny_config(ferplus_tree, tmp_path / "pieces", workers=1, **changes)
    with pytest.raises(KeyboardInterrupt):
        fit(pieces, on_epoch=interrupt)
    fit(replace(pieces, resume=True))
    whole, without_workers, resumed = (weights_of(tmp_path / name) for name in ("whole1", "whole0", "pieces"))
    assert torch.equal(resumed, whole)
    assert torch.equal(without_workers, whole)
