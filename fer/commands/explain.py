"""fer explain."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..terminal import printable
from .common import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    add_detector,
    add_face_limits,
    add_reading,
    add_weights,
    named,
    place_copies,
    recognizer_options,
)

if TYPE_CHECKING:
    from ..inference.recognizer import EmotionRecognizer
    from ..results.explanation import Explanation
    from ..results.types import ImageResult

Explain = Callable[[np.ndarray], "list[Explanation]"]

HELP = "draw where the network looked to recognise each face"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="images, folders, or patterns like 'a/**/*.jpg'")
    parser.add_argument(
        "--out",
        type=named,
        required=True,
        metavar="DIR",
        help="folder for a copy of each photo and a sheet of each face",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace explanations of the same files in --out")
    add_reading(parser, "images")
    parser.add_argument(
        "--grad-cam",
        action="store_true",
        help="add Grad-CAM for the label to the sheets; needs the extra train and a .safetensors checkpoint",
    )
    add_weights(parser)
    add_detector(parser)
    add_face_limits(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..inference.recognizer import EmotionRecognizer
    from ..io.paths import find_files
    from ..results.rows import face_columns, to_rows
    from ..results.sinks import open_sink
    from ..results.tally import Tally

    copies = place_copies("--out", arguments.out, find_files(arguments.paths, arguments.recursive))
    if not arguments.overwrite:
        _check_absent(arguments.out, set(copies.values()))
    recognizer = EmotionRecognizer.from_pretrained(**recognizer_options(arguments))
    explain = _with_grad_cam(recognizer, arguments.weights) if arguments.grad_cam else recognizer.explain
    tally, taken = Tally(), {path.resolve() for path in (*map(Path, copies), *copies.values())}
    with open_sink(None, face_columns(recognizer.description)) as sink:
        for path, copy in copies.items():
            result = _explain_file(recognizer, explain, path, copy, taken)
            sink.write(to_rows(result))
            tally.add(result)
    if not arguments.quiet:
        print(*map(printable, tally.describe()), sep="\n", file=sys.stderr)
    return EXIT_SOME_FAILED if tally.failures else EXIT_OK


def _check_absent(folder: str, copies: set[Path]) -> None:
    for path in Path(folder).rglob("*"):
        if path in copies or path.with_name(re.sub(r"\.face\d+(_\d+)?\.png$", "", path.name)) in copies:
            raise ValueError(f"{path} exists: add --overwrite to replace it, or choose another folder for --out")


def _with_grad_cam(recognizer: EmotionRecognizer, weights: str) -> Explain:
    from ..models.checkpoint import load_checkpoint
    from ..models.grad_cam import GradCam

    model, description = load_checkpoint(weights)
    cam = GradCam(model, description.preprocessing)

    def explain(image: np.ndarray) -> list[Explanation]:
        if not (explanations := recognizer.explain(image)):
            return []
        labels = np.array([description.classes.index(e.face.label) for e in explanations])
        maps = cam(np.stack([e.crop for e in explanations]), labels)
        return [replace(e, grad_cam=grad_cam) for e, grad_cam in zip(explanations, maps)]

    return explain


def _explain_file(
    recognizer: EmotionRecognizer, explain: Explain, path: str, copy: Path, taken: set[Path]
) -> ImageResult:
    """Write the pictures of a file: the copy of the photo, then a sheet for each face, under a name not in `taken`."""
    from ..io.images import ImageError, read_image, write_image
    from ..io.paths import kind_of
    from ..results.types import ImageResult
    from ..visualization.explanation import draw_explanations, draw_sheet

    if kind_of(path) == "video":
        return ImageResult(path, [], "a video; fer explain takes images")
    try:
        image = read_image(path, recognizer.max_pixels)
    except ImageError as error:
        return ImageResult(path, [], str(error).removeprefix(f"{path}: "))
    explanations = explain(image)
    write_image(copy, draw_explanations(image, explanations))
    for number, explanation in enumerate(explanations):  # as in the table
        write_image(_name_sheet(copy, number, taken), draw_sheet(explanation))
    return ImageResult(path, [e.face for e in explanations], detector=recognizer.detector.name)


def _name_sheet(copy: Path, face: int, taken: set[Path]) -> Path:
    name, number = copy.with_name(f"{copy.name}.face{face}.png"), 1
    while name.resolve() in taken:
        number += 1
        name = copy.with_name(f"{copy.name}.face{face}_{number}.png")
    return name
