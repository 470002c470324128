"""Any folder of images with a subfolder per class: emotions, or any other names."""

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
    by_part = {part: _class_folders(folder) for part, folder in folders.items() if folder}
    return {part: partial(read_folders, by_class, root) for part, by_class in by_part.items() if by_class} or None


def _find_flat(root: Path) -> Parts | None:
    if first_folder(root, *PART_NAMES):
        return None
    by_class = _class_folders(root)
    return {"all": partial(read_folders, by_class, root)} if by_class else None


def _class_folders(folder: Path) -> dict[Path, str]:
    """Map each class folder in `folder` to its class: an emotion, or another name if it holds images and no splits."""
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
    """Load one split of a folder of images: `{train,val,test}/<class>/*`, or `<class>/*`, whose splits are drawn.

    `Train`, `training`, `valid`, `validation`, `Val` and `Test` are read as well. A split without a folder is drawn:
    `val` from train. There is no `test` then, unless all splits are drawn.

    The classes are those that have a folder in any split: first the emotions in canonical order (under any of
    their names), then the other folder names in alphabetical order.

    Raises:
        ValueError: no such folder, a single class that is not an emotion, or an invalid class name.
    """
    return load_split("images", root, split, LAYOUTS, _find_classes(Path(root)), rule)


def _find_classes(root: Path) -> tuple[str, ...]:
    part_folders = [folder for name in PART_NAMES if (folder := root / name).is_dir()]
    parents = part_folders or ([root] if root.is_dir() else [])
    names = {name for parent in parents for name in _class_folders(parent).values()}
    try:
        classes = order_classes(names) if names else ()
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from None
    if len(classes) == 1 and classes[0] not in EMOTIONS:
        expected = "; or ".join(layout.looks_for for layout in LAYOUTS.values())
        raise SplitNotFound(
            f"{root}: no images here except in {classes[0]!r}, a single class. Looked for {expected}. "
            f"Found: {list_folder(root)}"
        )
    return classes


FOLDER = Dataset(load_folder, NAMES)
