"""Any folder of images that is divided into classes: emotions, or whatever the folders are called."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...labels import EMOTIONS, NAMES, class_of, order_classes
from ..dataset import Dataset
from ..samples import Samples, SplitNotFound
from .layouts import Layout, Parts, first_folder, holds_image, list_folder, load_split, read_folders

PARTS = {
    "train": ("train", "Train", "training"),
    "val": ("val", "valid", "validation", "Val"),
    "test": ("test", "Test"),
}
PART_NAMES = [name for names in PARTS.values() for name in names]


def _find_divided(root: Path) -> Parts | None:
    folders = {part: first_folder(root, *names) for part, names in PARTS.items()}
    found = {part: _class_folders(folder) for part, folder in folders.items() if folder}
    return {part: partial(read_folders, f, root) for part, f in found.items() if f} or None


def _find_flat(root: Path) -> Parts | None:
    if first_folder(root, *PART_NAMES):
        return None
    found = _class_folders(root)
    return {"all": partial(read_folders, found, root)} if found else None


def _class_folders(folder: Path) -> dict[Path, str]:
    """The folders in `folder` -> the class: an emotion, or another name where there are images and no parts in it."""
    folders = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name[0] != "." and p.name != "__MACOSX"]
    return {
        p: class_of(p.name)
        for p in folders
        if class_of(p.name) in EMOTIONS or holds_image(p) and not first_folder(p, *PART_NAMES)
    }


LAYOUTS = {
    "folders in train, val, test": Layout("train/<class>/ (and val/, test/) with images", _find_divided),
    "folders": Layout("<class>/ with images, such as happy/, sad/", _find_flat),
}


def load_folder(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of a folder of images: `{train,val,test}/<class>/*`, or `<class>/*` that is divided by itself.

    The classes are those that have a folder in any split: the emotions in canonical order, by any of their names; then the
    others, sorted, by the names of their folders.

    Raises:
        ValueError: no such folder; one class alone that is no emotion; or the name of a folder cannot be that of a class.
    """
    return load_split("images", root, split, LAYOUTS, _find_classes(Path(root)), rule)


def _find_classes(root: Path) -> tuple[str, ...]:
    divided = [folder for name in PART_NAMES if (folder := root / name).is_dir()]
    places = divided or ([root] if root.is_dir() else [])
    named = {name for place in places for name in _class_folders(place).values()}
    try:
        classes = order_classes(named) if named else ()
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from None
    if len(classes) == 1 and classes[0] not in EMOTIONS:
        wanted = "; or ".join(layout.looks_for for layout in LAYOUTS.values())
        raise SplitNotFound(
            f"{root}: no images here but in {classes[0]!r}, one class alone. Looked for {wanted}. Found: {list_folder(root)}"
        )
    return classes


FOLDER = Dataset(load_folder, NAMES)
