"""The training loop and the folder it leaves."""

from __future__ import annotations

import json
import logging
import platform
from dataclasses import asdict
from pathlib import Path

import torch
import yaml

from ..models.checkpoint import load_training_state, read_description, save_checkpoint, write_atomically
from .config import TrainConfig
from .splits import Splits, load_splits
from .trainer import Trainer

log = logging.getLogger("fer")


def fit(config: TrainConfig) -> dict:
    """Train as `config` says, into the folder `config.out`; returns the figures of the best epoch.

    The folder holds `config.yaml`, `environment.json`, `history.jsonl` (a line per epoch), TensorBoard events,
    `last.pt` (to resume) and `best.safetensors` (the checkpoint that validation chose: the averaged weights of the
    epoch with the highest accuracy on validation images that are not in training).

    Raises:
        ValueError: the configuration or the data are wrong; raised before any work.
        NonFiniteLoss: a loss term became NaN or infinite.
    """
    if not config.data or not config.out:
        raise ValueError("--data (the folder of the dataset) and --out (the folder of the run) are needed")
    out = Path(config.out)
    last = out / "last.pt"
    if last.exists() and not config.resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    if last.exists():
        check_same_run(config, out)
    splits = load_splits(config)
    trainer = Trainer(config, splits)
    if last.exists():
        trainer.load_state(load_training_state(last))
        log.info("resumed %s after epoch %d", out, trainer.epoch)
    start_run(config, splits, out)
    return run(trainer, out)


def check_same_run(config: TrainConfig, out: Path) -> None:
    """A resumed run must be the same run. Raises ValueError naming the fields that differ."""
    saved, now = yaml.safe_load((out / "config.yaml").read_text()), asdict(config)
    free = {"resume", "out", "data", "workers", "device", "compile"}
    if changed := [f"{k} ({saved[k]} -> {now[k]})" for k in saved if k not in free and saved[k] != now.get(k)]:
        raise ValueError(f"--resume: {out} was started with other settings: {', '.join(changed)}")


def start_run(config: TrainConfig, splits: Splits, out: Path) -> None:
    """Write what the run is, and say what it trains on."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(config.to_yaml())
    environment = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    (out / "environment.json").write_text(json.dumps(environment | {"threads": torch.get_num_threads()}, indent=2))
    log.info("train %d images %s", len(splits.train), splits.train.counts())
    log.info("val %d images %s, %d of them also in train", len(splits.val), splits.val.counts(), splits.leaked.sum())


def run(trainer: Trainer, out: Path) -> dict:
    """The epochs that are left; after each, validate, log and save."""
    from torch.utils.tensorboard import SummaryWriter

    best = out / "best.safetensors"
    with SummaryWriter(str(out / "tensorboard"), purge_step=trainer.epoch + 1) as board:
        while trainer.epoch < trainer.config.epochs:
            train_figures = trainer.train_epoch()
            figures = trainer.validate()
            if figures["score"] > trainer.best:
                save_checkpoint(best, trainer.ema.module, trainer.describe({"epoch": trainer.epoch + 1} | figures))
            trainer.history.append(train_figures | {f"val_{name}": value for name, value in figures.items()})
            write_history(trainer, out)
            write_scalars(board, trainer)
            write_atomically(out / "last.pt", lambda path: torch.save(trainer.state(), path))
            log.info(
                "epoch %d: validation accuracy %.2f %%, score %.2f %% (best %.2f %%)",
                trainer.epoch,
                100 * figures["accuracy"],
                100 * figures["score"],
                100 * trainer.best,
            )
    return read_description(best).metrics


def write_history(trainer: Trainer, out: Path) -> None:
    """A line per epoch."""
    lines = [json.dumps({"epoch": i} | figures) + "\n" for i, figures in enumerate(trainer.history, 1)]
    write_atomically(out / "history.jsonl", lambda path: path.write_text("".join(lines)))


def write_scalars(board, trainer: Trainer) -> None:
    """The single numbers of the last epoch, to TensorBoard."""
    figures = trainer.history[-1] | {"lr": trainer.schedule.get_last_lr()[-1]}
    for name, value in figures.items():
        if isinstance(value, float):
            board.add_scalar(
                f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}", value, trainer.epoch
            )
