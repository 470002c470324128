"""AffectNet (Mollahosseini, Hasani, Mahoor 2017, arXiv:1708.03985), with seven or eight classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ...labels import EMOTIONS, NAMES, VA
from ...terminal import progress
from ..dataset import Dataset
from ..samples import Samples
from .layouts import Layout, Parts, Records, class_folders, first_folder, load_split, read_csv, read_folders

LABELS = dict(zip("01234567", EMOTIONS))  # 8: none, 9: uncertain, 10: no face
COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression")
PARTS = {
    "train": ("train", "Train"),
    "val": ("val", "valid", "Val"),
    "test": ("test", "Test"),
}  # folder names in copies with a folder per class
NOT_ANNOTATED = -2.0  # in place of valence and arousal
LISTS, IMAGES = "Manually_Annotated_file_lists", "Manually_Annotated_Images"


def five_of_68(points: np.ndarray) -> np.ndarray:
    """Reduce 68 facial points [68,2] to five landmarks [5,2]: centres of the eyes, tip of the nose, mouth corners."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def _find_old(classes: tuple[str, ...], root: Path) -> Parts | None:
    files = {"train": "training.csv", "test": "validation.csv"}
    lists = next((f for f in (root / LISTS, root) if any((f / name).is_file() for name in files.values())), None)
    if lists is None:
        return None
    images = first_folder(root, IMAGES, f"Manually_Annotated/{IMAGES}", f"Manually_Annotated_compressed/{IMAGES}")
    if images is None:
        raise ValueError(
            f"{root}: the lists of AffectNet are here, but the folder {IMAGES} is not; unpack it next to {LISTS}"
        )
    paths = {part: lists / name for part, name in files.items() if (lists / name).is_file()}
    return {part: partial(_read_old, path, images, classes) for part, path in paths.items()}


def _read_old(path: Path, images: Path, classes: tuple[str, ...]) -> Records:
    records, boxes, landmarks, va = Records(), [], [], []
    for line, row in progress(read_csv(path, COLUMNS), desc=path.name, unit="row"):
        label = LABELS.get(row["expression"])
        x, y, width, height = (_number(row[name]) for name in COLUMNS[1:5])
        if label in classes and width > 0 and height > 0:
            records.add(str(images / row[COLUMNS[0]]), label, row[COLUMNS[0]])
            boxes.append((x, y, x + width, y + height))
            landmarks.append(_read_points(row["facial_landmarks"]))
            va.append([_read_va(row.get(name, NOT_ANNOTATED), f"{path}, line {line}: {name}") for name in VA])
    records.boxes, records.landmarks = np.reshape(boxes, (-1, 4)), np.reshape(landmarks, (-1, 5, 2))
    records.va = _known(va)
    return records


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # NULL: no face
        return -1.0


def _read_va(content: str | float, place: str) -> float:
    """A valence or an arousal; NaN if it was not annotated. `place` begins the message of the ValueError."""
    try:
        value = float(content)
    except ValueError:
        value = np.nan
    if value == NOT_ANNOTATED:
        return np.nan
    if not -1 <= value <= 1:  # not NaN either
        raise ValueError(f"{place} is {content!r}; expected a number of -1 to 1, or -2 where it was not annotated")
    return value


def _known(va: list) -> np.ndarray | None:
    """Valence and arousal [N,2]; None if all are unknown."""
    return None if np.isnan(va).all() else np.array(va, np.float32)


def _read_points(text: str) -> np.ndarray:
    try:
        return five_of_68(np.array(text.split(";"), float).reshape(68, 2))
    except ValueError:
        return np.full((5, 2), np.nan)  # use the box alone


def _find_new(classes: tuple[str, ...], root: Path) -> Parts | None:
    folders = {"train": root / "train_set", "test": root / "val_set"}
    return {p: partial(_read_new, f, root, classes) for p, f in folders.items() if (f / "annotations").is_dir()} or None


def _read_new(folder: Path, root: Path, classes: tuple[str, ...]) -> Records:
    records, va = Records(), []
    files = sorted((folder / "annotations").glob("*_exp.npy"), key=lambda p: (len(p.name), p.name))
    for path in progress(files, desc=folder.name, unit="label"):
        try:
            value = str(int(np.load(path, allow_pickle=False).item()))  # a number, or a string that holds one
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{path}: expected one whole number as a NumPy file ({error})") from None
        if LABELS.get(value) in classes:
            name = path.name.removesuffix("_exp.npy")
            image = folder / "images" / f"{name}.jpg"
            records.add(str(image), LABELS[value], str(image.relative_to(root)))
            va.append([_load_va(path.with_name(f"{name}_{part}.npy")) for part in ("val", "aro")])
    records.va = _known(va)
    return records


def _load_va(path: Path) -> float:
    """A valence or an arousal; NaN if there is no such file."""
    try:
        value = np.load(path, allow_pickle=False).item()
    except FileNotFoundError:
        return np.nan
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: expected one number as a NumPy file ({error})") from None
    return _read_va(value, f"{path}: the value")


def _find_folders(classes: tuple[str, ...], root: Path) -> Parts | None:
    """Find a folder per class, named by number or by label, as in the DAN authors' conversion of AffectNet."""
    labels = {key: label for key, label in (LABELS | NAMES).items() if label in classes}
    folders = {part: first_folder(root, *names) for part, names in PARTS.items()}
    by_part = {part: by_class for part, f in folders.items() if f and (by_class := class_folders(f, labels))}
    names = {path.name for by_class in by_part.values() for path in by_class}
    if names & LABELS.keys() and "0" not in names:  # numbers of another dataset, such as RAF-DB's 1 to 7
        return None
    if "val" in by_part and "test" not in by_part:  # AffectNet's validation set is our test split
        by_part["test"] = by_part.pop("val")
    return {part: partial(read_folders, by_class, root) for part, by_class in by_part.items()} or None


def _layouts(classes: tuple[str, ...]) -> dict[str, Layout]:
    return {
        "old release": Layout(
            f"{LISTS}/training.csv and validation.csv beside {IMAGES}/ (old release)", partial(_find_old, classes)
        ),
        "new release": Layout(
            "train_set/ and val_set/ with images/ and annotations/ (new release)", partial(_find_new, classes)
        ),
        "folders": Layout(
            "train/ and val/ (or valid/) with a folder per class: 0 (neutral) to 7 (contempt), or names",
            partial(_find_folders, classes),
        ),
    }


def _loader(classes: tuple[str, ...]) -> Callable[[str | Path, str, str], Samples]:
    def load_affectnet(root: str | Path, split: str, rule: str = "label") -> Samples:
        """Load one split of AffectNet's manual annotations.

        `test` is the official validation set; `val` is drawn from the training set. A copy in class folders
        that has train, val and test keeps its own splits. The old release holds photos with boxes and 68
        landmarks; the new release and copies in class folders hold crops.
        """
        return load_split("AffectNet", root, split, _layouts(classes), classes, rule)

    return load_affectnet


AFFECTNET8 = Dataset(_loader(EMOTIONS), LABELS, official={"train+val": (287_651,), "test": (4_000, 3_999)})
AFFECTNET7 = Dataset(
    _loader(EMOTIONS[:7]),
    {key: label for key, label in LABELS.items() if label != "contempt"},
    official={"train+val": (283_901,), "test": (3_500,)},
)
