"""Whole runs on tiny data."""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import make_ferplus
from torchvision.models import resnet18

from fer.data import load_samples
from fer.data.loader import UnreadableImage
from fer.errors import FerError
from fer.io.images import write_image
from fer.labels import EMOTIONS
from fer.models.checkpoint import load_checkpoint, load_training_state
from fer.training import splits as splits_module
from fer.training.config import TrainConfig
from fer.training.environment import git_state
from fer.training.finite import NonFiniteLoss, NonFiniteNetwork, check_finite, check_network
from fer.training.loop import NotSaved, fit
from fer.training.model import build_model
from fer.training.splits import Splits, load_splits
from fer.training.trainer import Trainer, make_preprocessing

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = [0.31, 0.39, 0.69, 0.39, 0.5, 0.6, 0.35, 0.76, 0.65, 0.76]  # given: measuring it would download a detector
TINY = {
    "template": TEMPLATE,
    "input_size": 32,
    "num_heads": 2,
    "batch_size": 8,
    "workers": 0,
    "augmentation": "none",
    "device": "cpu",
}


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
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in TINY.items() if k != "template"] + [
        "--template",
        *map(str, TEMPLATE),
    ]
    arguments = ["--data", data, "--out", out, "--epochs", 4, "--augmentation=faces", *more]
    return [sys.executable, str(ROOT / "train.py"), *flags, *map(str, arguments)]


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_an_epoch_resumes_to_the_same_end(tmp_path, monkeypatch):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 96, "FER2013Valid": 80})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # inherited by the runs below
    subprocess.run(command(data, whole), check=True, capture_output=True)

    ours, its = os.openpty()  # a terminal shows each step, if it is wide enough
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 200, 0, 0))
    process = subprocess.Popen(command(data, killed), stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    progress = b""
    while not re.search(rb"epoch 3/4:[^\n]* [3-9]/12 ", progress):  # in the middle of the third epoch
        progress += os.read(ours, 256)
        assert process.poll() is None
    process.kill()  # SIGKILL: nothing can be saved now
    process.wait()
    os.close(ours)
    assert len(history(killed)) == 2

    again = subprocess.run(command(data, killed), capture_output=True, text=True)
    assert again.returncode == 2 and "add --resume to go on" in again.stderr
    subprocess.run(command(data, killed, "--resume"), check=True, capture_output=True)
    ends = [history(out)[-1] for out in (whole, killed)]
    assert [e["epoch"] for e in ends] == [4, 4]
    assert abs(ends[0]["val_accuracy"] - ends[1]["val_accuracy"]) <= 0.001
    assert ends[0]["cross_entropy"] == pytest.approx(ends[1]["cross_entropy"], rel=1e-4)


def interrupt(trainer: Trainer) -> None:
    raise KeyboardInterrupt


def weights_of(run: Path) -> torch.Tensor:
    """All that a run has learnt, as one vector."""
    state = load_training_state(run / "last.pt")["objective"]
    return torch.cat([tensor.double().flatten() for tensor in state.values()])


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
        ({"backbone": "swin_tiny_patch4_window7_224"}, "does not take --input-size 32"),
        ({"batch_size": 64}, "16 training images are fewer than one step .64 in a batch"),
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


def test_missing_images_are_reported_before_any_work(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Train" / "fer0000005.png").unlink()
    with pytest.raises(ValueError, match="1 of 16 images are not there, e.g. .*fer0000005.png; fer check-data"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_backbone_weights_from_a_torch_file_in_the_folder_of_downloads(tmp_path, monkeypatch):
    source = resnet18()
    (tmp_path / "pretrained").mkdir()
    torch.save({"state_dict": source.state_dict()}, tmp_path / "pretrained" / "resnet18_msceleb.pth")
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(data="x", backbone="resnet18", backbone_weights="resnet18_msceleb.pth", input_size=32)
    loaded = build_model(config, EMOTIONS).backbone.net
    assert torch.equal(loaded.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


def test_an_empty_split_is_reported(ferplus_tree, tmp_path):
    (ferplus_tree / "FER2013Valid" / "label.csv").write_text('a.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,9,1\n')
    with pytest.raises(ValueError, match="the val split of ferplus holds no image"):
        fit(tiny_config(ferplus_tree, tmp_path / "run"))


def test_splits_with_different_classes_are_reported(ferplus_tree, tmp_path, monkeypatch):
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


def test_a_run_says_where_it_ran(ferplus_tree, tmp_path):
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1))
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["packages"]["torch"].startswith(torch.__version__.split("+")[0])
    assert environment["device"] == "cpu" and environment["processes"] == 1
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert environment["git"] is None if not head else environment["git"]["commit"] == head


def test_a_resumed_run_keeps_where_it_started(ferplus_tree, tmp_path, monkeypatch):
    out = tmp_path / "run"
    for epochs, argv in enumerate((["first"], ["second"], ["third"]), 1):
        monkeypatch.setattr(sys, "argv", argv)
        fit(tiny_config(ferplus_tree, out, epochs=3, minutes=1e-6, resume=epochs > 1))
        assert len(history(out)) == epochs
    environment = json.loads((out / "environment.json").read_text())
    assert environment["command"] == ["first"] and environment["git"] == git_state(ROOT / "fer")
    assert [start["command"] for start in environment["resumed"]] == [["second"], ["third"]]


def test_git_state_is_not_that_of_a_foreign_checkout(tmp_path):
    """A package installed inside somebody's repository is not that repository."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "fer").mkdir()
    assert git_state(tmp_path / "fer") is None


def test_a_run_stops_when_its_minutes_are_over_and_goes_on(ferplus_tree, tmp_path):
    out = tmp_path / "run"
    assert fit(tiny_config(ferplus_tree, out, epochs=3, minutes=1e-6)) is None  # over before the first epoch
    assert len(history(out)) == 1  # or a limit shorter than the start would never end
    assert fit(tiny_config(ferplus_tree, out, epochs=3, resume=True, minutes=60))["n"] == 16
    assert len(history(out)) == 3


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


@pytest.mark.parametrize(
    "changes",
    [
        {"sam": 0.05},
        {"mixup": 0.2, "cutmix": 1.0},
        {"optimizer": "sgd", "schedule": "step", "step_epochs": 1, "lr": 0.01, "layer_decay": 0.7},
        {"attention": "qkv", "overlap": 0.1},
        {"backbone": "mobilefacenet-128", "affinity": 0.0, "partition": 0.0},
        {"freeze": ["backbone:1", "backbone.stem:2"]},
        {"accumulate": 2, "sam": 0.05},
        {"balanced": True, "class_weights": True, "cache": True, "workers": 1},
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


def test_modules_are_freed_one_after_another(ferplus_tree):
    train = load_samples("ferplus", ferplus_tree, "train")
    config = tiny_config(ferplus_tree, ferplus_tree, epochs=3, freeze=["backbone.stem:2", "backbone:1"])
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    backbone, free = trainer.objective.model.backbone, []
    for _ in range(3):
        trainer.history.append(trainer.train_epoch())
        free.append([p.requires_grad for p in (backbone.stem[0][0].weight, backbone.last[0].weight)])
    assert free == [[False, False], [False, True], [True, True]]


def test_a_run_goes_on_from_a_checkpoint(ferplus_tree, tmp_path, tiny_checkpoint, caplog):
    """All that fits is taken, the rest is said."""
    caplog.set_level("INFO", "fer")
    train = load_samples("ferplus", ferplus_tree, "train")
    for heads, fits in ((2, True), (1, False)):
        config = tiny_config(ferplus_tree, tmp_path, init_weights=str(tiny_checkpoint), num_heads=heads)
        trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
        ours, theirs = trainer.objective.model.state_dict(), load_checkpoint(tiny_checkpoint)[0].state_dict()
        assert torch.equal(ours["backbone.stem.0.0.weight"], theirs["backbone.stem.0.0.weight"])
        assert (ours["attention.reduce.0.weight"].shape == theirs["attention.reduce.0.weight"].shape) == fits
    went_on = [message for message in caplog.messages if "the network starts from" in message]
    assert "new values: none" in went_on[0] and "anew: none" in went_on[0] and "attention.reduce.0.weight" in went_on[1]


@pytest.mark.parametrize(
    ("changes", "said", "warned"),
    [
        ({}, "starts from random values$", False),
        ({"freeze": ["backbone.stem:1"]}, "starts from random values$", True),
        ({"freeze": ["backbone.stem:0"]}, "starts from random values$", False),  # fixed for no epoch
        ({"init_weights": "TINY", "freeze": ["backbone:1"]}, "starts from .*tiny.safetensors; classes carried", False),
        ({"init_weights": "TINY", "num_heads": 1, "freeze": ["attention:1"]}, "values: attention.branches", True),
        # without its last convolution; init weights need no other file
        ({"init_weights": "TINY", "backbone": "mobilefacenet-128", "backbone_weights": "gone"}, "tiny.safe", False),
        ({"backbone_weights": "TINY", "freeze": ["backbone:1"]}, "random values, its backbone from .*tiny.safe", False),
        ({"backbone_weights": "TINY", "freeze": ["attention:1"]}, "random values, its backbone from", True),
        (
            {"backbone": "mobilefacenet-128", "backbone_weights": "dan-mobilefacenet-ferplus"},
            "its backbone from .*dan-mobilefacenet-ferplus.safetensors",
            False,
        ),
    ],
)
def test_a_run_says_what_it_starts_from(tiny_checkpoint, caplog, changes, said, warned):
    caplog.set_level("INFO", "fer")
    changes = {name: str(tiny_checkpoint) if value == "TINY" else value for name, value in changes.items()}
    build_model(tiny_config(Path("x"), Path("y"), **changes), EMOTIONS)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "INFO"]
    assert re.search(said, line)
    assert [f"--freeze {changes['freeze'][0]} fixes random" in m for m in caplog.messages[1:]] == [True] * warned


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


def test_a_student_learns_what_its_teachers_say(ferplus_tree, tmp_path, tiny_checkpoint):
    """With all the weight on the teachers, labels do not matter."""
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1, teachers=[str(tiny_checkpoint)], distill=1.0))
    line = history(tmp_path / "run")[0]
    assert "distillation" in line and "cross_entropy" not in line


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


@pytest.mark.parametrize("where", ["weight", "statistics", "centres"])
def test_a_network_that_is_not_finite_ends_the_run(ferplus_tree, tmp_path, where):
    """The last steps of an epoch may destroy what its losses did not show; the epoch before stays."""
    out = tmp_path / "run"

    def destroy(trainer: Trainer) -> None:
        saved.append((out / "best.safetensors").read_bytes())
        model = trainer.objective.model
        tensor = {
            "weight": model.classifier.weight,
            "statistics": model.norm.running_var,
            "centres": trainer.objective.criterion.centres,
        }[where]
        train_epoch = trainer.train_epoch

        def then_destroy() -> dict[str, float]:
            figures = train_epoch()
            tensor.data.fill_(float("nan"))
            return figures

        trainer.train_epoch = then_destroy

    saved, name = [], {"weight": "classifier.weight", "statistics": "norm.running_var", "centres": "centres"}[where]
    with pytest.raises(NonFiniteNetwork, match=f"{name} is not finite after epoch 2"):
        fit(tiny_config(ferplus_tree, out), on_epoch=destroy)
    assert len(history(out)) == 1 and (out / "best.safetensors").read_bytes() == saved[0]


def test_logits_that_are_not_finite_end_the_run(ferplus_tree, tmp_path):
    """Finite weights, whose product is not."""
    train = load_samples("ferplus", ferplus_tree, "train")
    config = tiny_config(ferplus_tree, tmp_path / "run", affinity=0.0, ema=0.0)
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    trainer.ema.module.classifier.weight.data.fill_(1e38)
    trainer.objective.model.classifier.weight.data.fill_(1e38)
    with pytest.raises(NonFiniteNetwork, match="logits of 16 of 16 validation images are not finite after epoch 1"):
        trainer.validate()


def test_a_finite_network_passes():
    check_network({"a": torch.zeros(2), "steps": torch.tensor(3)}, 1)
    check_network({}, 1)


@pytest.mark.parametrize("megabytes", [0.5, 12], ids=["checkpoint", "state"])  # of the two, the state is larger
def test_a_full_disk_ends_the_run_and_the_last_epoch_stays(ferplus_tree, tmp_path, megabytes):
    resource = pytest.importorskip("resource")
    out, limit = tmp_path / "run", resource.getrlimit(resource.RLIMIT_FSIZE)
    config = tiny_config(ferplus_tree, out, epochs=3, backbone="mobilefacenet-128", num_heads=1)
    fit(replace(config, minutes=1e-6))
    before = weights_of(out)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 1e6), limit[1]))
    try:
        with pytest.raises(NotSaved, match=r"epoch 2 could not be saved in .*, where \d+ MB are free \(.*--resume"):
            fit(replace(config, resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert issubclass(NotSaved, FerError)  # which the command line prints, and ends with 2
    assert torch.equal(weights_of(out), before)
    load_checkpoint(out / "best.safetensors")
    fit(replace(config, resume=True))
    assert len(history(out)) == 3


def test_without_a_compiler_a_run_goes_on_uncompiled(ferplus_tree, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1, compile=True))
    assert "--compile is not used: no compiler of C++" in caplog.text
