"""RAF-DB (Li, Deng, Du 2017): basic and compound emotions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples
from .layouts import Layout, Parts, Records, class_folders, load_split, read_folders, read_text

CLASSES = EMOTIONS[:7]
BASIC = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")))
COMPOUND = {
    "1": "happily surprised",
    "2": "happily disgusted",
    "3": "sadly fearful",
    "4": "sadly angry",
    "5": "sadly surprised",
    "6": "sadly disgusted",
    "7": "fearfully angry",
    "8": "fearfully surprised",
    "9": "angrily surprised",
    "10": "angrily disgusted",
    "11": "disgustedly surprised",
}
LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt")  # official spelling; corrected one


def _find_official(labels: dict[str, str], folders: tuple[str, ...], root: Path) -> Parts | None:
    for folder in (root, *(root / name for name in folders)):
        for name in LISTS:
            if (folder / name).is_file():
                return {s: partial(_read_official, labels, folder, folder / name, s) for s in ("train", "test")}
    return None


def _read_official(labels: dict[str, str], root: Path, list_file: Path, part: str) -> Records:
    aligned, original = root / "Image" / "aligned", root / "Image" / "original"
    if not (aligned.is_dir() or original.is_dir()):
        raise ValueError(
            f"{root}: {list_file.name} is here, but neither Image/aligned nor Image/original; unpack them too"
        )
    records = Records()
    for line, text in enumerate(read_text(list_file).splitlines(), 1):
        name, _, label = text.strip().partition(" ")
        if name and not name.startswith(("train", "test")):
            raise ValueError(
                f"{list_file}, line {line}: expected train_... or test_... and a label, got {text[:100]!r}"
            )
        if not name.startswith(part):
            continue
        if label not in labels:
            other = "; RAF-DB compound is --dataset rafdb-compound" if label in COMPOUND else ""
            raise ValueError(
                f"{list_file}, line {line}: expected a label from 1 to {len(labels)}, got {text[:100]!r}{other}"
            )
        stem = Path(name).stem
        records.add(str(aligned / f"{stem}_aligned.jpg" if aligned.is_dir() else original / name), labels[label], name)
    if not aligned.is_dir():
        records.boxes, records.landmarks = _read_annotations(root / "Annotation", records.names)
    return records


def _read_annotations(folder: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read box [N,4] and landmarks [N,5,2] of each photo, from `boundingbox/` and `manual/`."""
    boxes, landmarks = np.full((len(names), 4), np.nan), np.full((len(names), 5, 2), np.nan)
    for i, name in enumerate(names):
        points = folder / "manual" / f"{Path(name).stem}_manu_attri.txt"
        box = folder / "boundingbox" / f"{Path(name).stem}_boundingbox.txt"
        if points.is_file():
            landmarks[i] = _order_points(_read_numbers(points, 10).reshape(5, 2))
            boxes[i] = [*landmarks[i].min(0), *landmarks[i].max(0)]
        if box.is_file():
            boxes[i] = _read_numbers(box, 4)
        if np.isnan(boxes[i]).any():
            raise ValueError(f"{name} is a full photo without annotation: neither {points} nor {box} exists")
    return boxes, landmarks


def _read_numbers(path: Path, count: int) -> np.ndarray:
    """Read the first `count` numbers of a text file."""
    words = read_text(path).split()[:count]
    try:
        return np.array(words, float).reshape(count)
    except ValueError:
        raise ValueError(f"{path}: expected {count} numbers, got {' '.join(words)[:100]!r}") from None


def _order_points(points: np.ndarray) -> np.ndarray:
    """Order eyes, nose and mouth corners [5,2], each pair from left to right in the image."""
    eyes, mouth = points[:2], points[3:]
    return np.concatenate([eyes[eyes[:, 0].argsort()], points[2:3], mouth[mouth[:, 0].argsort()]])


def _find_folders(root: Path) -> Parts | None:
    root = root / "DATASET" if (root / "DATASET").is_dir() else root
    train, test = (class_folders(root / part, BASIC) for part in ("train", "test"))
    if not (train and test):
        return None
    return {"train": partial(read_folders, train, root), "test": partial(read_folders, test, root)}


BASIC_FOLDERS, COMPOUND_FOLDERS = ("basic", "raf-basic"), ("compound", "raf-compound")
LAYOUTS = {
    "official": Layout(
        f"{LISTS[0]} beside Image/ (here, in basic/ or in raf-basic/)", partial(_find_official, BASIC, BASIC_FOLDERS)
    ),
    "folders": Layout("train/1 ... train/7 and test/1 ... test/7", _find_folders),
}
COMPOUND_LAYOUTS = {
    "official": Layout(
        f"{LISTS[0]} beside Image/ (here, in compound/ or in raf-compound/)",
        partial(_find_official, COMPOUND, COMPOUND_FOLDERS),
    )
}


def load_rafdb(root: str | Path, split: str, rule: str = "label") -> Samples:
    """Load one split of RAF-DB basic; `val` is drawn from train.

    Reads the official tree or a mirror with the folders 1 to 7. From the official tree it uses the aligned
    crops if they are present; otherwise it cuts faces out of the photos by their annotated landmarks or boxes.
    """
    return load_split("RAF-DB", root, split, LAYOUTS, CLASSES, rule)


def load_rafdb_compound(root: str | Path, split: str, rule: str = "label") -> Samples:
    """Load one split of RAF-DB compound (eleven classes); `val` is drawn from train."""
    return load_split("RAF-DB compound", root, split, COMPOUND_LAYOUTS, tuple(COMPOUND.values()), rule)


RAFDB = Dataset(load_rafdb, BASIC, official={"train+val": (12_271,), "test": (3_068,)})
RAFDB_COMPOUND = Dataset(load_rafdb_compound, COMPOUND)
