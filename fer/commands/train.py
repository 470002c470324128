"""fer train, study, report, average."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .common import EXIT_OK, EXIT_UNFINISHED


def _add_train(parser: argparse.ArgumentParser) -> None:
    from ..training.config import add_arguments

    add_arguments(parser)


def _train(arguments: argparse.Namespace) -> int:
    from ..training.config import config_from_arguments

    config = config_from_arguments(arguments)
    from ..training.loop import fit

    metrics = fit(config)
    if metrics is None:
        print(f"out of time after {config.minutes:g} minutes; --resume goes on", file=sys.stderr)
        return EXIT_UNFINISHED
    if int(os.environ.get("RANK", 0)) > 0:  # under torchrun, one process speaks
        return EXIT_OK
    print(
        f"best epoch {metrics['epoch']}: validation accuracy {metrics['accuracy']:.2%} "
        f"(rule {metrics['rule']}, n = {metrics['n']}), {metrics['score']:.2%} on the "
        f"{metrics['n_without_duplicates']} images that are not in training"
    )
    print(f"checkpoint: {Path(config.out) / 'best.safetensors'}")
    return EXIT_OK


def _add_study(parser: argparse.ArgumentParser) -> None:
    from ..training.config import add_arguments

    parser.add_argument("studies", nargs="+", metavar="STUDY", help="names in recipes/studies/ or paths of YAML files")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="train these rows only")
    add_arguments(parser, recipe=False)


def _study(arguments: argparse.Namespace) -> int:
    from ..training.config import flags_from_arguments
    from ..training.study import plan_study, run_study

    flags = flags_from_arguments(arguments)
    minutes, out = flags.pop("minutes", 0.0), Path(flags.pop("out", "runs/study"))
    runs = {}
    for study in arguments.studies:
        runs |= plan_study(study, out / Path(study).stem, flags, arguments.only)
    if run_study(runs, minutes):
        return _print_report([str(out)], str(out))
    print(f"out of time after {minutes:g} minutes; the same command goes on", file=sys.stderr)
    return EXIT_UNFINISHED


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="DIR", help="folders of runs, or above them")
    parser.add_argument("--out", metavar="DIR", help="folder for report.md and curves.png")


def _report(arguments: argparse.Namespace) -> int:
    return _print_report(arguments.runs, arguments.out)


def _print_report(folders: list[str], out: str | None) -> int:
    from ..training.runs import find_runs, group_runs, plot_curves, tabulate

    groups = group_runs(find_runs(folders))
    table = tabulate(groups)
    print(table)
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        (Path(out) / "report.md").write_text(table + "\n")
        plot_curves(groups, Path(out) / "curves.png")
    return EXIT_OK


def _add_average(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="checkpoints of one architecture")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset they were trained on")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def _average(arguments: argparse.Namespace) -> int:
    from ..training.averaging import average_checkpoints

    average_checkpoints(arguments.checkpoints, arguments.out, arguments.data, device=arguments.device)
    print(f"written: {arguments.out}; measure it with fer evaluate")
    return EXIT_OK


COMMANDS = {
    "train": (_add_train, _train, "train a DAN: recipe and flags -> a run folder with the best checkpoint"),
    "study": (_add_study, _study, "train the runs of one or several studies, in pieces if need be, and report them"),
    "report": (_add_report, _report, "runs side by side: a table with mean and deviation over seeds, and curves"),
    "average": (_add_average, _average, "the mean of the weights of several checkpoints"),
}
