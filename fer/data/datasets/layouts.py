"""Shared parts of the dataset loaders: detect the layout of a folder, and draw missing splits."""

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
HELD_OUT = 0.1  # share of the data that each drawn split (val, test) receives


@dataclass
class Records:
    """The faces in a part of a dataset, labelled by class names."""

    images: list[ImageSource] = field(default_factory=list)  # paths, the bytes of files, or RGB arrays
    labels: list[str] = field(default_factory=list)  # names of classes, not the labels of the release
    names: list[str] = field(default_factory=list)  # for reports; they also decide which images a drawn split has
    groups: list[str] | None = None  # all records of a group (a person, a photo) go to the same split
    boxes: np.ndarray | None = None  # the face in each photo, xyxy pixels [N,4]; None: the images are crops
    landmarks: np.ndarray | None = None  # with boxes: [N,5,2] pixels, NaN if unknown
    ignored: list[str] = field(default_factory=list)  # names of files without an image suffix
    va: np.ndarray | None = None  # valence and arousal, -1 to 1 [N,2], NaN where they are unknown

    def add(self, image: ImageSource, label: str, name: str) -> None:
        """Append a face."""
        self.images.append(image)
        self.labels.append(label)
        self.names.append(name)


Parts = Mapping[str, Callable[[], Records | Samples]]
"""The parts of a dataset, each with a function that reads it: the official splits among `train`, `val` and `test`, or
`all` if the dataset has no splits. A part is read as `Samples` if it has its own targets, such as votes."""


@dataclass(frozen=True)
class Layout:
    """One way in which the files of a dataset may be arranged in a folder.

    Args:
        looks_for: the expected files, for the error message.
        find: returns the parts in a folder, or None if the folder does not have this layout.
    """

    looks_for: str
    find: Callable[[Path], Parts | None]


def find_parts(dataset: str, root: Path, layouts: Mapping[str, Layout]) -> tuple[str, Parts]:
    """Return the name and the parts of the first of `layouts` that matches `root`.

    Raises:
        ValueError: no such folder.
        SplitNotFound: no layout matches; the message lists what was expected and found.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; --data must name the folder that holds {dataset}")
    for name, layout in layouts.items():
        if parts := layout.find(root):
            return name, parts
    expected = "; or ".join(layout.looks_for for layout in layouts.values())
    raise SplitNotFound(f"{root}: no {dataset} here. Looked for {expected}. Found: {list_folder(root)}")


def read_text(path: Path) -> str:
    """Read a text file. Raises ValueError that names the file if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file in UTF-8 ({error})") from None


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and fields of each non-empty row of a CSV file. Raises ValueError that names the file."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV file in UTF-8 ({error})") from None


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the {column: value} of each row of a CSV file; spaces around column names are removed.

    Raises:
        ValueError: not a CSV file, or one of `columns` is missing in the header or in a row.
    """
    rows = read_rows(path)
    _, header = next(rows, (0, []))
    names = [name.strip() for name in header]
    for line, values in rows:
        row = dict(zip(names, values))
        if missing := [name for name in columns if name not in row]:
            raise ValueError(f"{path}, line {line}: no {', '.join(missing)}; expected the columns {', '.join(columns)}")
        yield line, row


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
    """Load one split of the dataset in `root`.

    A split that the dataset does not have is drawn deterministically, by class or by group (see `draw_parts`):
    `val` from the training part; `val` and `test` from a dataset without splits, of which `all` is the whole. The test
    part is never used for another split.

    Args:
        classes, rule: of the samples; without effect on parts that are read as Samples.
        draw: False: use only official splits.

    Raises:
        ValueError: unknown split, or a class that the dataset does not have; see also `find_parts`.
        SplitNotFound: the dataset has no such split here, and it cannot be drawn.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}, all")
    layout, parts = find_parts(dataset, Path(root), layouts)
    part, held_out = _choose_part(split, parts, draw)
    if part is None:
        raise SplitNotFound(
            f"{root}: no {split} split of {dataset}; the layout {layout!r} is here, with {', '.join(parts)}"
        )
    records = parts[part]()
    if isinstance(records, Samples):
        return records
    if unknown := sorted(set(records.labels) - set(classes)):
        raise ValueError(
            f"{root}: images of {', '.join(unknown)}, which {dataset} does not have; --dataset folder takes any classes"
        )
    layout += {"all": f"; {split} drawn from all", "train": "; val drawn from train"}[part] if held_out else ""
    samples = to_samples(records, classes, layout, rule)
    if not held_out:
        return samples
    return samples.subset(draw_parts(records, len(held_out)) == [*held_out, "train"].index(split))


