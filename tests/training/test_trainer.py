"""Steps and epochs of training."""

import numpy as np
import torch

from fer.data import load_samples
from fer.training.loop import fit
from fer.training.splits import Splits
from fer.training.trainer import Trainer
from runs import history, tiny_config


def test_a_run_overfits_16_images(ferplus_tree, tmp_path):
    config = tiny_config(ferplus_tree, tmp_path / "run", epochs=30, lr=1e-3, backbone_lr=1e-3, ema=0.0)
    train = load_samples("ferplus", ferplus_tree, "train")
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    for _ in range(config.epochs):
        trainer.history.append(trainer.train_epoch())
    assert trainer.validate()["accuracy"] == 1.0


def test_accumulated_passes_are_one_step(ferplus_tree):
    """Frozen batch statistics: the gradient of two batches of 4 is that of one batch of 8."""
    train = load_samples("ferplus", ferplus_tree, "train")
    weights = []
    for batch_size, accumulate in ((8, 1), (4, 2)):
        config = tiny_config(
            ferplus_tree, ferplus_tree, batch_size=batch_size, accumulate=accumulate, amp=False, partition=0.0, ema=0.0
        )
        trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
        trainer.objective.model.train = lambda mode=True: None  # stays in eval mode
        trainer.history.append(trainer.train_epoch())
        assert trainer.schedule.last_epoch == 2
        weights.append(trainer.objective.model.classifier.weight.detach())
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)


def test_modules_are_freed_one_after_another(ferplus_tree):
    train = load_samples("ferplus", ferplus_tree, "train")
    changes = {"backbone": "mobilefacenet", "epochs": 3, "freeze": ["backbone.stem:2", "backbone:1"]}
    config = tiny_config(ferplus_tree, ferplus_tree, **changes)
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    backbone, free = trainer.objective.model.backbone, []
    for _ in range(3):
        trainer.history.append(trainer.train_epoch())
        free.append([p.requires_grad for p in (backbone.stem[0][0].weight, backbone.last[0].weight)])
    assert free == [[False, False], [False, True], [True, True]]


def test_a_cpu_that_only_emulates_bfloat16_trains_in_float32(ferplus_tree, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "fer")
    monkeypatch.setattr("fer.device.has_bfloat16", lambda device: False)
    monkeypatch.setattr("fer.training.trainer.has_bfloat16", lambda device: False)
    for amp in (True, False):
        fit(tiny_config(ferplus_tree, tmp_path / str(amp), epochs=1, amp=amp))
        assert ("--amp is not used" in caplog.text) == amp
        caplog.clear()
    ends = [history(tmp_path / str(amp))[-1]["cross_entropy"] for amp in (True, False)]
    assert ends[0] == ends[1]
