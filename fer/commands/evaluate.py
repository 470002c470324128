"""fer evaluate, publish, import-dan."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK, add_detector, add_detector_weights, add_weights


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("--dataset", required=True, choices=DATASETS, help="name of the dataset")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--split", default="test", help="train, val or test (default: test)")
    parser.add_argument("--rule", default="", help="which images are kept (default: the dataset's; FER+: majority)")
    parser.add_argument(
        "--duplicates-of",
        metavar="DIR",
        help="the copy of the dataset whose train split is compared with (default: --data, where it holds one)",
    )
    parser.add_argument("--flip", action="store_true", help="average the logits with those of the mirrored image")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for metrics.json and pictures")
    add_weights(parser)
    add_detector(parser, "find the face in each crop, and cut it out as from a photo; none: crops as they are", "none")


def _evaluate(arguments: argparse.Namespace) -> int:
    from ..evaluation.evaluate import evaluate_checkpoint
    from ..evaluation.report import format_summary, write_report

    metrics = evaluate_checkpoint(
        arguments.weights,
        arguments.dataset,
        arguments.data,
        arguments.split,
        arguments.rule,
        duplicates_of_dir=arguments.duplicates_of,
        flip=arguments.flip,
        detector=arguments.detector,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
        runtime=arguments.runtime,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
    )
    write_report(Path(arguments.out), metrics)
    print(format_summary(metrics))
    print(f"written: metrics.json, confusion.png, reliability.png and attention.png in {arguments.out}")
    return EXIT_OK


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="best.safetensors of a run")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--dataset", default="", help="its name (default: that which it was trained on)")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--licence", required=True, help="under which terms the weights may be used")
    parser.add_argument(
        "--second-crop",
        action="store_true",
        help="let inference take the mean with the square around the face's box; calibrates on faces that YuNet finds",
    )
    add_detector_weights(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def _publish(arguments: argparse.Namespace) -> int:
    from ..evaluation.publish import publish_checkpoint
    from ..evaluation.report import format_summary

    figures = publish_checkpoint(
        arguments.checkpoint,
        arguments.out,
        arguments.data,
        arguments.licence,
        arguments.dataset,
        second_crop=arguments.second_crop,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
    )
    print(format_summary(figures))
    print(f"written: {arguments.out}, {Path(arguments.out).stat().st_size / 1e6:.1f} MB")
    return EXIT_OK


def _add_import_dan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="PATH", help="the authors' .pth file")
    parser.add_argument("--classes", required=True, help="what it was trained on: affectnet8, affectnet7 or rafdb")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")


def _import_dan(arguments: argparse.Namespace) -> int:
    from ..models.authors import import_dan_checkpoint

    description = import_dan_checkpoint(arguments.checkpoint, arguments.classes, arguments.out)
    print(f"written: {arguments.out}, {description.num_heads} heads, {', '.join(description.classes)}")
    return EXIT_OK


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="a .safetensors checkpoint, or the name of shipped weights")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .onnx file to write")
    parser.add_argument("--half", action="store_true", help="store the weights in half precision")


def _export(arguments: argparse.Namespace) -> int:
    from ..models.export import export_onnx

    export_onnx(arguments.checkpoint, arguments.out, arguments.half)
    print(f"written: {arguments.out}, {Path(arguments.out).stat().st_size / 1e6:.1f} MB")
    return EXIT_OK


COMMANDS = {
    "evaluate": (_add_evaluate, _evaluate, "measure a checkpoint on a labelled split"),
    "publish": (_add_publish, _publish, "store a checkpoint in half precision with its measured figures, for shipping"),
    "export": (_add_export, _export, "a checkpoint as an ONNX file that says all of itself and needs no torch"),
    "import-dan": (_add_import_dan, _import_dan, "a checkpoint that the authors of DAN published -> one of ours"),
}
