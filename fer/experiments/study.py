"""A study: one recipe with changes, each trained with several seeds, that can be cut into pieces of time."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ..training.config import RECIPES, TrainConfig, load_recipe, read_named_yaml
from ..training.loop import LAST, fit
from .runs import read_run

log = logging.getLogger("fer")


def load_study(name: str) -> dict:
    """A study by its name in `recipes/studies/` or by a path: `recipe`, `seeds`, and `rows`: {name: {field: value}}.

    Raises:
        ValueError: no such study, or something other than these in it.
    """
    path, study = read_named_yaml(name, RECIPES / "studies", "study", "studies")
    if set(study) != {"recipe", "seeds", "rows"}:
        raise ValueError(f"{path}: expected the fields recipe, seeds and rows")
    for name, kind, what in (
        ("seeds", list, "a list of numbers"),
        ("rows", dict, "names, each with the fields it sets"),
    ):
        if not isinstance(study[name], kind) or not study[name]:
            raise ValueError(f"{path}: {name} is {what}, at least one; got {study[name]!r}")
    return study


def plan_study(name: str, out: str | Path, flags: dict, only: list[str] | None = None) -> dict[Path, TrainConfig]:
    """The runs of a study by their folders `out/row/seedN`, the first seed of all rows first.

    Args:
        flags: fields that are the same in all runs and win over recipe and rows.
        only: rows to take; None takes all.
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
    """Train what is left of the runs; returns whether all are done.

    Args:
        minutes: stop after the epoch that ends later than this, one at least; 0 is no limit. Calling again goes on.
    """
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    trained = False
    for number, (folder, config) in enumerate(runs.items(), 1):
        if (folder / "history.jsonl").exists() and len(read_run(folder).history) == config.epochs:
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
