"""fer card."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK

HELP = "write the model card of a checkpoint from its measurements"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", help="a checkpoint, or the name of shipped weights")
    parser.add_argument(
        "--evaluation",
        nargs="+",
        required=True,
        metavar="DIR",
        help="output folders of fer evaluate; the first has the headline figures",
    )
    parser.add_argument(
        "--text", required=True, metavar="FILE", help="Markdown with the sections Purpose, Limits and Licence"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the Markdown file to write")


def run(arguments: argparse.Namespace) -> int:
    from ..evaluation.card import make_card
    from ..io.atomic import write_atomically

    card = make_card(arguments.weights, arguments.evaluation, arguments.text)
    write_atomically(arguments.out, lambda path: Path(path).write_text(card, encoding="utf-8"))
    print(f"written: {arguments.out}")
    return EXIT_OK
