"""fer train."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .common import EXIT_OK, EXIT_UNFINISHED

HELP = "train a DAN from a recipe and flags; writes a run folder with the best checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..training.config import add_flags

    add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..training.config import config_from_arguments

    config = config_from_arguments(arguments)
    from ..training.loop import fit

    metrics = fit(config)
    if metrics is None:
        print(f"stopped after {config.minutes:g} minutes; add --resume to continue", file=sys.stderr)
        return EXIT_UNFINISHED
    if int(os.environ.get("RANK", 0)) > 0:  # under torchrun, only the first process prints
        return EXIT_OK
    chosen = "last epoch" if config.select == "last" else "best epoch"
    figure = "accuracy" if config.select == "last" else config.select.replace("_", " ")
    print(
        f"{chosen} {metrics['epoch']}: validation accuracy {metrics['accuracy']:.2%} "
        f"(rule {metrics['rule']}, n = {metrics['n']}); {figure} {metrics['score']:.2%} on the "
        f"{metrics['n_without_duplicates']} images that are not in training"
    )
    print(f"checkpoint: {Path(config.out) / 'best.safetensors'}")
    return EXIT_OK
