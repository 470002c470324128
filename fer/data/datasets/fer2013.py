"""FER2013 (Goodfellow et al. 2013, arXiv:1307.0414): 35,887 gray faces of 48x48 pixels in seven classes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...labels import EMOTIONS, NAMES
from ..dataset import Dataset
from ..samples import Samples
from .layouts import Layout, Parts, Records, class_folders, first_folder, load_split, read_csv, read_folders

CLASSES = EMOTIONS[:7]
LABELS = dict(zip("0123456", ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")))
COLUMNS = ("emotion", "pixels", "Usage")
USAGES = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}


def read_pixels(text: str, path: Path, line: int) -> np.ndarray:
    """Parse gray values separated by spaces into uint8 [48,48]. Raises ValueError that names the line."""
    try:
        values = np.array(text.split(), int)
    except (ValueError, OverflowError):
        values = np.empty(0)
    if len(values) != 48 * 48 or values.min() < 0 or values.max() > 255:
        raise ValueError(f"{path}, line {line}: expected 2304 gray values from 0 to 255, got {text[:40]!r} ...")
    return values.astype(np.uint8).reshape(48, 48)


def _find_csv(root: Path) -> Parts | None:
    names = ("fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
    path = next((root / name for name in names if (root / name).is_file()), None)
    return {split: partial(_read_csv, path, usage) for split, usage in USAGES.items()} if path else None


def _read_csv(path: Path, usage: str) -> Records:
    records = Records()
    for line, row in read_csv(path, COLUMNS):
        if row["Usage"].strip() == usage:
            if row["emotion"] not in LABELS:
                raise ValueError(f"{path}, line {line}: expected an emotion from 0 to 6, got {row['emotion']!r}")
            records.add(read_pixels(row["pixels"], path, line), LABELS[row["emotion"]], f"{path.name}:{line}")
    return records


def _find_folders(root: Path) -> Parts | None:
    train = class_folders(root / "train", NAMES)
    test = class_folders(root / "test", NAMES)
    val = first_folder(root, "val", "valid", "validation")
    if not (train and test):
        return None
    parts: Parts = {"train": partial(read_folders, train, root), "test": partial(read_folders, test, root)}
    if val and (folders := class_folders(val, NAMES)):
        return {**parts, "val": partial(read_folders, folders, root)}
    if any(path.name.startswith("PublicTest_") for folder in test for path in folder.iterdir()):
        return {**parts, **{split: partial(_read_usage, test, root, USAGES[split]) for split in ("val", "test")}}
    return parts


def _read_usage(folders: dict[Path, str], root: Path, usage: str) -> Records:
    """Read the images of one official split from a merged test folder; their names begin with the split."""
    merged = read_folders(folders, root)
    at = [i for i, name in enumerate(merged.names) if Path(name).name.startswith(f"{usage}_")]
    return Records([merged.images[i] for i in at], [merged.labels[i] for i in at], [merged.names[i] for i in at])


LAYOUTS = {
    "csv": Layout("fer2013.csv or icml_face_data.csv", _find_csv),
    "folders": Layout("train/ and test/ with a folder per emotion", _find_folders),
}


def load_fer2013(root: str | Path, split: str, rule: str = "label") -> Samples:
    """Load one split of FER2013: Training (train), PublicTest (val) or PrivateTest (test).

    Reads `fer2013.csv`, `icml_face_data.csv`, or a mirror with a folder per class. If the test folder of a
    mirror merges PublicTest and PrivateTest, they are separated by their file names; if the names do not show
    the split, `val` is drawn from train.
    """
    return load_split("FER2013", root, split, LAYOUTS, CLASSES, rule)


FER2013 = Dataset(
    load_fer2013,
    LABELS | {name: label for name, label in NAMES.items() if label in CLASSES},
    official={"train": (28_709,), "val": (3_589,), "test": (3_589,)},
    leaks=True,
)
