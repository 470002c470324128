"""The training loop and the folder it leaves."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError

from ..device import choose_device
from ..distributed import process_group, rank
from ..errors import FerError
from ..io.atomic import write_atomically
from ..models.checkpoint import load_training_state, save_checkpoint
from .config import FREE, TrainConfig
from ..evaluation.environment import describe_environment
from .model import check_names
from .splits import Splits, load_splits
from .template import measure_missing_template
from .trainer import Trainer

log = logging.getLogger("fer")
BEST, LAST = "best.safetensors", "last.pt"


class NotSaved(FerError):
    """An epoch could not be written."""


def fit(config: TrainConfig, on_epoch: Callable[[Trainer], None] | None = None) -> dict | None:
    """Train as `config` says, into the folder `config.out`; returns the figures of the best epoch.

    The folder holds `config.yaml`, `environment.json`, `history.jsonl` (a line per epoch), TensorBoard events,
    `last.pt` (to resume) and `best.safetensors` (the checkpoint that validation chose: the averaged weights of the
    epoch with the highest accuracy on validation images that are not in training). Under torchrun, process 0 writes it.

    Args:
        on_epoch: called after each epoch, when it is saved.

    Returns:
        None where the time of `config.minutes` ended before the last epoch; one epoch is trained in any case.

    Raises:
        ValueError: the configuration or the data are wrong; raised before any work.
        NonFiniteLoss: a loss term became NaN or infinite.
        NonFiniteNetwork: a weight, or a logit of validation, did.
        NotSaved: an epoch could not be written.
    """
    if not config.data or not config.out:
        raise ValueError("--data (the folder of the dataset) and --out (the folder of the run) are needed")
    deadline = time.monotonic() + 60 * config.minutes if config.minutes else float("inf")
    with process_group(choose_device(config.device)):
        out = Path(config.out)
        last = out / LAST
        if last.exists() and not config.resume:
            raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
        if last.exists():
            config = keep_template(config, out)
            check_same_run(config, out)
        check_names(config)
        splits = load_splits(config)
        config = measure_missing_template(config, splits.train)
        trainer = Trainer(config, splits)
        if last.exists():
            trainer.load_state(load_training_state(last))
            log.info("resumed %s after epoch %d", out, trainer.epoch)
        if rank() == 0:
            start_run(config, splits, out)
        return run(trainer, out, deadline, on_epoch)


def keep_template(config: TrainConfig, out: Path) -> TrainConfig:
    """A template that the run has measured when it started is not measured again."""
    saved = yaml.safe_load((out / "config.yaml").read_text()).get("template", [])
    return config if config.template else replace(config, template=saved)


def check_same_run(config: TrainConfig, out: Path) -> None:
    """A resumed run must be the same run. Raises ValueError naming the fields that differ."""
    saved, now = asdict(TrainConfig()) | yaml.safe_load((out / "config.yaml").read_text()), asdict(config)
    if changed := [f"{k} ({saved[k]} -> {now.get(k)})" for k in saved if k not in FREE and saved[k] != now.get(k)]:
        raise ValueError(f"--resume: {out} was started with other settings: {', '.join(changed)}")


def start_run(config: TrainConfig, splits: Splits, out: Path) -> None:
    """Write what the run is, and say what it trains on."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(config.to_yaml())
    note_start(
        out / "environment.json", describe_environment(choose_device(config.device)), resumed=(out / LAST).exists()
    )
    for name, samples in (("train", splits.train), ("val", splits.val)):
        log.info("%s: %d images %s; layout: %s", name, len(samples), samples.counts(), samples.layout)
    log.info("%d images of val are also in train", splits.leaked.sum())


def note_start(path: Path, environment: dict, resumed: bool) -> None:
    """Write where a run starts; where it goes on is added to the list `resumed` in the same file."""
    if resumed and path.exists():
        first = json.loads(path.read_text())
        environment = first | {"resumed": [*first.get("resumed", []), environment]}
    text = json.dumps(environment, indent=2)
    write_atomically(path, lambda temporary: temporary.write_text(text))


def run(trainer: Trainer, out: Path, deadline: float, on_epoch: Callable | None) -> dict | None:
    """The epochs that are left, while there is time, but one at least; after each, validate, log and save."""
    start = trainer.epoch
    while trainer.epoch < trainer.config.epochs:
        if trainer.epoch > start and time.monotonic() > deadline:  # one at least, or it would never end
            log.info("time is over after epoch %d; --resume goes on", trainer.epoch)
            return None
        train_figures = trainer.train_epoch()
        figures = trainer.validate()
        better = figures["score"] > trainer.best
        trainer.history.append(train_figures | {f"val_{name}": value for name, value in figures.items()})
        if rank() == 0:
            save(trainer, out, better)
        log.info(
            "epoch %d: validation accuracy %.2f %%, score %.2f %% (best %.2f %%)",
            trainer.epoch,
            100 * figures["accuracy"],
            100 * figures["score"],
            100 * trainer.best,
        )
        if on_epoch:
            on_epoch(trainer)
    best = max(trainer.history, key=lambda figures: figures["val_score"])
    return {"epoch": trainer.history.index(best) + 1} | _validation(best)


def _validation(figures: dict) -> dict:
    return {name.removeprefix("val_"): value for name, value in figures.items() if name.startswith("val_")}


def save(trainer: Trainer, out: Path, better: bool) -> None:
    """Write the last epoch: its checkpoint where it is the best so far, figures, state to resume from.

    Raises:
        NotSaved: no room on the disk, or another error of writing; files that were there stay.
    """
    try:
        _write(trainer, out, better)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        room = shutil.disk_usage(out).free / 1e6
        raise NotSaved(
            f"epoch {trainer.epoch} could not be saved in {out}, where {room:.0f} MB are free ({reason}); what the epochs "
            "before it left is there, and --resume goes on from it"
        ) from error


def _write(trainer: Trainer, out: Path, better: bool) -> None:
    if better:
        figures = {"epoch": trainer.epoch} | _validation(trainer.history[-1])
        save_checkpoint(out / BEST, trainer.ema.module, trainer.describe(figures))
    lines = [json.dumps({"epoch": i} | figures) + "\n" for i, figures in enumerate(trainer.history, 1)]
    write_atomically(out / "history.jsonl", lambda path: path.write_text("".join(lines)))
    write_scalars(trainer, out / "tensorboard")
    write_atomically(out / LAST, lambda path: torch.save(trainer.state(), path))


def write_scalars(trainer: Trainer, folder: Path) -> None:
    """The single numbers of the last epoch, to TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter

    figures = trainer.history[-1] | {"lr": trainer.schedule.get_last_lr()[-1]}
    with SummaryWriter(str(folder), purge_step=trainer.epoch) as board:
        for name, value in figures.items():
            if isinstance(value, float):
                tag = f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"
                board.add_scalar(tag, value, trainer.epoch)
