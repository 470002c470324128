"""What the loaders share: finding the layout that lies in a folder, and dividing it into splits."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...io.images import ImageSource
from ...io.paths import IMAGE_SUFFIXES
from ..samples import Samples, SplitNotFound

SPLITS = ("train", "val", "test")
HELD_OUT = 0.1  # share of what a dataset does not divide itself that goes to val, and to test


@dataclass
class Records:
    """The faces in a part of a dataset, labelled by class names."""

    images: list[ImageSource] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    groups: list[str] | None = None  # what is not divided between splits: a person, a photo
    boxes: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    ignored: list[str] = field(default_factory=list)


# The parts that a layout holds, each read when it is needed: those of train, val and test that the dataset divides itself, or
# `all` where it divides nothing. A part that knows its own targets is read as Samples.
Parts = Mapping[str, Callable[[], Records | Samples]]


@dataclass(frozen=True)
class Layout:
    """One way in which a dataset may lie in a folder.

    Args:
        looks_for: what must be there, for the error message.
        find: the parts in a folder, or None where it is not this layout.
    """

    looks_for: str
    find: Callable[[Path], Parts | None]


def find_parts(dataset: str, root: Path, layouts: Mapping[str, Layout]) -> tuple[str, Parts]:
    """The first of `layouts` that lies in `root`: its name and parts.

    Raises:
        ValueError: no such folder.
        SplitNotFound: none of the layouts; lists what was looked for and what is there.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; --data must name the folder that holds {dataset}")
    for name, layout in layouts.items():
        if parts := layout.find(root):
            return name, parts
    wanted = "; or ".join(layout.looks_for for layout in layouts.values())
    raise SplitNotFound(f"{root}: no {dataset} here. Looked for {wanted}. Found: {list_folder(root)}")


def read_text(path: Path) -> str:
    """A text file in UTF-8. Raises ValueError that names it where it is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file in UTF-8 ({error})") from None


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of the rows of a CSV file that are not empty. Raises ValueError that names the file."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV file in UTF-8 ({error})") from None


def list_folder(root: Path) -> str:
    names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in root.iterdir())
    return (", ".join(names[:10]) + (" ..." if len(names) > 10 else "")) or "nothing"


def load_split(
    dataset: str,
    root: str | Path,
    split: str,
    layouts: Mapping[str, Layout],
    classes: tuple[str, ...] = (),
    rule: str = "",
    draw: bool = True,
) -> Samples:
    """One split of the dataset that lies in `root`.

    A split that the dataset does not have is drawn, always the same, by class or by person (`HELD_OUT`): validation from
    the training part; validation and test where it has no parts. The test part of a dataset is never used for another split.

    Args:
        classes, rule: of the samples; without effect on parts that are read as Samples.
        draw: False where the official splits are the only ones.

    Raises:
        ValueError: unknown split, or a class that the dataset does not have, or see `find_parts`.
        SplitNotFound: the dataset has no such split here, and it cannot be drawn.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    layout, parts = find_parts(dataset, Path(root), layouts)
    part, held_out = _choose_part(split, parts, draw)
    if part is None:
        raise SplitNotFound(
            f"{root}: no {split} split of {dataset}; the layout {layout!r} is here, with {', '.join(parts)}"
        )
    records = parts[part]()
    if isinstance(records, Samples):
        return records
    if others := sorted(set(records.labels) - set(classes)):
        raise ValueError(
            f"{root}: images of {', '.join(others)}, which {dataset} does not have; --dataset folder takes any classes"
        )
    layout += {"all": f"; {split} drawn from all", "train": "; val drawn from train"}[part] if held_out else ""
    samples = to_samples(records, classes, layout, rule)
    if not held_out:
        return samples
    return samples.subset(draw_parts(records, len(held_out)) == [*held_out, "train"].index(split))


def _choose_part(split: str, parts: Parts, draw: bool) -> tuple[str | None, tuple[str, ...]]:
    """The part that holds a split, and the splits that are drawn out of this part."""
    if "all" in parts:
        return "all", ("val", "test")
    if draw and "train" in parts and "val" not in parts and split != "test":
        return "train", ("val",)
    return (split if split in parts else None), ()


def to_samples(records: Records, classes: tuple[str, ...], layout: str, rule: str) -> Samples:
    """Records -> samples with one-hot targets."""
    indices = np.array([classes.index(label) for label in records.labels], int)
    return Samples(
        records.images,
        np.eye(len(classes), dtype=np.float32)[indices],  # [N,C]
        records.names,
        classes,
        layout,
        rule,
        records.boxes,
        records.landmarks,
        tuple(records.ignored),
    )


def draw_parts(records: Records, held_out: int) -> np.ndarray:
    """To which part each record belongs [N]: 0 .. held_out - 1 are held out, `held_out` is the rest.

    Whole groups are drawn, or single images class by class, in the order of a hash of their name: the same on every
    machine, and an image that is added or removed moves few others.
    """
    units = np.array(records.groups if records.groups is not None else records.names)
    strata = np.array(records.labels if records.groups is None else [""] * len(units))
    parts = np.full(len(units), held_out)
    for stratum in np.unique(strata):
        members = np.unique(units[strata == stratum])
        members = np.array(sorted(members, key=_hash))
        share = max(1, round(HELD_OUT * len(members))) if len(members) > held_out else 0
        for part in range(held_out):
            drawn = members[part * share : (part + 1) * share]
            parts[(strata == stratum) & np.isin(units, drawn)] = part
    return parts


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape")).digest()


def class_folders(folder: Path, labels: dict[str, str]) -> dict[Path, str] | None:
    """The folders in `folder` that are named by a key of `labels`, in any case -> the class; None where there is none."""
    if not folder.is_dir():
        return None
    found = {p: labels.get(p.name.lower()) for p in sorted(folder.iterdir()) if p.is_dir()}
    return {path: label for path, label in found.items() if label} or None


def read_folders(folders: dict[Path, str], root: Path) -> Records:
    """All images in {folder: class}, also in inner folders; files that are no images by their suffix are ignored."""
    records = Records()
    for folder, label in folders.items():
        for path in sorted(_walk(folder)):
            name = os.path.relpath(path, root)
            if Path(path).suffix.lower() in IMAGE_SUFFIXES:
                records.images.append(path)
                records.labels.append(label)
                records.names.append(name)
            else:
                records.ignored.append(name)
    return records


def holds_image(folder: Path) -> bool:
    """Whether a file in it, or in an inner folder, is an image by its suffix."""
    return any(Path(path).suffix.lower() in IMAGE_SUFFIXES for path in _walk(folder))


def _walk(folder: Path) -> Iterator[str]:
    """All files but hidden ones, such as those that macOS leaves beside copies."""
    found = ((parent, name) for parent, _, names in os.walk(folder) for name in names)
    return (os.path.join(parent, name) for parent, name in found if name[0] != ".")  # noqa: PTH118


def first_folder(root: Path, *names: str) -> Path | None:
    """The first of `names` that is a folder in `root`; "" is `root` itself."""
    return next((root / name for name in names if (root / name).is_dir()), None)
