"""fer benchmark."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..device import count_cores
from ..io.atomic import write_atomically
from ..resources import resource_folder
from .common import EXIT_OK, add_detector, add_weights, at_least, make_folder, named, recognizer_options

HELP = "measure speed, memory and size on this machine, also against other networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sample = resource_folder("samples") / "astronaut.jpg"
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads per call; the folder and the cold start use all cores (default: 1)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also the paper's DAN and EfficientNet-B0 on PyTorch, and the limit of the machine; needs the extra train",
    )
    parser.add_argument(
        "--photo",
        type=named,
        metavar="FILE",
        default=str(sample),
        help="the photo to recognise (default: a sample with one face)",
    )
    parser.add_argument(
        "--files",
        type=named,
        metavar="DIR",
        help="also time a folder of photos, with fer predict and with simpler loops",
    )
    parser.add_argument(
        "--json", type=named, metavar="FILE", help="write all figures to this file; see docs/benchmark.md"
    )
    parser.add_argument(
        "--seconds", type=at_least(0, float), default=5, help="time spent on each figure (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=at_least(2), default=9, metavar="N", help="interleaved rounds of timing (default: %(default)s)"
    )
    parser.add_argument(
        "--recipe", help="measure the training of this recipe instead, data loading separately; needs --data"
    )
    parser.add_argument("--data", metavar="DIR", help="folder of the recipe's dataset")
    add_weights(parser)
    add_detector(parser)


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    if arguments.recipe:
        return _benchmark_training(arguments)
    from ..benchmark.report import to_lines
    from ..benchmark.run import benchmark

    report = benchmark(
        recognizer_options(arguments),
        arguments.photo,
        arguments.threads,
        arguments.seconds,
        arguments.rounds,
        _find_images(arguments.files) if arguments.files else [],
        arguments.compare,
    )
    if arguments.json:
        text = json.dumps(report, indent=2, allow_nan=False) + "\n"
        write_atomically(arguments.json, lambda path: path.write_text(text, encoding="utf-8"))
    print(*to_lines(report), sep="\n", flush=True)
    return EXIT_OK


def _check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for invalid arguments before minutes of work."""
    if bool(arguments.recipe) != bool(arguments.data):
        raise ValueError("--recipe and --data must be used together: the recipe, and the folder of its dataset")
    if arguments.recipe and (arguments.json or arguments.compare or arguments.files):
        raise ValueError("--json, --compare and --files apply to recognition only; omit them, or omit --recipe")
    if not 1 <= arguments.threads <= count_cores():
        raise ValueError(f"--threads {arguments.threads}: expected 1 to {count_cores()}, the number of available cores")
    if arguments.json:
        if Path(arguments.json).is_dir():
            raise ValueError(f"--json {arguments.json}: is a folder; expected a file name")
        make_folder("--json", str(Path(arguments.json).parent))


def _find_images(folder: str) -> list[Path]:
    from ..io.paths import find_files, kind_of

    files = [path for path in find_files([folder], recursive=True) if kind_of(path) == "image"]
    if not files:
        raise ValueError(f"--files {folder}: the folder holds no photo")
    return files


def _benchmark_training(arguments: argparse.Namespace) -> int:
    from ..benchmark.training import benchmark_training
    from ..training.config import TrainConfig, load_recipe

    fields = load_recipe(arguments.recipe) | {"data": arguments.data, "device": arguments.device, "compile": False}
    for line in benchmark_training(TrainConfig(**fields), arguments.seconds):
        print(line, flush=True)
    return EXIT_OK
