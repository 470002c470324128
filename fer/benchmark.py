"""Cost on this machine: of a checkpoint (size, multiplications, latency, throughput, memory), and of a recipe's training."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .device import peak_megabytes
from .faces import Detector
from .images import MAX_SIDE, read_image
from .inference.recognizer import EmotionRecognizer
from .models.checkpoint import load_checkpoint
from .models.dan import DAN
from .training.config import TrainConfig


def count_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def count_macs(model: nn.Module, input_size: int) -> int:
    """Multiply-accumulates of one image through convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, input_size, input_size))
    return counter.get_total_flops() // 2


def median_seconds(work: Callable[[], object], seconds: float) -> float:
    """Median time of one call, after one warm-up call, over `seconds` of calls (three at least)."""
    work()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@torch.inference_mode()
def _forward(model: DAN, x: torch.Tensor, amp: bool) -> np.ndarray:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=amp):
        return model(x).logits.float().cpu().numpy()  # .cpu() waits for the device


def benchmark(
    weights: str | Path,
    detector: Detector,
    device: str = "auto",
    batch_size: int = 16,
    seconds: float = 5.0,
    photo: str | Path | None = None,
) -> Iterator[str]:
    """Measure a checkpoint; yields a line of text per figure.

    Args:
        seconds: time spent on each figure.
        photo: time detection and recognition on it, too.
    """
    model, description = load_checkpoint(weights)
    size = description.preprocessing.input_size
    yield f"{Path(weights).stem}: {description.backbone}, {description.num_heads} heads, {size} px"
    yield f"parameters           {count_parameters(model) / 1e6:8.2f} M"
    yield f"MACs                 {count_macs(model, size) / 1e9:8.3f} G  (folded: {count_macs(model.fold(), size) / 1e9:.3f} G)"
    recognizer = EmotionRecognizer(model, description, detector, device, batch_size)
    yield f"machine              {torch.get_num_threads()} threads, {recognizer.network.device}, torch {torch.__version__}"
    one, many = (torch.zeros(n, 3, size, size, device=recognizer.network.device) for n in (1, batch_size))
    for name, network in (("", model.to(recognizer.network.device)), ("folded, ", recognizer.network.model)):
        for kind, amp in (("fp32", False), ("bf16", True)):
            latency = median_seconds(lambda network=network, amp=amp: _forward(network, one, amp), seconds)
            rate = batch_size / median_seconds(lambda network=network, amp=amp: _forward(network, many, amp), seconds)
            yield f"network, {name + kind:<12}{1000 * latency:8.1f} ms for one crop, {rate:7.0f} crops/s at batch {batch_size}"
    if photo:
        yield _time_photo(recognizer, photo, seconds)
    yield f"peak memory          {peak_megabytes('cpu'):8.0f} MB"


def _time_photo(recognizer: EmotionRecognizer, photo: str | Path, seconds: float) -> str:
    image = read_image(photo)
    detect = median_seconds(lambda: recognizer.detector(image), seconds)
    everything = median_seconds(lambda: recognizer(image), seconds)
    h, w = image.shape[:2]
    return (
        f"photo {w}x{h}, {len(recognizer(image))} faces: {1000 * everything:.1f} ms, "
        f"of which {recognizer.detector.name} {1000 * detect:.1f} ms"
    )


def benchmark_files(recognizer: EmotionRecognizer, paths: list[Path], workers: int | None = None) -> Iterator[str]:
    """`predict_paths` beside simpler loops, in turn and twice; a line per figure.

    `one by one` calls the recogniser for each file; `naive` looks for faces in the photo as it is, and runs the network for
    each face alone, as one writes it with a detector and a network at hand.
    """

    def naive() -> int:
        faces = 0
        for path in paths:
            with suppress(ValueError):
                image = read_image(path)
                for detection in whole(image):
                    recognizer.predict_crops(recognizer.cut(image, detection))
                    faces += 1
        return faces

    def one_by_one() -> int:
        faces = 0
        for path in paths:
            with suppress(ValueError):
                faces += len(recognizer(path))
        return faces

    def together() -> int:
        return sum(len(result.faces) for result in recognizer.predict_paths(paths, workers=workers))

    whole = recognizer.detector.for_threads(1)
    whole.max_side = MAX_SIDE
    together()  # everything is warm, and the files are in the system's memory
    works = {"naive": naive, "one by one": one_by_one, "fer predict": together}
    seconds, faces = dict.fromkeys(works, 0.0), {}
    for name, work in [*works.items()] * 2:
        start = time.perf_counter()
        faces[name] = work()
        seconds[name] += time.perf_counter() - start
    for name in works:
        rate = 2 / seconds[name]
        yield (
            f"{name:<20} {rate * len(paths):8.1f} files/s, {rate * faces[name]:8.1f} faces/s, "
            f"{seconds['naive'] / seconds[name]:.2f} times naive"
        )


def benchmark_training(config: TrainConfig, seconds: float = 20.0) -> Iterator[str]:
    """How fast a recipe's images are loaded, with 0, 1 and 2 workers, and trained on; yields a line per figure.

    Args:
        config: names dataset, data and recipe; without compilation, whose start would be measured.
        seconds: time spent on each figure.
    """
    from .training.splits import load_splits
    from .training.trainer import Trainer

    splits = load_splits(config)
    for workers in (0, 1, 2):
        loader = Trainer(replace(config, workers=workers), splits).train_loader
        batches = iter(loader)
        next(batches)  # workers are up
        count, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds and (batch := next(batches, None)):
            count += len(batch[0])
        rate = count / (time.perf_counter() - start)
        yield f"loading, {workers} workers   {rate:8.0f} images/s{', beside nothing else' if not workers else ''}"
    trainer = Trainer(config, splits)
    trainer._prepare_epoch()
    batch = next(iter(trainer.train_loader))
    step = median_seconds(lambda: trainer._train_step([batch] * config.accumulate), seconds)
    rate = config.batch_size * config.accumulate / step
    yield f"network, a step      {rate:8.0f} images/s at batch {config.batch_size}, peak memory {peak_megabytes('cpu'):.0f} MB"
