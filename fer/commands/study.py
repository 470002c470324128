"""fer study."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .common import EXIT_UNFINISHED
from .report import print_report

HELP = "train the runs of one or several studies, in pieces if need be, and report them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..training.config import add_flags

    parser.add_argument("studies", nargs="+", metavar="STUDY", help="names in recipes/studies/ or paths of YAML files")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="train these rows only")
    add_flags(parser, recipe=False)


def run(arguments: argparse.Namespace) -> int:
    from ..experiments.study import plan_study, run_study
    from ..training.config import TrainConfig, flags_from_arguments

    flags = flags_from_arguments(arguments)
    minutes, out = flags.pop("minutes", 0.0), Path(flags.pop("out", "runs/study"))
    runs: dict[Path, TrainConfig] = {}
    for study in arguments.studies:
        runs |= plan_study(study, out / Path(study).stem, flags, arguments.only)
    if run_study(runs, minutes):
        return print_report([str(out)], str(out))
    print(f"out of time after {minutes:g} minutes; the same command goes on", file=sys.stderr)
    return EXIT_UNFINISHED
