"""Any folder of images that is divided into emotions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..labels import EMOTIONS, NAMES, canonical
from .dataset import Dataset
from .layouts import Layout, Parts, class_folders, first_folder, load_split, read_folders
from .samples import Samples

PARTS = {
    "train": ("train", "Train", "training"),
    "val": ("val", "valid", "validation", "Val"),
    "test": ("test", "Test"),
}


def _find_divided(root: Path) -> Parts | None:
    folders = {part: first_folder(root, *names) for part, names in PARTS.items()}
    found = {part: _emotion_folders(folder) for part, folder in folders.items() if folder}
    return {part: partial(read_folders, f, root) for part, f in found.items() if f} or None


def _find_flat(root: Path) -> Parts | None:
    found = _emotion_folders(root)
    return {"all": partial(read_folders, found, root)} if found else None


def _emotion_folders(folder: Path) -> dict[Path, str] | None:
    """The folders named by emotions -> the emotion; ValueError where others lie among them."""
    found = class_folders(folder, NAMES)
    others = [p for p in sorted(folder.iterdir()) if p.is_dir() and p not in (found or {}) and p.name[0] != "."]
    if found and others:
        canonical(others[0].name)  # raises, and lists the names that are known
    return found


LAYOUTS = {
    "folders in train, val, test": Layout("train/<emotion>/ (and val/, test/)", _find_divided),
    "folders": Layout("<emotion>/ with images in it, named by an emotion: " + ", ".join(NAMES), _find_flat),
}


def load_folder(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of a folder of images: `{train,val,test}/<emotion>/*`, or `<emotion>/*` that is divided by itself.

    The classes are the emotions that have a folder in any split.

    Raises:
        ValueError: a folder is not named by an emotion; numbers are not guessed.
    """
    root = Path(root)
    places = [root, *(root / name for names in PARTS.values() for name in names)]
    named = {emotion for place in places for emotion in (class_folders(place, NAMES) or {}).values()}
    return load_split("images", root, split, LAYOUTS, tuple(e for e in EMOTIONS if e in named), rule)


FOLDER = Dataset(load_folder, NAMES)
