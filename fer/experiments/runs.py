"""Comparison of runs: a table of means and standard deviations over seeds, and training curves."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from ..training.config import FREE, TrainConfig
from ..training.selection import best_epoch

COLUMNS = {  # heading: (key in history.jsonl, factor, decimals)
    "accuracy": ("val_accuracy", 100, 2),
    "without duplicates": ("val_accuracy_without_duplicates", 100, 2),
    "balanced": ("val_balanced_accuracy", 100, 2),
    "overlap": ("val_attention_overlap", 1, 2),
    "s/epoch": ("seconds", 1, 1),
    "MB": ("peak_megabytes", 1, 0),
}


@dataclass
class Run:
    """A training run, as it was read from its folder."""

    folder: Path
    config: dict
    history: list[dict]  # figures of each epoch

    @property
    def best(self) -> dict:
        """The figures of the best epoch."""
        return self.history[best_epoch(self.history, self.config.get("select", "accuracy"))]


def read_run(folder: Path) -> Run:
    """Read a run from its folder.

    Raises:
        ValueError: config.yaml is missing, or history.jsonl, which is written after the first epoch.
    """
    try:
        lines = (folder / "history.jsonl").read_text().splitlines()
        return Run(folder, yaml.safe_load((folder / "config.yaml").read_text()), [json.loads(line) for line in lines])
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: not the folder of a run ({Path(error.filename).name} is missing)") from None


def find_runs(paths: list[str]) -> list[Run]:
    """Read the runs in `paths` and in the folders below them.

    Raises:
        ValueError: there is no run.
    """
    folders = sorted({file.parent for path in paths for file in Path(path).rglob("history.jsonl")})
    if not folders:
        raise ValueError(f"no run in {', '.join(paths)}: no folder there holds history.jsonl")
    return [read_run(folder) for folder in folders]


def group_runs(runs: list[Run]) -> dict[str, list[Run]]:
    """Group the runs whose configurations differ only in seed and fold, {name: runs}.

    The name of a group is what the names of its folders have in common. If two groups have the same name, each gets the
    list of its folders as its name.
    """
    groups: dict[str, list[Run]] = {}
    defaults = asdict(TrainConfig())
    for run in runs:
        config = defaults | run.config  # the configuration of an old run may lack new fields
        config["fold"] = bool(config["fold"])
        dropped = FREE | {"seed"} | ({"template"} if config["fold"] else set())  # measured on the images of each fold
        key = json.dumps({k: v for k, v in config.items() if k not in dropped}, sort_keys=True)
        groups.setdefault(key, []).append(run)
    names = [_name(group) for group in groups.values()]
    return {
        name if names.count(name) == 1 else ", ".join(str(run.folder) for run in group): group
        for name, group in zip(names, groups.values())
    }


def _name(group: list[Run]) -> str:
    folders = [str(run.folder) for run in group]
    if len(folders) == 1:
        folder = group[0].folder
        return str(folder.parent if folder.name.startswith("seed") else folder)
    name = os.path.commonprefix(folders)
    for part in ("seed", "fold"):
        name = name.rstrip("/\\-_ 0123456789").removesuffix(part).rstrip("/\\-_")
    return name


def count_folds(group: list[Run]) -> str:
    """How many folds of how many there are, such as 10/10 or 4/persons; empty without folds."""
    folds = {run.config["fold"] for run in group if run.config.get("fold")}
    return f"{len(folds)}/{next(iter(folds)).partition('/')[2]}" if folds else ""


def tabulate(groups: dict[str, list[Run]]) -> str:
    """Format a Markdown table: a row per group, with mean and standard deviation (n - 1) over the best epochs."""
    folded = any(count_folds(group) for group in groups.values())
    rows = [["run", "seeds", *["folds"] * folded, "epochs", *COLUMNS]]
    for name, group in groups.items():
        epochs = sorted({f"{len(run.history)}/{run.config['epochs']}" for run in group})
        seeds = str(len({run.config["seed"] for run in group}))
        cells = [_cell(group, *column) for column in COLUMNS.values()]
        rows.append([name, seeds, *[count_folds(group)] * folded, ", ".join(epochs), *cells])
    return to_markdown(rows)


def to_markdown(rows: list[list[str]]) -> str:
    """A table in Markdown; the first row is its header."""
    header, *others = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *others))


def _cell(group: list[Run], key: str, factor: float, decimals: int) -> str:
    values = [factor * run.best[key] for run in group if run.best.get(key) is not None]
    if not values:
        return ""
    deviation = f" ± {np.std(values, ddof=1):.{decimals}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{decimals}f}{deviation}"


def plot_curves(groups: dict[str, list[Run]], path: Path) -> None:
    """Draw validation score and training cross-entropy over the epochs: a colour per group, a line per run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, max(5, 1 + 0.2 * len(groups))), layout="constrained")  # the legend must fit
    left, right = figure.subplots(1, 2)
    for i, (name, group) in enumerate(groups.items()):
        for j, run in enumerate(group):
            style = {
                "color": f"C{i % 10}",
                "linestyle": ("-", "--", ":")[i // 10 % 3],
                "label": name if j == 0 else None,
            }
            epochs = range(1, len(run.history) + 1)
            left.plot(epochs, [100 * f["val_score"] for f in run.history], **style)
            right.plot(epochs, [f.get("cross_entropy", np.nan) for f in run.history], **style)
    left.set(xlabel="epoch", ylabel="validation accuracy without duplicates, %")
    right.set(xlabel="epoch", ylabel="training cross-entropy")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.savefig(path, dpi=120)
