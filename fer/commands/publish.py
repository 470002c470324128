"""fer publish."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK, add_detector_weights

HELP = "store a checkpoint in half precision with its measured accuracy, for publication"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="best.safetensors of a run")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--dataset", default="", help="name of the dataset (default: the training dataset)")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--licence", required=True, help="terms of use of the weights")
    parser.add_argument(
        "--second-crop",
        action="store_true",
        help="in inference, also classify the square around each face's box and average; calibrate on faces from YuNet",
    )
    parser.add_argument(
        "--robustness",
        metavar="FILE",
        help="robustness.json of fer evaluate --robustness, whose limits of a face's quality are stored",
    )
    parser.add_argument(
        "--prior",
        default="trained",
        metavar="MIX",
        help="mix of classes that prediction expects by default: trained, even or even:STRENGTH (default: %(default)s)",
    )
    add_detector_weights(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(arguments: argparse.Namespace) -> int:
    from ..evaluation.limits import read_limits
    from ..evaluation.publish import publish_checkpoint
    from ..evaluation.report import format_summary
    from ..evaluation.request import EvaluationRequest

    request = EvaluationRequest(
        arguments.checkpoint,
        arguments.dataset,
        arguments.data,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
    )
    limits = read_limits(arguments.robustness) if arguments.robustness else None
    evaluation = publish_checkpoint(
        request, arguments.out, arguments.licence, arguments.second_crop, limits, arguments.prior
    )
    print(format_summary(evaluation))
    print(f"written: {arguments.out}, {Path(arguments.out).stat().st_size / 1e6:.1f} MB")
    return EXIT_OK
