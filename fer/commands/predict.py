"""fer predict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..terminal import printable, progress
from .common import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_detector,
    add_face_limits,
    add_prior,
    add_reading,
    add_weights,
    at_least,
    named,
    place_copies,
    recognizer_options,
)

if TYPE_CHECKING:
    from ..inference.recognizer import EmotionRecognizer
    from ..results.sinks import Sink
    from ..results.tally import Tally
    from ..results.types import ImageResult
    from ..visualization.copies import AnnotatedCopies

HELP = "recognise the emotions of the faces in images, videos and folders"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..results.sinks import SINKS

    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="images, videos, folders, Parquet files with a column image, or patterns like 'a/**/*.jpg'",
    )
    parser.add_argument(
        "--list",
        type=named,
        metavar="FILE",
        help="more paths: a text file with one path per line (- for standard input), or Parquet with a column path",
    )
    add_reading(parser, "images and frames")
    parser.add_argument(
        "--out",
        type=named,
        metavar="FILE",
        help=f"write the rows to a file instead of a table; its suffix chooses the format: {', '.join(SINKS)}",
    )
    parser.add_argument(
        "--embeddings", action="store_true", help="also write the embedding of each face to --out, a column per value"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    parser.add_argument(
        "--annotate", type=named, metavar="DIR", help="folder for annotated copies, and for timelines of videos"
    )
    parser.add_argument(
        "--every", type=at_least(1), default=1, metavar="N", help="process every N-th frame of a video (default: 1)"
    )
    parser.add_argument("--resume", action="store_true", help="continue --out after the rows that it holds")
    parser.add_argument(
        "--retry-errors", action="store_true", help="like --resume, and retry the files that could not be read"
    )
    parser.add_argument(
        "--workers",
        type=at_least(0),
        help="threads for decoding and face detection, or Ray processes (default: one per core)",
    )
    parser.add_argument(
        "--engine",
        choices=("plain", "ray"),
        default="plain",
        help="plain: this process (default); ray: processes of Ray Data",
    )
    parser.add_argument(
        "--address",
        help="HOST:PORT of a Ray cluster that this machine belongs to, or auto to find it; its machines need this "
        "package, and the files and weights at the same paths (default: start a temporary cluster on this machine)",
    )
    add_weights(parser)
    add_detector(parser)
    add_face_limits(parser)
    add_prior(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..inference.recognizer import EmotionRecognizer
    from ..results.rows import embedding_columns, face_columns
    from ..results.sinks import check_out, open_sink
    from ..results.tally import Tally
    from ..visualization.copies import AnnotatedCopies

    resume = arguments.resume or arguments.retry_errors
    check_out(arguments.out, resume, arguments.overwrite)
    if arguments.embeddings and not arguments.out:
        raise ValueError("--embeddings are for a file; name it by --out")
    paths, copies = _find_paths(arguments)
    options = recognizer_options(arguments)
    on_driver = {"device": "cpu"} if arguments.engine == "ray" else {}  # the driver does not compute
    recognizer = EmotionRecognizer.from_pretrained(**options | on_driver)
    tally, columns = Tally(), face_columns(recognizer.description)
    if arguments.embeddings:
        columns += embedding_columns(recognizer.classifier.embedding_size)
    with (
        _engine(arguments),  # before --out is opened, so that a wrong address does not change it
        open_sink(arguments.out, columns, resume, arguments.retry_errors, arguments.overwrite) as sink,
        AnnotatedCopies(copies) as drawing,
    ):
        remaining = [path for path in paths if not sink.has(str(path))]
        tally.begin(len(paths) - len(remaining), sum(sink.has_failed(str(path)) for path in paths))
        results = _recognise(arguments, recognizer, options, remaining)
        try:
            _write(results, sink, drawing, tally, len(paths), arguments.embeddings)
        finally:  # also when interrupted
            results.close()  # ends the threads
            if not arguments.quiet:
                print(*map(printable, tally.describe()), sep="\n", file=sys.stderr)
    return EXIT_SOME_FAILED if tally.failures or tally.failed_before else EXIT_OK


def _write(
    results: Iterator[ImageResult],
    sink: Sink,
    drawing: AnnotatedCopies,
    tally: Tally,
    total: int,
    embeddings: bool,
) -> None:
    """Write each result to the sink and draw its copy, with a progress bar over `total` files."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    from ..results.rows import to_rows
    from ..results.sinks import TableSink

    hidden = isinstance(sink, TableSink)
    with (
        progress(total=total, initial=tally.before, unit="file", disable=hidden) as bar,
        logging_redirect_tqdm(),
    ):
        for result in results:
            if not result.repeated:
                sink.write(to_rows(result, embeddings))
                tally.add(result)
            drawing.add(result)
            bar.set_postfix(tally.short(), refresh=False)
            bar.update(tally.before + tally.files - bar.n)


def _find_paths(arguments: argparse.Namespace) -> tuple[list[Path], dict[str, Path]]:
    """The files to process, and the path of each annotated copy."""
    from ..io.paths import find_files
    from ..io.tables import read_list

    if arguments.engine == "ray" and arguments.annotate:
        raise ValueError("--annotate needs --engine plain: Ray processes return rows, not pictures")
    if arguments.engine == "plain" and arguments.address:
        raise ValueError("--address is the address of a Ray cluster; add --engine ray")
    sources = [*arguments.paths, *(read_list(arguments.list) if arguments.list else [])]
    if not sources:
        raise ValueError("no path given; name images, videos or folders, or a file of paths with --list")
    paths = find_files(sources, arguments.recursive)
    if not arguments.annotate:
        return list(paths), {}
    return list(paths), place_copies("--annotate", arguments.annotate, paths)


def _engine(arguments: argparse.Namespace) -> AbstractContextManager:
    if arguments.engine == "plain":
        return nullcontext()
    from ..inference.ray_engine import ray_cluster

    return ray_cluster(arguments.address, arguments.workers)


def _recognise(
    arguments: argparse.Namespace, recognizer: EmotionRecognizer, options: dict, paths: list[Path]
) -> Generator[ImageResult, None, None]:
    if arguments.engine == "plain":
        from ..inference.files import predict_files

        return predict_files(recognizer, paths, arguments.every, bool(arguments.annotate), arguments.workers)
    from ..inference.ray_engine import predict_with_ray

    return predict_with_ray(paths, options, arguments.every, arguments.workers)