def _choose_part(split: str, parts: Parts, draw: bool) -> tuple[str | None, tuple[str, ...]]:
    """Return the part that holds a split, and the splits that are drawn from this part."""
    if split != "all" and "all" in parts:
        return "all", ("val", "test")
    if draw and "train" in parts and "val" not in parts and split in ("train", "val"):
        return "train", ("val",)
    return (split if split in parts else None), ()


def to_samples(records: Records, classes: tuple[str, ...], layout: str, rule: str) -> Samples:
    """Convert records to samples with one-hot targets."""
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
        None if records.groups is None else np.array(records.groups),
        va=records.va,
    )


def draw_parts(records: Records, held_out: int) -> np.ndarray:
    """Assign each record to a part [N]: 0 .. held_out - 1 are held-out parts, `held_out` is the rest.

    Each held-out part receives the share `HELD_OUT` of the groups, or of the images of each class if there are
    no groups. They are ordered by a hash of their names, so the parts are the same on every machine, and adding
    or removing an image moves few others.
    """
    units = np.array(records.groups if records.groups is not None else records.names)
    strata = np.array(records.labels if records.groups is None else [""] * len(units))
    parts = np.full(len(units), held_out)
    for stratum in np.unique(strata):
        members = np.unique(units[strata == stratum])
        members = np.array(sorted(members, key=hash_name))
        share = max(1, round(HELD_OUT * len(members))) if len(members) > held_out else 0
        for part in range(held_out):
            drawn = members[part * share : (part + 1) * share]
            parts[(strata == stratum) & np.isin(units, drawn)] = part
    return parts


def hash_name(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape")).digest()


def class_folders(folder: Path, labels: dict[str, str]) -> dict[Path, str] | None:
    """Map the subfolders whose lower-case name is a key of `labels` to their classes; None if there is none."""
    if not folder.is_dir():
        return None
    subfolders = {p: labels.get(p.name.lower()) for p in sorted(folder.iterdir()) if p.is_dir()}
    return {path: label for path, label in subfolders.items() if label} or None


def read_folders(folders: dict[Path, str], root: Path) -> Records:
    """Read all images in {folder: class}, including nested folders; files without an image suffix are ignored."""
    records = Records()
    for folder, label in folders.items():
        for path in sorted(_walk(folder)):
            name = os.path.relpath(path, root)
            if Path(path).suffix.lower() in IMAGE_SUFFIXES:
                records.add(path, label, name)
            else:
                records.ignored.append(name)
    return records


def holds_image(folder: Path) -> bool:
    """Whether the folder or a nested folder holds a file with an image suffix."""
    return any(Path(path).suffix.lower() in IMAGE_SUFFIXES for path in _walk(folder))


def _walk(folder: Path) -> Iterator[str]:
    """All files except hidden ones, such as those that macOS adds to copies."""
    files = ((parent, name) for parent, _, names in os.walk(folder) for name in names)
    return (os.path.join(parent, name) for parent, name in files if name[0] != ".")  # noqa: PTH118


def first_folder(root: Path, *names: str) -> Path | None:
    """The first of `names` that is a folder in `root`, or None; the name "" stands for `root` itself."""
    return next((root / name for name in names if (root / name).is_dir()), None)
