"""fer evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK, add_detector, add_weights

HELP = "measure a checkpoint on a labelled split"


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def run(arguments: argparse.Namespace) -> int:
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
