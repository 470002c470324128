"""What several commands share: exit statuses and flags."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_UNFINISHED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def at_least(least: float, kind: type = int) -> Callable[[str], float]:
    """For argparse: a number that is not less than `least`."""

    def parse(text: str) -> float:
        if not (value := kind(text)) >= least:  # not NaN either
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def named(text: str) -> str:
    """For argparse: the name of a file or folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name (of a variable that is not set?)")
    return text


def add_weights(parser: argparse.ArgumentParser) -> None:
    from ..resources import DEFAULT_WEIGHTS
    from ..runtimes.networks import RUNTIMES
    from ..runtimes.sessions import PRECISIONS

    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="shipped weights or a file (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu; cuda, mps (torch); coreml, directml (onnxruntime)")
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=RUNTIMES,
        help="what runs the network; auto: openvino, or torch for a GPU or a .safetensors file (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=PRECISIONS,
        help="auto: bfloat16 by openvino on CPUs that have it, else float32 (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=at_least(1), default=16, help="crops in one pass (default: %(default)s)")


def make_folder(flag: str, folder: str) -> None:
    """Raises ValueError where results cannot be written into `folder`."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{flag} {folder}: no folder that can be written ({error.strerror})") from None


def recognizer_options(arguments: argparse.Namespace) -> dict:
    """The arguments of `EmotionRecognizer.from_pretrained` among those of a command."""
    names = ["weights", "device", "runtime", "precision", "batch_size"]
    names += ["detector", "detector_weights", "max_pixels", "min_score", "min_face"]
    return {name: getattr(arguments, name) for name in names if name in arguments}


def add_detector(
    parser: argparse.ArgumentParser, what: str = "face detector; none: images are crops", default: str = "yunet"
) -> None:
    from ..faces import DETECTORS

    parser.add_argument("--detector", default=default, choices=DETECTORS, help=what)
    add_detector_weights(parser)


def add_face_limits(parser: argparse.ArgumentParser) -> None:
    from ..faces import MIN_SCORE

    parser.add_argument(
        "--min-score",
        type=at_least(0, float),
        default=MIN_SCORE,
        help="YuNet drops faces of a lower detection score, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--min-face",
        type=at_least(0, float),
        default=0,
        metavar="PIXELS",
        help="leave out faces that are lower or narrower than this in the image (default: none)",
    )


def add_detector_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector-weights", metavar="FILE", help="another ONNX file of YuNet")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("dataset", choices=DATASETS, help="name of the dataset")
    parser.add_argument("data", metavar="DIR", help="folder of the dataset")
