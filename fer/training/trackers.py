"""Trackers of runs: Weights & Biases and MLflow, if --track names them.

What they store stays in the folder of the run, unless their own variables say otherwise (WANDB_MODE,
MLFLOW_TRACKING_URI).
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Protocol

from ..distributed import rank
from ..io.atomic import write_atomically
from .config import TrainConfig

if TYPE_CHECKING:
    from .trainer import Trainer

log = logging.getLogger("fer")
PROJECT = "dan-fer"  # where neither WANDB_PROJECT nor MLFLOW_EXPERIMENT_NAME is set
IDS = "trackers.json"  # of the tracked runs, by tracker, for --resume


class Tracker(Protocol):
    """A run in a tracker. It is created with the configuration, and the id of the run to continue or None."""

    id: str

    def log(self, epoch: int, figures: dict[str, float]) -> None: ...

    def finish(self, failed: bool) -> None: ...


class Wandb:
    """A run of Weights & Biases. Offline, a resumed run has a second folder with the same id."""

    def __init__(self, config: TrainConfig, id: str | None):
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to its makers
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=config.out,
            config=asdict(config),
            dir=config.out,
            mode=os.environ.get("WANDB_MODE", "offline"),
            id=id,
            resume="allow",
            allow_val_change=True,  # of fields like `workers`, which may change
            settings=wandb.Settings(console="off", silent=True),  # the output of the terminal is not recorded
        )
        self.id = self.run.id

    def log(self, epoch: int, figures: dict[str, float]) -> None:
        self.run.log(figures, step=epoch)

    def finish(self, failed: bool) -> None:
        self.run.finish(exit_code=int(failed))


class Mlflow:
    """A run of MLflow, by default in `mlflow.db` in the folder of the run (MLflow has given up its store of files)."""

    def __init__(self, config: TrainConfig, id: str | None):
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        for name in ("mlflow", "alembic"):  # they report each table that they create
            logging.getLogger(name).setLevel(logging.WARNING)
        local = f"sqlite:///{(Path(config.out) / 'mlflow.db').resolve().as_posix()}"
        self.client = mlflow.MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or local)
        self.metric: Any = mlflow.entities.Metric
        self.id = id or self._create(config, mlflow.entities.Param)

    def _create(self, config: TrainConfig, param: Any) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self.client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(name)
        id = self.client.create_run(experiment_id, run_name=config.out).info.run_id
        self.client.log_batch(id, params=[param(field, str(value)) for field, value in asdict(config).items()])
        return id

    def log(self, epoch: int, figures: dict[str, float]) -> None:
        now = round(1000 * time.time())
        self.client.log_batch(self.id, [self.metric(name, value, now, epoch) for name, value in figures.items()])

    def finish(self, failed: bool) -> None:
        self.client.set_terminated(self.id, "FAILED" if failed else "FINISHED")


TRACKERS: dict[str, Callable[[TrainConfig, str | None], Tracker]] = {"wandb": Wandb, "mlflow": Mlflow}


def check_trackers(names: list[str]) -> None:
    """Check the names of --track.

    Raises:
        ValueError: an unknown tracker, or one whose package is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise ValueError(f"--track: unknown tracker {name!r}; choose from {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise ValueError(f"--track {name} needs the package {name}: pip install {name}")


@contextmanager
def tracked(
    config: TrainConfig, resumed: bool, on_epoch: Callable[[Trainer], None] | None = None
) -> Iterator[Callable[[Trainer], None]]:
    """Start the trackers of `config.track`, and finish them at the end of the `with` block.

    A tracker that fails is a warning in the log; the training goes on. Under torchrun, process 0 has the trackers.

    Args:
        resumed: continue the tracked runs that `trackers.json` in the folder of the run names.
        on_epoch: see `fit`.

    Returns:
        the callback for each epoch: it logs the figures of the epoch, then calls `on_epoch`.
    """
    trackers = _start(config, resumed) if rank() == 0 and config.track else {}

    def log_epoch(trainer: Trainer) -> None:
        for name, tracker in trackers.items():
            _attempt(name, tracker.log, trainer.epoch, scalars(trainer))
        if on_epoch:
            on_epoch(trainer)

    failed = True
    try:
        yield log_epoch
        failed = False
    finally:
        for name, tracker in trackers.items():
            _attempt(name, tracker.finish, failed)


def scalars(trainer: Trainer) -> dict[str, float]:
    """The scalar figures of the last epoch, with the names train/... and val/..., as TensorBoard gets them."""
    figures = trainer.history[-1] | {"lr": trainer.schedule.get_last_lr()[-1]}
    return {
        f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}": value
        for name, value in figures.items()
        if isinstance(value, float)
    }


def _start(config: TrainConfig, resumed: bool) -> dict[str, Tracker]:
    """The trackers that could be started, by name."""
    path = Path(config.out) / IDS
    ids = json.loads(path.read_text()) if resumed and path.exists() else {}
    started = {name: _attempt(name, TRACKERS[name], config, ids.get(name)) for name in config.track}
    trackers = {name: tracker for name, tracker in started.items() if tracker}
    ids |= {name: tracker.id for name, tracker in trackers.items()}
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(ids)))
    return trackers


def _attempt(name: str, action: Callable, *arguments: object) -> Any:
    try:
        return action(*arguments)
    except Exception as error:  # of a package, a disk or a server
        reason = shorten(str(error), 300) or type(error).__name__
        log.warning("--track %s failed (%s); the training goes on", name, reason)
        return None
