"""What several commands share: exit statuses and flags."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_UNFINISHED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def add_weights(parser: argparse.ArgumentParser) -> None:
    from ..resources import DEFAULT_WEIGHTS

    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="shipped weights or a file (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--batch-size", type=int, default=16, help="crops in one pass (default: %(default)s)")


def make_folder(flag: str, folder: str) -> None:
    """Raises ValueError where results cannot be written into `folder`."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{flag} {folder}: cannot be made a folder ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{flag} {folder}: cannot be written")


def recognizer_options(arguments: argparse.Namespace) -> dict:
    """The arguments of `EmotionRecognizer.from_pretrained` among those of a command."""
    names = ("weights", "detector", "detector_weights", "device", "batch_size", "max_pixels")
    return {name: getattr(arguments, name) for name in names if name in arguments}


def add_detector(
    parser: argparse.ArgumentParser, what: str = "face detector; none: images are crops", default: str = "auto"
) -> None:
    from ..faces import DETECTORS

    parser.add_argument("--detector", default=default, choices=DETECTORS, help=what)
    add_detector_weights(parser)


def add_detector_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")
