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

from .device import choose_device, has_bfloat16, peak_megabytes
from .faces import Detector
from .images import MAX_SIDE, read_image
from .inference.recognizer import EmotionRecognizer
from .models.checkpoint import load_checkpoint
from .models.dan import DAN
from .networks import Network
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
    network: Network,
    detector: Detector,
    device: str = "auto",
    batch_size: int = 16,
    seconds: float = 5.0,
    photo: str | Path | None = None,
) -> Iterator[str]:
    """Measure a checkpoint by PyTorch, and by the runtime that prediction takes; yields a line of text per figure.

    Args:
        network: what prediction takes for these weights, see `load_network`.
        seconds: time spent on each figure.
        photo: time detection and recognition on it, too.
    """
    model, description = load_checkpoint(weights)
    size = description.preprocessing.input_size
    yield f"{Path(weights).stem}: {description.backbone}, {description.num_heads} heads, {size} px"
    yield f"parameters           {count_parameters(model) / 1e6:8.2f} M"
    yield f"MACs                 {count_macs(model, size) / 1e9:8.3f} G  (folded: {count_macs(model.fold(), size) / 1e9:.3f} G)"
    device = choose_device(device)
    yield f"machine              {torch.get_num_threads()} threads, {device}, torch {torch.__version__}"
    one, many = (torch.zeros(n, 3, size, size, device=device) for n in (1, batch_size))
    kinds = {"fp32": False, "bf16": True} if has_bfloat16(device) else {"fp32": False}
    for name, module in (("", model.to(device)), ("folded, ", model.fold())):
        for kind, amp in kinds.items():
            latency = median_seconds(lambda module=module, amp=amp: _forward(module, one, amp), seconds)
            rate = batch_size / median_seconds(lambda module=module, amp=amp: _forward(module, many, amp), seconds)
            yield _line(name + kind, latency, rate, batch_size)
    if network.name != "torch":
        one, many = (
            np.zeros((n, size, size, 1 if description.preprocessing.gray else 3), np.uint8) for n in (1, batch_size)
        )
        latency, rate = (
            median_seconds(lambda: network(one), seconds),
            batch_size / median_seconds(lambda: network(many), seconds),
        )
        yield _line(f"{network.name}, fp32", latency, rate, batch_size)
    if photo:
        yield _time_photo(EmotionRecognizer(network, description, detector, batch_size=batch_size), photo, seconds)
    yield f"peak memory          {peak_megabytes('cpu'):8.0f} MB"


def _line(name: str, latency: float, rate: float, batch_size: int) -> str:
    return f"network, {name:<16}{1000 * latency:8.1f} ms for one crop, {rate:7.0f} crops/s at batch {batch_size}"


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
