"""Runs of training: tiny ones, and folders that look like one."""

import json
from pathlib import Path

import torch
import yaml

from fer.models.checkpoint import load_training_state
from fer.training.config import TrainConfig
from fer.training.trainer import Trainer

TEMPLATE = [0.31, 0.39, 0.69, 0.39, 0.5, 0.6, 0.35, 0.76, 0.65, 0.76]  # given: measuring it would download a detector
TINY = {
    "template": TEMPLATE,
    "backbone": "mobilefacenet-128",
    "input_size": 32,
    "num_heads": 2,
    "batch_size": 8,
    "workers": 0,
    "augmentation": "none",
    "device": "cpu",
}


def fake_run(folder: Path, seed: int, accuracies: list[float], **changes) -> None:
    folder.mkdir(parents=True)
    config = {"seed": seed, "out": str(folder), "epochs": 2, "num_heads": 4} | changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [
        {"epoch": i, "val_score": a, "val_accuracy": a + 0.01, "cross_entropy": 1 / i, "seconds": 10.0 * i}
        for i, a in enumerate(accuracies, 1)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def tiny_config(folder: Path, run: Path, **changes) -> TrainConfig:
    return TrainConfig(**({"data": str(folder), "out": str(run), "epochs": 2} | TINY | changes))


def history(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


def interrupt(trainer: Trainer) -> None:
    raise KeyboardInterrupt


def weights_of(run: Path) -> torch.Tensor:
    """All that a run has learnt, as one vector."""
    state = load_training_state(run / "last.pt")["objective"]
    return torch.cat([tensor.double().flatten() for tensor in state.values()])
