"""fer export."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK

HELP = "export a checkpoint as a self-contained ONNX file that runs without torch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="a .safetensors checkpoint, or the name of shipped weights")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .onnx file to write")
    parser.add_argument("--half", action="store_true", help="store the weights in half precision")


def run(arguments: argparse.Namespace) -> int:
    from ..models.export import export_onnx

    export_onnx(arguments.checkpoint, arguments.out, arguments.half)
    print(f"written: {arguments.out}, {Path(arguments.out).stat().st_size / 1e6:.1f} MB")
    return EXIT_OK
