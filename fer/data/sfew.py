"""SFEW 2.0 (Dhall et al. 2011): frames of films."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..labels import EMOTIONS, NAMES
from .dataset import Dataset
from .layouts import Layout, Parts, class_folders, load_split, read_folders
from .samples import Samples

CLASSES = EMOTIONS[:7]
FOLDERS = {"train": "Train/Train_Aligned_Faces", "test": "Val/Val_Aligned_Faces"}


def _find(root: Path) -> Parts | None:
    folders = {part: class_folders(root / name, NAMES) for part, name in FOLDERS.items()}
    return {p: partial(read_folders, f, root) for p, f in folders.items() if f} or None


LAYOUTS = {"official": Layout(f"{FOLDERS['train']}/ and {FOLDERS['test']}/ with a folder per emotion", _find)}


def load_sfew(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of SFEW, aligned faces; `test` is its Val (its Test has no public labels), `val` is drawn from Train."""
    return load_split("SFEW", root, split, LAYOUTS, CLASSES, rule)


SFEW = Dataset(
    load_sfew,
    {name: label for name, label in NAMES.items() if label in CLASSES},
    official={"train+val": (891,), "test": (431,)},
)
