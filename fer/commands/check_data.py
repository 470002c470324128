"""fer check-data."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..terminal import progress
from .common import EXIT_OK, EXIT_SOME_FAILED, add_dataset, make_folder

HELP = "check a copy of a dataset: counts, damaged files, duplicates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument("--out", metavar="DIR", help="folder for report.json and a contact sheet per split and class")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument(
        "--near",
        type=int,
        default=3,
        choices=range(4),
        help="bits in which the hashes of near duplicates may differ (default: 3)",
    )


def run(arguments: argparse.Namespace) -> int:
    from ..data import find_dataset
    from ..data.check import check_dataset
    from ..data.check_report import format_check, write_check

    dataset = find_dataset(arguments.dataset)
    if arguments.workers < 0:
        raise ValueError(f"--workers must be at least 0, not {arguments.workers}")
    if arguments.out:
        make_folder("--out", arguments.out)  # fail before the work
    with progress(unit="image") as bar:

        def show(split: str, done: int, total: int) -> None:
            if done == 1:
                bar.reset(total)
                bar.set_description(split)
            bar.update()

        check = check_dataset(arguments.dataset, dataset, arguments.data, arguments.workers, arguments.near, show)
    print(format_check(check, dataset))
    if arguments.out:
        write_check(check, Path(arguments.out))
        print(f"written: report.json and contact sheets in {arguments.out}")
    return EXIT_SOME_FAILED if check.problems else EXIT_OK
