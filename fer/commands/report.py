"""fer report."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK

HELP = "compare runs: a table with mean and standard deviation over seeds or folds, and curves"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="DIR", help="run folders, or folders that hold them")
    parser.add_argument("--out", metavar="DIR", help="folder for report.md and curves.png")


def run(arguments: argparse.Namespace) -> int:
    return print_report(arguments.runs, arguments.out)


def print_report(folders: list[str], out: str | None) -> int:
    """Print the table of the runs in `folders`; with `out`, also write table and curves into this folder."""
    from ..experiments.folds import describe_folds
    from ..experiments.runs import find_runs, group_runs, plot_curves, tabulate

    groups = group_runs(find_runs(folders))
    table = "\n\n".join(filter(None, [tabulate(groups), describe_folds(groups)]))
    print(table)
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        (Path(out) / "report.md").write_text(table + "\n")
        plot_curves(groups, Path(out) / "curves.png")
    return EXIT_OK
