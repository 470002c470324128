"""fer evaluate."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from .common import EXIT_OK, add_detector, add_weights, at_least

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
        help="folder whose train split is searched for duplicates (default: --data, if it has a train split)",
    )
    parser.add_argument("--flip", action="store_true", help="average the logits with those of the mirrored image")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for metrics.json and pictures")
    parser.add_argument(
        "--faithfulness",
        type=at_least(2),
        metavar="N",
        help="also test on N faces whether the attention shows what the network relies on (some 250 passes for each)",
    )
    add_weights(parser)
    add_detector(
        parser, "detect the face in each crop and cut it out as from a photo; none: use the crops unchanged", "none"
    )


def run(arguments: argparse.Namespace) -> int:
    from ..evaluation.evaluate import EvaluationRequest, evaluate_checkpoint
    from ..evaluation.report import format_summary, write_report

    names = {field.name for field in fields(EvaluationRequest)}
    request = EvaluationRequest(**{name: value for name, value in vars(arguments).items() if name in names})
    evaluation = evaluate_checkpoint(request)
    write_report(Path(arguments.out), evaluation)
    print(format_summary(evaluation))
    print(f"written: metrics.json, confusion.png, reliability.png and attention.png in {arguments.out}")
    if arguments.faithfulness:
        from ..evaluation.faithfulness_report import evaluate_faithfulness, format_faithfulness, write_faithfulness

        report = evaluate_faithfulness(request, arguments.faithfulness)
        write_faithfulness(Path(arguments.out), report)
        print(format_faithfulness(report))
        print(f"written: faithfulness.json and faithfulness.png in {arguments.out}")
    return EXIT_OK
