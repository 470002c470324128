"""Exit statuses and flags that several commands share."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_UNFINISHED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def at_least(least: float, kind: type = int) -> Callable[[str], float]:
    """An argparse type: a number of at least `least`."""

    def parse(text: str) -> float:
        if not (value := kind(text)) >= least:  # not NaN either
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def named(text: str) -> str:
    """An argparse type: the non-empty name of a file or folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name (is a shell variable unset?)")
    return text


def add_weights(parser: argparse.ArgumentParser) -> None:
    from ..resources import DEFAULT_WEIGHTS
    from ..runtimes.networks import RUNTIMES
    from ..runtimes.sessions import PRECISIONS

    parser.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help="name of shipped weights, a file, user/name on the Hugging Face Hub, or https://...#sha256=HEX "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto or cpu; cuda or mps (torch); coreml or directml (onnxruntime)"
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=RUNTIMES,
        help="runtime of the network; auto: openvino, or torch for a GPU or a .safetensors file (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=PRECISIONS,
        help="auto: bfloat16 with openvino on CPUs that support it, otherwise float32 (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=at_least(1), default=16, help="crops per batch (default: %(default)s)")


def make_folder(flag: str, folder: str) -> None:
    """Create `folder`. Raises ValueError if no file can be written into it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{flag} {folder}: not a writable folder ({error.strerror})") from None


def place_copies(flag: str, folder: str, paths: dict[Path, Path]) -> dict[str, Path]:
    """The path of each file's copy in `folder`, which is created.

    Args:
        flag: the option that names the folder, for messages.
        paths: of `find_files`.

    Raises:
        ValueError: no file can be written into the folder, a copy would replace one of the files, or one is a table.
    """
    from ..io.paths import TABLE_SUFFIX

    if tables := [path for path in paths if path.suffix.lower() == TABLE_SUFFIX]:
        raise ValueError(f"{flag}: no picture can be drawn of a table: {tables[0]}")
    copies = {str(path): Path(folder) / copy for path, copy in paths.items()}
    make_folder(flag, folder)
    if overwritten := {path.resolve() for path in paths} & {copy.resolve() for copy in copies.values()}:
        raise ValueError(f"{flag} {folder} would overwrite {sorted(overwritten)[0]}; choose another folder")
    return copies


def recognizer_options(arguments: argparse.Namespace) -> dict:
    """The arguments of a command that `EmotionRecognizer.from_pretrained` takes."""
    names = ["weights", "device", "runtime", "precision", "batch_size"]
    names += ["detector", "detector_weights", "max_pixels", "min_score", "min_face", "prior"]
    return {name: getattr(arguments, name) for name in names if name in arguments}


def add_detector(
    parser: argparse.ArgumentParser,
    help_text: str = "face detector; none: the images are already crops",
    default: str = "yunet",
) -> None:
    from ..faces import DETECTORS

    parser.add_argument("--detector", default=default, choices=DETECTORS, help=help_text)
    add_detector_weights(parser)


def add_prior(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    from ..prior import PRIOR_HELP

    parser.add_argument("--prior", type=named, default=default, metavar="MIX", help=PRIOR_HELP)


def add_reading(parser: argparse.ArgumentParser, what: str) -> None:
    from ..io.images import MAX_PIXELS

    parser.add_argument("--recursive", action="store_true", help="include nested folders")
    parser.add_argument(
        "--max-pixels", type=at_least(1), default=MAX_PIXELS, help=f"refuse larger {what} (default: %(default)s)"
    )


def add_face_limits(parser: argparse.ArgumentParser) -> None:
    from ..faces import MIN_SCORE

    parser.add_argument(
        "--min-score",
        type=at_least(0, float),
        default=MIN_SCORE,
        help="minimum detection score of YuNet, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--min-face",
        type=at_least(0, float),
        default=0,
        metavar="PIXELS",
        help="minimum height and width of a face in the image (default: 0)",
    )


def add_detector_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector-weights", metavar="FILE", help="another ONNX file of YuNet")


def add_runtime_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime-files",
        metavar="PATH",
        help="the npm package onnxruntime-web (.tgz), or a folder with its files (default: download it once)",
    )


def add_dataset(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("dataset", choices=DATASETS, help="name of the dataset")
    parser.add_argument("data", metavar="DIR", help="folder of the dataset")
