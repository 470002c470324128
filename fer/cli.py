"""The command `fer`: predict, train, evaluate, measure-template."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE = 0, 1, 2

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif", ".ppm", ".pgm", ".avif"}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 all read, 1 some files failed, 2 usage."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    arguments = _parse(argv)
    from .faces import DetectorUnavailable

    try:
        return arguments.run(arguments)
    except (ValueError, DetectorUnavailable) as error:
        print(f"fer {arguments.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print(f"fer {arguments.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our table has seen enough
        sys.stderr.close()
        return EXIT_OK


def _parse(argv: list[str] | None) -> argparse.Namespace:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="fer", description="Facial expression recognition with DAN.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (add, run, help) in _COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        if name in argv[:1] or name != "train":  # the training flags need PyYAML: build them when they are asked for
            add(sub)
        sub.set_defaults(run=run)
    return parser.parse_args(argv)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="images, or folders of images")
    parser.add_argument("--out", metavar="FILE", help="write rows to a .csv or .jsonl file")
    parser.add_argument("--annotate", metavar="DIR", help="write annotated copies of the images there")
    parser.add_argument("--recursive", action="store_true", help="look into the folders inside folders too")
    _add_recognizer(parser)


def _add_recognizer(parser: argparse.ArgumentParser) -> None:
    from .faces import DETECTORS
    from .inference.recognizer import DEFAULT_WEIGHTS

    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name of shipped weights or a file (default: %(default)s)")
    parser.add_argument("--detector", default="auto", choices=DETECTORS, help="face detector; none: images are crops")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--batch-size", type=int, default=64, help="crops in one pass (default: %(default)s)")


def _predict(arguments: argparse.Namespace) -> int:
    from .inference.recognizer import EmotionRecognizer
    from .inference.sinks import Sink, to_rows

    paths = list(find_images(arguments.paths, arguments.recursive))
    if not paths:
        raise ValueError(f"no image in {', '.join(arguments.paths)}; --recursive looks into inner folders too")
    recognizer = EmotionRecognizer.from_pretrained(
        arguments.weights,
        detector=arguments.detector,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
        batch_size=arguments.batch_size,
    )
    sinks = [TableSink()] if not arguments.out else []
    annotated = _annotation_paths(paths, arguments.annotate) if arguments.annotate else {}
    failed = faces = 0
    with Sink(arguments.out, recognizer.classes) if arguments.out else TableSink() as sink:
        results = recognizer.predict_paths(paths, keep_images=bool(arguments.annotate))
        for result in _progress(results, len(paths), quiet=bool(sinks)):
            failed += bool(result.error)
            faces += len(result.faces)
            for row in to_rows(result):
                sink.write(row)
            if result.path in annotated and result.image is not None:
                _write_annotated(annotated[result.path], result)
    print(f"{len(paths)} images, {faces} faces, {failed} could not be read", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else EXIT_OK
