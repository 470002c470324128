"""The benchmark of recognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..inference.recognizer import EmotionRecognizer
from .application import ColdStart, folder_works, load_recognizer, photo_works
from .machine import describe_machine, limit_threads, measure_install
from .networks import can_load_checkpoints, find_checkpoint, load_networks, network_works
from .rounds import ROUNDS, Work, measure

FORMAT = 1  # of the report
FOLDER_ROUNDS = 3  # since one takes long


def benchmark(
    options: dict,
    photo: str | Path,
    threads: int = 1,
    seconds: float = 5.0,
    rounds: int = ROUNDS,
    files: Sequence[Path] = (),
    compare: bool = False,
) -> dict:
    """Measure recognition on this machine; docs/benchmark.md says what the report holds.

    Args:
        options: of `EmotionRecognizer.from_pretrained`: weights, device, runtime, precision, batch_size, detector,
            detector_weights.
        threads: of networks, detector, photo and frame; the cold start and `files` take all cores.
        seconds, rounds: of each figure, see `measure`; `files` have FOLDER_ROUNDS at most, and their own time.
        files: also time these photos.
        compare: also time the paper's network and another one by PyTorch.

    Raises:
        ValueError: see `from_pretrained`; the photo cannot be read.
        ModuleNotFoundError: `compare` without the extra train.
    """
    recognizer, counts, cold = load_recognizer(options, threads), _count(options["weights"]), ColdStart(options, photo)
    works = [*photo_works(recognizer, photo), Work("start", "cold start", cold)]
    works += _network_works(recognizer, options["weights"], threads, compare, counts["folded_macs"])
    with limit_threads(threads):
        figures = measure(works, seconds, rounds)
    if files:
        works = folder_works(EmotionRecognizer.from_pretrained(**options), files)
        figures += measure(works, 0, min(rounds, FOLDER_ROUNDS))
    description = recognizer.description
    return {
        "format": FORMAT,
        "machine": describe_machine(),
        "options": {**options, "photo": str(photo), "threads": threads, "seconds": seconds, "rounds": rounds},
        "model": {
            "backbone": description.backbone,
            "heads": description.num_heads,
            "input_size": description.preprocessing.input_size,
            **counts,
        },
        "figures": add_rates(figures),
        "peak_megabytes": cold.megabytes,
        "install_megabytes": {
            "dan-fer": measure_install(),
            "dan-fer[train]": measure_install("train") if can_load_checkpoints() else None,
        },
    }


def _count(weights: str | Path) -> Mapping[str, int | None]:
    checkpoint = find_checkpoint(weights)
    if checkpoint is None or not can_load_checkpoints():
        return dict.fromkeys(("parameters", "macs", "folded_macs"))
    from .rivals import count_checkpoint

    return count_checkpoint(checkpoint)


def _network_works(
    recognizer: EmotionRecognizer, weights: str | Path, threads: int, compare: bool, macs: int | None
) -> list[Work]:
    batches = sorted({1, 2, recognizer.classifier.batch_size})
    networks = load_networks(weights, recognizer.classifier.network, threads)
    works = network_works(networks, recognizer.description.preprocessing, batches, macs)
    if not compare:
        return works
    from .rivals import matrix_works, rival_works

    return works + rival_works(batches) + matrix_works()


def add_rates(figures: list[dict]) -> list[dict]:
    """What follows from the times.

    `ratio`: the time divided by that of the first figure of the group (of networks: with the same batch). `gflops`: 10^9
    operations a second, two for a multiply-accumulate. `share`: of the matrix product of the same precision.
    """
    first: dict[tuple, float] = {}
    limits: dict[str, float] = {}
    for figure in figures:
        if figure["group"] == "matrix":
            figure["gflops"] = 2 * figure["side"] ** 3 / figure["seconds"] / 1e9
            limits[figure["precision"]] = figure["gflops"]
    for figure in figures:
        if figure["group"] == "network":
            _add_network_rates(figure, limits)
        if figure["group"] in ("network", "folder"):
            base = first.setdefault((figure["group"], figure.get("batch")), figure["seconds"])
            figure["ratio"] = figure["seconds"] / base
    return figures


def _add_network_rates(figure: dict, limits: dict[str, float]) -> None:
    figure["crops_per_second"] = figure["batch"] / figure["seconds"]
    figure["gflops"] = figure["share"] = None
    if figure["macs"]:
        figure["gflops"] = 2 * figure["macs"] * figure["crops_per_second"] / 1e9
        limit = limits.get(figure["precision"]) if figure["device"] == "cpu" else None
        figure["share"] = figure["gflops"] / limit if limit else None
