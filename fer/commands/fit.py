"""fer fit."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK, EXIT_SOME_FAILED, add_detector, add_face_limits, add_weights, named, recognizer_options

HELP = "make a checkpoint for your own classes from a folder of photos, in seconds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=named, metavar="PHOTOS", help="folder with a subfolder of photos for each class")
    parser.add_argument(
        "--out",
        required=True,
        type=named,
        metavar="FILE",
        help="the .safetensors file to write; an .onnx is put beside it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace --out if it exists")
    parser.add_argument(
        "--person",
        default="",
        metavar="REGEX|FILE.csv",
        help="who is in a photo: a regular expression for class/file.jpg, whose first group is the person, such as "
        "'([^/]+)_[0-9]+[.]', or a CSV file with the columns image and person; a person is then never on both sides "
        "of the cross-validation",
    )
    parser.add_argument(
        "--finetune",
        action="store_true",
        help="go on with the whole network (minutes; extra train), and keep it if cross-validation finds it better",
    )
    add_weights(parser)
    add_detector(parser)
    add_face_limits(parser)


def run(arguments: argparse.Namespace) -> int:
    import onnx  # noqa: F401  missing packages are missed before the work
    import safetensors  # noqa: F401
    import sklearn  # noqa: F401

    if arguments.finetune:
        from ..fitting import finetune  # noqa: F401

    from ..evaluation.predictions import write_predictions_csv
    from ..fitting.fit import fit_photos, format_fit
    from ..inference.recognizer import EmotionRecognizer
    from ..terminal import printable

    out = Path(arguments.out)
    graph, predictions = out.with_suffix(".onnx"), out.with_suffix(".csv")
    if existing := [path for path in (out, graph, predictions) if path.exists() and not arguments.overwrite]:
        raise ValueError(f"{existing[0]} exists: add --overwrite to replace it, or choose another --out")
    recognizer = EmotionRecognizer.from_pretrained(**recognizer_options(arguments))
    fit = fit_photos(recognizer, arguments.weights, arguments.photos, out, arguments.person, arguments.finetune)
    write_predictions_csv(fit.table, predictions)
    print(*map(printable, format_fit(fit).splitlines()), sep="\n")
    for name, reason in fit.faces.unreadable.items():
        print(printable(f"not read: {name}: {reason}"))
    print(f"written: {out}, {graph.name}, and the cross-validated predictions in {predictions.name}")
    print(f"use it: fer predict PHOTOS --weights {graph}")
    return EXIT_SOME_FAILED if fit.faces.unreadable else EXIT_OK
