"""fer web."""

from __future__ import annotations

import argparse

from ..resources import DEFAULT_WEIGHTS
from .app import load_module
from .common import add_prior, add_runtime_files, named

HELP = "write the live page as a folder for any web host; the network runs in the visitor's browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", required=True, type=named, metavar="DIR", help="folder to write; one of `fer web` is replaced"
    )
    parser.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help="an ONNX file: name of shipped weights, a file, user/name on the Hugging Face Hub, or "
        "https://...#sha256=HEX (default: %(default)s)",
    )
    add_prior(parser)
    add_runtime_files(parser)


def run(arguments: argparse.Namespace) -> int:
    return load_module("web").run(arguments)
