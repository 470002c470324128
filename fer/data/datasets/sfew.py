"""SFEW 2.0 (Dhall et al. 2011): frames of films."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from ...labels import EMOTIONS, NAMES
from ..dataset import Dataset
from ..samples import Samples
from .layouts import Layout, Parts, Records, class_folders, load_split, read_folders

log = logging.getLogger("fer")
CLASSES = EMOTIONS[:7]
FOLDERS = {"train": "Train/Train_Aligned_Faces", "test": "Val/Val_Aligned_Faces"}


def _find(root: Path) -> Parts | None:
    folders = {part: class_folders(root / name, NAMES) for part, name in FOLDERS.items()}
    return {p: partial(_read, f, root) for p, f in folders.items() if f} or None


def _read(folders: dict[Path, str], root: Path) -> Records:
    records = read_folders(folders, root)
    records.groups = [_film(name) for name in records.names]
    return records


def _film(name: str) -> str:
    """Files are named FILM_TIME_FRAME."""
    return Path(name).name.partition("_")[0]


LAYOUTS = {"official": Layout(f"{FOLDERS['train']}/ and {FOLDERS['test']}/ with a folder per emotion", _find)}


def load_sfew(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of SFEW, aligned faces; `test` is its Val (its Test has no public labels), `val` is drawn from Train by film.

    Films that its Train and Val share stay in both, as in the official split; the log names them.
    """
    samples = load_split("SFEW", root, split, LAYOUTS, CLASSES, rule)
    if split == "test":
        _tell_shared_films(Path(root), {_film(name) for name in samples.names})
    return samples


def _tell_shared_films(root: Path, films: set[str]) -> None:
    folders = class_folders(root / FOLDERS["train"], NAMES)
    if shared := sorted(films & set(_read(folders or {}, root).groups or ())):
        log.info(
            "SFEW: %d of the %d films of Val are also in Train, and stay there: %s",
            len(shared),
            len(films),
            ", ".join(shared),
        )


SFEW = Dataset(
    load_sfew,
    {name: label for name, label in NAMES.items() if label in CLASSES},
    official={"train+val": (891,), "test": (431,)},
)
