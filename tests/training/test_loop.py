"""Whole runs on tiny data."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fer.data.loader import UnreadableImage
from fer.models.checkpoint import load_checkpoint
from fer.training.loop import fit
from fer.training.trainer import Trainer, make_preprocessing
from runs import history, tiny_config

ROOT = Path(__file__).resolve().parents[2]


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
    assert sum(description.class_shares.values()) == pytest.approx(1, abs=1e-5)
    assert description.recipe == yaml.safe_load((out / "config.yaml").read_text())
    assert any((out / "tensorboard").iterdir())


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
        ({"freeze": ["stem:1"]}, "no module 'stem'"),
        ({"init_weights": "gone"}, "no weights 'gone'; shipped: dan-mobilefacenet"),
        ({"teachers": ["gone"]}, "no weights 'gone'; shipped: dan-mobilefacenet"),
        ({"teachers": ["dan-mobilefacenet-ferplus"]}, "--teachers .* must be the same"),  # at 112 px
        ({"augmentation": "hard"}, "unknown augmentation"),
        ({"device": "tpu"}, "device 'tpu' is not available"),
        ({"backbone": "swin_tiny_patch4_window7_224"}, "does not accept --input-size 32"),
        ({"batch_size": 64}, "16 training images are fewer than one step needs .--batch-size 64"),
    ],
)
def test_mistakes_are_reported_before_any_work(ferplus_tree, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        fit(tiny_config(ferplus_tree, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_stops_with_its_name(ferplus_tree, tmp_path, workers):
    path = ferplus_tree / "FER2013Train" / "fer0000005.png"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableImage) as error:
        fit(tiny_config(ferplus_tree, tmp_path / "run", workers=workers))
    assert re.fullmatch(f"{path}: cannot be read .*; fer check-data finds all such files, .*", str(error.value))


def test_the_same_command_gives_the_same_numbers(ferplus_tree, tmp_path):
    """On one machine, on CPU: every figure but the times."""
    config = {"augmentation": "faces", "mixup": 0.2, "cutmix": 1.0}
    for name in ("a", "b"):
        fit(tiny_config(ferplus_tree, tmp_path / name, **config))
    free = {"seconds", "images_per_second", "peak_megabytes"}
    a, b = ([{k: v for k, v in line.items() if k not in free} for line in history(tmp_path / n)] for n in "ab")
    assert a == b
    fit(tiny_config(ferplus_tree, tmp_path / "c", seed=1, **config))
    assert history(tmp_path / "c")[-1]["cross_entropy"] != a[-1]["cross_entropy"]


def test_a_run_stops_when_its_minutes_are_over_and_goes_on(ferplus_tree, tmp_path):
    out = tmp_path / "run"
    assert fit(tiny_config(ferplus_tree, out, epochs=3, minutes=1e-6)) is None  # over before the first epoch
    assert len(history(out)) == 1  # or a limit shorter than the start would never end
    assert fit(tiny_config(ferplus_tree, out, epochs=3, resume=True, minutes=60))["n"] == 16
    assert len(history(out)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"sam": 0.05},
        {"mixup": 0.2, "cutmix": 1.0},
        {
            "optimizer": "sgd",
            "schedule": "step",
            "step_epochs": 1,
            "lr": 0.01,
            "layer_decay": 0.7,
            "backbone": "mobilefacenet",
        },
        {"attention": "qkv", "overlap": 0.1, "outside": 1.0},
        {"backbone": "mobilefacenet", "affinity": 0.0, "partition": 0.0},
        {"freeze": ["backbone:1", "backbone.stem:2"]},
        {"accumulate": 2, "sam": 0.05},
        {"balanced": True, "cache": True, "workers": 1},
        {"class_weights": True, "label_smoothing": 0.1, "select": "macro_f1"},
        {"gray": False, "mean": [120.0, 110.0, 100.0], "std": [60.0, 58.0, 56.0], "interpolation": "linear"},
    ],
)
def test_every_way_of_training_learns(ferplus_tree, tmp_path, changes):
    """The loss falls, and the checkpoint loads."""
    config = tiny_config(ferplus_tree, tmp_path / "run", **({"epochs": 6, "backbone_lr": 1e-3} | changes))
    fit(config)
    lines = history(tmp_path / "run")
    assert lines[-1]["cross_entropy"] < lines[0]["cross_entropy"]
    _, description = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert (description.attention, description.backbone) == (config.attention, config.backbone)
    assert description.preprocessing == make_preprocessing(config)


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "hard"},
        {"teachers": ["gone"]},
        {"init_weights": "gone.safetensors"},
        {"backbone_weights": "gone.safetensors"},
        {"backbone": "resnet1888"},
        {"freeze": ["backbone.stage9:1"]},
        {"input_size": 32, "backbone": "swin_tiny_patch4_window7_224"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_misspelt_names_are_told_before_the_data_are_read(ferplus_tree, tmp_path, monkeypatch, changes):
    def read(*_):
        raise AssertionError("data were read")

    monkeypatch.setattr("fer.training.loop.load_splits", read)
    with pytest.raises(ValueError):
        fit(tiny_config(ferplus_tree, tmp_path / "run", **changes))


def test_without_a_compiler_a_run_goes_on_uncompiled(ferplus_tree, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1, compile=True))
    assert "--compile is not used: no C++ compiler" in caplog.text


@pytest.mark.parametrize(
    ("changes", "accuracies", "epochs", "best"),
    [
        ({"patience": 2}, [0.5, 0.7, 0.6, 0.7, 0.9], 4, 2),
        ({}, [0.5, 0.7, 0.6, 0.7, 0.6], 5, 2),
        ({"select": "last"}, [0.5, 0.7, 0.6, 0.7, 0.6], 5, 5),
    ],
)
def test_which_epoch_is_kept_and_when_a_run_stops(
    ferplus_tree, tmp_path, monkeypatch, changes, accuracies, epochs, best
):
    """Accuracies are made up; a resumed run knows that it had ended."""
    original = Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda self: original(self) | {"score": accuracies[self.epoch]})
    config = tiny_config(ferplus_tree, tmp_path / "run", epochs=5, **changes)
    figures = fit(config)
    assert (figures["epoch"], figures["score"]) == (best, accuracies[best - 1])
    assert len(history(tmp_path / "run")) == epochs
    assert load_checkpoint(tmp_path / "run" / "best.safetensors")[1].metrics["epoch"] == best
    assert fit(replace(config, resume=True)) == figures and len(history(tmp_path / "run")) == epochs
