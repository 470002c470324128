"""fer predict, benchmark."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..images import MAX_PIXELS
from .common import EXIT_OK, EXIT_SOME_FAILED, add_detector, add_weights


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="images, videos, folders, or patterns like 'a/**/*.jpg'"
    )
    parser.add_argument("--list", metavar="FILE", help="a text file that names one path per line; - reads the input")
    parser.add_argument(
        "--max-pixels", type=int, default=MAX_PIXELS, help="refuse larger images (default: %(default)s)"
    )
    parser.add_argument(
        "--out", metavar="FILE", help="write the rows to a .csv, .jsonl or .parquet file instead of a table"
    )
    parser.add_argument("--annotate", metavar="DIR", help="write annotated copies and timelines of videos there")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="look at every N-th frame of a video (default: 1)"
    )
    parser.add_argument("--recursive", action="store_true", help="look into the folders inside folders too")
    parser.add_argument("--resume", action="store_true", help="go on with --out, after the rows that it holds")
    parser.add_argument("--workers", type=int, help="threads that decode and find faces (default: one per core)")
    add_weights(parser)
    add_detector(parser)


def read_list(name: str | None) -> list[str]:
    """The lines of a text file, or of the input."""
    if not name:
        return []
    file = sys.stdin if name == "-" else open(name, encoding="utf-8", errors="surrogateescape")
    with file:
        return [line.rstrip("\r\n") for line in file if line.strip()]


def _predict(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..annotations import Annotations
    from ..images import find_files
    from ..inference.files import predict_files
    from ..inference.recognizer import EmotionRecognizer
    from ..inference.sinks import Tally, open_sink, to_rows

    named = [*arguments.paths, *read_list(arguments.list)]
    if not named:
        raise ValueError("no path; name images, videos or folders, or a file of paths by --list")
    paths = find_files(named, arguments.recursive)
    copies = {str(path): Path(arguments.annotate) / copy for path, copy in paths.items()} if arguments.annotate else {}
    if clash := {path.resolve() for path in paths} & {copy.resolve() for copy in copies.values()}:
        raise ValueError(f"--annotate {arguments.annotate} would overwrite {sorted(clash)[0]}; choose another folder")
    recognizer = EmotionRecognizer.from_pretrained(
        arguments.weights,
        detector=arguments.detector,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
        batch_size=arguments.batch_size,
        max_pixels=arguments.max_pixels,
    )
    tally = Tally()
    with open_sink(arguments.out, recognizer.classes, arguments.resume) as sink, Annotations(copies) as annotations:
        left = [path for path in paths if str(path) not in sink.done]
        before = len(paths) - len(left)
        results = predict_files(recognizer, left, arguments.every, bool(copies), arguments.workers)
        with tqdm(total=len(paths), initial=before, unit="file", dynamic_ncols=True, disable=not arguments.out) as bar:
            try:
                for result in results:
                    if not result.repeated:
                        sink.write(to_rows(result))
                        tally.add(result)
                    annotations.add(result)
                    bar.set_postfix(tally.short(), refresh=False)
                    bar.update(before + tally.files - bar.n)
            finally:  # also when interrupted
                results.close()  # no thread goes on
                print(tally.describe(before), file=sys.stderr)
    return EXIT_SOME_FAILED if tally.failures else EXIT_OK


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photo", metavar="FILE", help="also time detection and recognition of this photo")
    parser.add_argument(
        "--files", metavar="DIR", help="time a folder of photos instead: one by one, and as fer predict does"
    )
    parser.add_argument("--recipe", help="time the training of this recipe instead, loading apart; needs --data")
    parser.add_argument("--data", metavar="DIR", help="folder of the recipe's dataset")
    parser.add_argument("--seconds", type=float, default=5, help="time spent on each figure (default: %(default)s)")
    add_weights(parser)
    add_detector(parser)


def _benchmark(arguments: argparse.Namespace) -> int:
    from ..benchmark import benchmark, benchmark_files, benchmark_training
    from ..faces import create_detector
    from ..models.checkpoint import find_checkpoint
    from ..training.config import TrainConfig, load_recipe

    if bool(arguments.recipe) != bool(arguments.data):
        raise ValueError("--recipe and --data go together: what is trained, and the folder of its dataset")
    if arguments.recipe:
        fields = load_recipe(arguments.recipe) | {"data": arguments.data, "device": arguments.device, "compile": False}
        for line in benchmark_training(TrainConfig(**fields), arguments.seconds):
            print(line, flush=True)
        return EXIT_OK
    if arguments.files:
        from ..images import find_files
        from ..inference.recognizer import EmotionRecognizer

        options = {"detector": arguments.detector, "detector_weights": arguments.detector_weights}
        options |= {"device": arguments.device, "batch_size": arguments.batch_size}
        recognizer = EmotionRecognizer.from_pretrained(arguments.weights, **options)
        for line in benchmark_files(recognizer, list(find_files([arguments.files], recursive=True))):
            print(line, flush=True)
        return EXIT_OK
    weights = find_checkpoint(arguments.weights)
    detector = create_detector(arguments.detector if arguments.photo else "none", arguments.detector_weights)
    for line in benchmark(
        weights, detector, arguments.device, arguments.batch_size, arguments.seconds, arguments.photo
    ):
        print(line, flush=True)
    return EXIT_OK


COMMANDS = {
    "predict": (_add_predict, _predict, "recognise the emotions of the faces in images, videos and folders"),
    "benchmark": (_add_benchmark, _benchmark, "parameters, multiplications and speed on this machine"),
}
