"""fer average."""

from __future__ import annotations

import argparse

from .common import EXIT_OK

HELP = "average the weights of several checkpoints"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="checkpoints of one architecture")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset they were trained on")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(arguments: argparse.Namespace) -> int:
    from ..experiments.averaging import average_checkpoints

    average_checkpoints(arguments.checkpoints, arguments.out, arguments.data, device=arguments.device)
    print(f"written: {arguments.out}; measure it with fer evaluate")
    return EXIT_OK
