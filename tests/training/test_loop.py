"""Whole runs on tiny data."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import make_ferplus

from fer.data import load_samples
from fer.images import write_image
from fer.models.checkpoint import load_checkpoint
from fer.training import splits as splits_module
from fer.training.config import TrainConfig
from fer.training.loop import fit
from fer.training.splits import Splits, load_splits
from fer.training.trainer import NonFiniteLoss, Trainer, check_finite

ROOT = Path(__file__).resolve().parents[2]
TINY = {"input_size": 32, "num_heads": 2, "batch_size": 8, "workers": 0, "augmentation": "none", "device": "cpu"}


def tiny_config(folder: Path, run: Path, **changes) -> TrainConfig:
    return TrainConfig(**({"data": str(folder), "out": str(run), "epochs": 2} | TINY | changes))


def history(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


def test_a_run_overfits_16_images(ferplus_tree, tmp_path):
    config = tiny_config(ferplus_tree, tmp_path / "run", epochs=30, lr=1e-3, backbone_lr=1e-3, ema=0.0)
    train = load_samples("ferplus", ferplus_tree, "train")
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    for _ in range(config.epochs):
        trainer.history.append(trainer.train_epoch())
    assert trainer.validate()["accuracy"] == 1.0


def test_a_run_leaves_all_that_it_is(ferplus_tree, tmp_path):
    out = tmp_path / "run"
    metrics = fit(tiny_config(ferplus_tree, out))
    names = {p.name for p in out.iterdir()}
    assert names == {"config.yaml", "environment.json", "history.jsonl", "tensorboard", "last.pt", "best.safetensors"}
    lines = history(out)
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {"cross_entropy", "affinity", "partition", "images_per_second", "val_accuracy"} <= lines[0].keys()
    best = max(lines, key=lambda line: line["val_accuracy_without_duplicates"])
    assert metrics["accuracy"] == best["val_accuracy"]
    model, description = load_checkpoint(out / "best.safetensors")
    assert description.metrics == metrics
    assert description.recipe == yaml.safe_load((out / "config.yaml").read_text())
    assert any((out / "tensorboard").iterdir())


def test_validation_tells_images_that_are_in_training_apart(ferplus_tree, tmp_path):
    """Copies in validation are counted; --drop-duplicates takes them out of training instead."""
    write_image(
        ferplus_tree / "FER2013Valid" / "fer0000002.png", load_samples("ferplus", ferplus_tree, "train").read(2)
    )
    figures = fit(tiny_config(ferplus_tree, tmp_path / "a", epochs=1))
    assert (figures["n"], figures["n_without_duplicates"]) == (16, 15)
    splits = load_splits(tiny_config(ferplus_tree, tmp_path / "b", drop_duplicates=True))
    assert (len(splits.train), len(splits.val), splits.leaked.sum()) == (15, 16, 0)


def command(data: Path, out: Path, *more: str) -> list[str]:
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in TINY.items()]
    arguments = ["--data", data, "--out", out, "--epochs", 4, "--augmentation=faces", *more]
    return [sys.executable, str(ROOT / "train.py"), *flags, *map(str, arguments)]


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_an_epoch_resumes_to_the_same_end(tmp_path, monkeypatch):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 96, "FER2013Valid": 80})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # inherited by the runs below
    subprocess.run(command(data, whole), check=True, capture_output=True)

    process = subprocess.Popen(command(data, killed), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
    progress = b""
    while not re.search(rb"epoch 3/4:[^\n]* [3-9]/12 ", progress):  # in the middle of the third epoch
        progress += process.stderr.read(256)
        assert process.poll() is None
    process.kill()  # SIGKILL: nothing can be saved now
    process.communicate()
    assert len(history(killed)) == 2

    again = subprocess.run(command(data, killed), capture_output=True, text=True)
    assert again.returncode == 2 and "add --resume to go on" in again.stderr
    subprocess.run(command(data, killed, "--resume"), check=True, capture_output=True)
    ends = [history(out)[-1] for out in (whole, killed)]
    assert [e["epoch"] for e in ends] == [4, 4]
    assert abs(ends[0]["val_accuracy"] - ends[1]["val_accuracy"]) <= 0.001
    assert ends[0]["cross_entropy"] == pytest.approx(ends[1]["cross_entropy"], rel=1e-4)


def test_resume_refuses_other_settings(ferplus_tree, tmp_path):
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1))
    with pytest.raises(ValueError, match=r"started with other settings: lr \(0.001 -> 0.5\)"):
        fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1, lr=0.5, resume=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "nothing"}, "unknown dataset 'nothing'"),
        ({"data": "/nowhere"}, "/nowhere: no such folder"),
        ({"data": ""}, "--data .* needed"),
        ({"backbone": "resnet1888"}, "unknown or unsuitable backbone 'resnet1888'"),
        ({"backbone_weights": "gone.safetensors"}, "--backbone-weights gone.safetensors: no such file; looked for"),
        ({"freeze": ["stem"], "freeze_epochs": 1}, "no module 'stem'"),
        ({"augmentation": "strong"}, "unknown augmentation"),
        ({"device": "tpu"}, "device 'tpu' is not available"),
        ({"backbone": "swin_tiny_patch4_window7_224"}, "does not take --input-size 32"),
        ({"batch_size": 64}, "16 training images are fewer than one batch of 64"),
    ],
)
def test_mistakes_are_reported_before_any_work(ferplus_tree, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        fit(tiny_config(ferplus_tree, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_an_empty_split_is_reported(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Valid" / "label.csv").write_text('a.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,9,1\n')
    with pytest.raises(ValueError, match="the val split of ferplus holds no image"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def test_splits_with_different_classes_are_reported(ferplus_tree, tmp_path, monkeypatch):
    from dataclasses import replace

    original = splits_module.load_samples

    def without_contempt(name, root, split, rule):
        samples = original(name, root, split, rule)
        return (
            samples
            if split == "train"
            else replace(samples, classes=samples.classes[:7], targets=samples.targets[:, :7])
        )

    monkeypatch.setattr(splits_module, "load_samples", without_contempt)
    with pytest.raises(ValueError, match="training has 8 classes .* validation 7"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def test_a_non_finite_loss_stops_with_the_name_of_its_term(ferplus_tree, tmp_path):
    with pytest.raises(NonFiniteLoss, match="the loss term affinity is inf"):
        fit(tiny_config(ferplus_tree, tmp_path / "run", affinity=1e300))
    assert not (tmp_path / "run" / "best.safetensors").exists()


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([[1.0, 2.0], [float("nan"), 2.0]], "a"),
        ([[1.0, float("inf")], [float("nan"), float("nan")]], "b"),  # what came first is named
    ],
)
def test_the_first_term_to_fail_is_named(rows, name):
    with pytest.raises(NonFiniteLoss, match=f"term {name} is"):
        check_finite(["a", "b"], torch.tensor(rows))
