"""fer import-dan."""

from __future__ import annotations

import argparse

from .common import EXIT_OK

HELP = "convert a checkpoint published by the authors of DAN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="PATH", help="the authors' .pth file")
    parser.add_argument(
        "--classes", required=True, help="dataset that it was trained on: affectnet8, affectnet7 or rafdb"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")


def run(arguments: argparse.Namespace) -> int:
    from ..models.authors import import_dan_checkpoint

    description = import_dan_checkpoint(arguments.checkpoint, arguments.classes, arguments.out)
    print(f"written: {arguments.out}, {description.num_heads} heads, {', '.join(description.classes)}")
    return EXIT_OK
