"""The benchmark of a recipe's training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from ..device import peak_megabytes
from ..training.config import TrainConfig
from ..training.splits import load_splits
from ..training.trainer import Trainer
from .rounds import Work, measure


def benchmark_training(config: TrainConfig, seconds: float = 20.0) -> Iterator[str]:
    """Measure how fast images are loaded with 0, 1 and 2 workers, and trained on; yield a line per figure.

    Args:
        config: of the training; `compile` must be off, since compilation would be measured.
        seconds: time spent on each figure.
    """
    splits = load_splits(config)
    for workers in (0, 1, 2):
        loader = Trainer(replace(config, workers=workers), splits).train_loader
        batches = iter(loader)
        next(batches)  # wait until the workers have started
        count, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds and (batch := next(batches, None)):
            count += len(batch[0])
        rate = count / (time.perf_counter() - start)
        yield f"loading, {workers} workers   {rate:8.0f} images/s{', in the main process' if not workers else ''}"
    trainer = Trainer(config, splits)
    trainer._prepare_epoch()
    batch = next(iter(trainer.train_loader))
    (step,) = measure([Work("training", "step", lambda: trainer._train_step([batch] * config.accumulate))], seconds)
    rate = config.batch_size * config.accumulate / step["seconds"]
    memory = f"peak memory {peak_megabytes('cpu'):.0f} MB"
    yield f"network, a step      {rate:8.0f} images/s at batch {config.batch_size}, {memory}"
