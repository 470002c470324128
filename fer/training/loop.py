"""The training loop, and the files that it writes into the folder of the run."""

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
from ..evaluation.environment import describe_environment
from ..io.atomic import write_atomically
from ..models.checkpoint import load_training_state, save_checkpoint
from .config import FREE, TrainConfig
from .model import check_names
from .selection import best_epoch, has_ended
from .splits import Splits, load_splits
from .template import measure_missing_template
from .trackers import check_trackers, scalars, tracked
from .trainer import Trainer

log = logging.getLogger("fer")
BEST, LAST = "best.safetensors", "last.pt"


class NotSaved(FerError):
    """The files of an epoch could not be written."""


def fit(config: TrainConfig, on_epoch: Callable[[Trainer], None] | None = None) -> dict | None:
    """Train a network as described by `config`, and write the run into the folder `config.out`.

    The folder holds `config.yaml`, `environment.json`, `history.jsonl` (a line per epoch), TensorBoard events,
    `last.pt` (the state to resume from) and `best.safetensors` (the checkpoint of the best epoch). The best epoch is
    the one whose averaged weights have the highest accuracy, or other figure `config.select`, on the validation images
    that are not in training. Under torchrun, process 0 writes the files. The trackers of `config.track` get the figures
    that TensorBoard gets.

    Args:
        on_epoch: callback, called with the trainer after each epoch, when its files are written.

    Returns:
        the validation figures of the best epoch; None if the limit `config.minutes` ended the run before the last
        epoch. At least one epoch is trained.

    Raises:
        ValueError: the configuration or the data are wrong; raised before the training.
        NonFiniteLoss: a loss term became NaN or infinite.
        NonFiniteNetwork: a weight or a validation logit became NaN or infinite.
        NotSaved: the files of an epoch could not be written.
    """
    if not config.data or not config.out:
        raise ValueError("--data (the folder of the dataset) and --out (the folder of the run) are needed")
    check_trackers(config.track)
    deadline = time.monotonic() + 60 * config.minutes if config.minutes else float("inf")
    with process_group(choose_device(config.device)):
        out = Path(config.out)
        last = out / LAST
        if last.exists() and not config.resume:
            raise ValueError(f"{out} already holds a run: add --resume to go on with it, or choose another --out")
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
        with tracked(config, last.exists(), on_epoch) as on_epoch:
            return run(trainer, out, deadline, on_epoch)


def keep_template(config: TrainConfig, out: Path) -> TrainConfig:
    """The configuration with the template that the run in `out` measured at its start, if it has none of its own."""
    saved = yaml.safe_load((out / "config.yaml").read_text()).get("template", [])
    return config if config.template else replace(config, template=saved)


def check_same_run(config: TrainConfig, out: Path) -> None:
    """Raise ValueError, naming the fields, if the run in `out` was started with other settings.

    The fields in FREE may differ.
    """
    saved, new = asdict(TrainConfig()) | yaml.safe_load((out / "config.yaml").read_text()), asdict(config)
    if changed := [f"{k} ({saved[k]} -> {new.get(k)})" for k in saved if k not in FREE and saved[k] != new.get(k)]:
        raise ValueError(f"--resume: {out} was started with other settings: {', '.join(changed)}")


def start_run(config: TrainConfig, splits: Splits, out: Path) -> None:
    """Write config.yaml and environment.json, and log the number of images."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(config.to_yaml())
    note_start(
        out / "environment.json", describe_environment(choose_device(config.device)), resumed=(out / LAST).exists()
    )
    for name, samples in (("train", splits.train), ("val", splits.val)):
        log.info("%s: %d images %s; layout: %s", name, len(samples), samples.counts(), samples.layout)
    log.info("val: %d images are also in train", splits.leaked.sum())


def note_start(path: Path, environment: dict, resumed: bool) -> None:
    """Write the environment of a run. That of a resumed run is appended to the list `resumed` in the file."""
    if resumed and path.exists():
        first = json.loads(path.read_text())
        environment = first | {"resumed": [*first.get("resumed", []), environment]}
    text = json.dumps(environment, indent=2)
    write_atomically(path, lambda temporary: temporary.write_text(text))


def run(trainer: Trainer, out: Path, deadline: float, on_epoch: Callable | None) -> dict | None:
    """Train the remaining epochs until the deadline, but at least one; validate, save and log each.

    Args:
        deadline: in seconds, of `time.monotonic`.
        on_epoch: see `fit`.

    Returns:
        see `fit`.
    """
    start = trainer.epoch
    config = trainer.config
    while not has_ended(trainer.history, config.epochs, config.patience):
        if trainer.epoch > start and time.monotonic() > deadline:  # at least one, or repeated calls would never end
            log.info("time limit reached after epoch %d; add --resume to continue", trainer.epoch)
            return None
        train_figures = trainer.train_epoch()
        figures = trainer.validate()
        better = config.select == "last" or figures["score"] > trainer.best
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
    if trainer.epoch < config.epochs:
        log.info("stopped early: no better epoch in the last %d", config.patience)
    best = best_epoch(trainer.history, config.select)
    return {"epoch": best + 1} | _validation_figures(trainer.history[best])


def _validation_figures(figures: dict) -> dict:
    return {name.removeprefix("val_"): value for name, value in figures.items() if name.startswith("val_")}


def save(trainer: Trainer, out: Path, better: bool) -> None:
    """Write the files of the last epoch: its figures, the state to resume from, and the checkpoint.

    Args:
        better: the epoch is the best so far; only then the checkpoint is written.

    Raises:
        NotSaved: the disk is full, or another error. Each file is then either new and complete, or as before.
    """
    try:
        _write(trainer, out, better)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        room = shutil.disk_usage(out).free / 1e6
        raise NotSaved(
            f"epoch {trainer.epoch} could not be saved in {out}, where {room:.0f} MB are free ({reason}); the files of "
            "earlier epochs are kept: remove the cause, and continue with --resume"
        ) from error


def _write(trainer: Trainer, out: Path, better: bool) -> None:
    if better:
        figures = {"epoch": trainer.epoch} | _validation_figures(trainer.history[-1])
        save_checkpoint(out / BEST, trainer.ema.module, trainer.describe(figures))
    lines = [json.dumps({"epoch": i} | figures) + "\n" for i, figures in enumerate(trainer.history, 1)]
    write_atomically(out / "history.jsonl", lambda path: path.write_text("".join(lines)))
    write_scalars(trainer, out / "tensorboard")
    write_atomically(out / LAST, lambda path: torch.save(trainer.state(), path))


def write_scalars(trainer: Trainer, folder: Path) -> None:
    """Write the scalar figures of the last epoch as TensorBoard events."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=trainer.epoch) as board:
        for tag, value in scalars(trainer).items():
            board.add_scalar(tag, value, trainer.epoch)
