"""Steps and epochs of training."""

import numpy as np
import pytest
import torch

from conftest import make_va_shards
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


def va_run(tmp_path, **changes) -> Trainer:
    """A trainer on 16 images with valence and arousal, unknown for the first two; they are validation, too."""
    data = make_va_shards(tmp_path / "data", {"train": 16}, unknown=2)
    settings = {"dataset": "parquet", "va": True, "lr": 1e-3, "backbone_lr": 1e-3, "ema": 0.0}
    config = tiny_config(data, tmp_path / "run", **settings | changes)
    train = load_samples("parquet", data, "train")
    return Trainer(config, Splits(train, train, np.zeros(16, bool)))


def test_a_run_learns_valence_and_arousal(tmp_path):
    trainer = va_run(tmp_path, epochs=30)
    for _ in range(30):
        trainer.history.append(trainer.train_epoch())
    figures = trainer.validate()
    assert figures["accuracy"] == 1.0 and figures["n_va"] == 14
    assert min(figures["valence_ccc"], figures["arousal_ccc"]) > 0.9
    assert trainer.history[-1]["va"] < 0.1 * trainer.history[0]["va"]
    assert trainer.describe(figures).va


def test_mixed_images_have_mixed_valence_and_arousal(tmp_path):
    """NaN where it is unknown for one of both; the shares are those of the classes."""
    for mixing in ("mixup", "cutmix"):
        trainer = va_run(tmp_path / mixing, **{mixing: 1.0})
        images, targets = torch.zeros(4, 32, 32, 1, dtype=torch.uint8), torch.eye(4)
        va = torch.tensor([[0.5, -0.5], [1.0, 0.0], [float("nan"), 0.2], [-1.0, 1.0]])
        _, mixed, _ = trainer._prepare(images, torch.hstack([targets, va]))
        expected = mixed[:, :4] @ va.nan_to_num()  # the class says which image it was
        known = torch.tensor([[1, 1], [1, 1], [0, 1], [0, 1]]).bool()
        assert torch.equal(~mixed[:, 4:].isnan(), known)
        torch.testing.assert_close(mixed[:, 4:][known], expected[known])
        assert ((mixed[:, :4] > 0).sum(1) == 2).all()


def test_valence_and_arousal_change_nothing_else_where_they_are_off(tmp_path):
    """Data that have them train as data without them."""
    runs = {}
    for name in ("known", "absent"):
        data = make_va_shards(tmp_path / name, {"train": 16, "val": 8}, unknown=16 if name == "absent" else 0)
        fit(tiny_config(data, tmp_path / f"run {name}", dataset="parquet", epochs=1))
        runs[name] = history(tmp_path / f"run {name}")[0]
    assert runs["known"]["cross_entropy"] == runs["absent"]["cross_entropy"]
    assert not {"va", "val_n_va", "val_valence_ccc"} & runs["known"].keys()


def test_valence_and_arousal_need_data(ferplus_tree, tmp_path):
    with pytest.raises(ValueError, match="--va: the training images of ferplus have no valence and arousal; leave it"):
        fit(tiny_config(ferplus_tree, tmp_path / "run", va=True))
    assert not (tmp_path / "run").exists()
