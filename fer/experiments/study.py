"""Studies: variants of one recipe, each trained with several seeds, if necessary in several calls."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ..training.config import RECIPES, TrainConfig, load_recipe, read_named_yaml
from ..training.loop import LAST, fit
from ..training.selection import has_ended
from .runs import read_run

log = logging.getLogger("fer")


def load_study(name: str) -> dict:
    """Read a study, given by its name in `recipes/studies/` or by the path of a YAML file.

    Returns:
        the fields `recipe`, `seeds`, and `rows`: {name: {field of TrainConfig: value}}.

    Raises:
        ValueError: no such study, or other fields or values in it.
    """
    path, study = read_named_yaml(name, RECIPES / "studies", "study", "studies")
    if set(study) != {"recipe", "seeds", "rows"}:
        names = ", ".join(map(str, study)) or "none"
        raise ValueError(f"{path}: expected the fields recipe, seeds and rows; got {names}")
    for key, kind, expected in (
        ("seeds", list, "a list of at least one number"),
        ("rows", dict, "at least one name with the fields that it sets"),
    ):
        if not isinstance(study[key], kind) or not study[key]:
            raise ValueError(f"{path}: {key}: expected {expected}, got {study[key]!r}")
    return study


def plan_study(name: str, out: str | Path, flags: dict, only: list[str] | None = None) -> dict[Path, TrainConfig]:
    """Plan the runs of a study: {folder of the run: configuration}, with the first seed of all rows first.

    Args:
        name: see `load_study`.
        out: folder of the study; the folder of a run is `out/ROW/seedN`.
        flags: fields of TrainConfig for all runs; they override the recipe and the rows.
        only: names of the rows to train; None: all.

    Raises:
        ValueError: see `load_study`, `load_recipe` and `TrainConfig`; or an unknown row in `only`.
    """
    study = load_study(name)
    if unknown := sorted(set(only or []) - set(study["rows"])):
        raise ValueError(f"--only: study {name} has no row {', '.join(unknown)}; it has {', '.join(study['rows'])}")
    base, runs = load_recipe(study["recipe"]), {}
    for seed in study["seeds"]:
        for row in only or study["rows"]:
            changes = study["rows"][row]
            folder = Path(out) / row / f"seed{seed}"
            try:
                runs[folder] = TrainConfig(**(base | (changes or {}) | flags | {"seed": seed, "out": str(folder)}))
            except (TypeError, ValueError) as error:
                raise ValueError(f"study {name}, row {row}: {error}") from None
    return runs


def run_study(runs: dict[Path, TrainConfig], minutes: float = 0.0) -> bool:
    """Train the unfinished runs of a study; returns whether all are finished.

    Args:
        runs: see `plan_study`.
        minutes: time limit: stop at the end of the epoch that exceeds it, but train at least one; 0: no limit. The next
            call continues.

    Raises:
        ValueError: see `fit`, which also raises other errors.
    """
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    trained = False
    for number, (folder, config) in enumerate(runs.items(), 1):
        if (folder / "history.jsonl").exists() and has_ended(read_run(folder).history, config.epochs, config.patience):
            continue
        if trained and time.monotonic() > deadline:
            return False
        log.info("run %d of %d: %s", number, len(runs), folder)
        config.resume = (folder / LAST).exists()
        config.minutes = max(1e-3, (deadline - time.monotonic()) / 60) if minutes else 0.0
        if fit(config) is None:
            return False
        trained = True
    return True
