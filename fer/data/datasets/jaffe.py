"""JAFFE (Lyons et al. 1998): 213 gray pictures of ten women."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...io.paths import IMAGE_SUFFIXES
from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples
from .layouts import Layout, Parts, Records, load_split

LABELS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}


def _find(root: Path) -> Parts | None:
    folder = next((f for f in (root, root / "jaffe", root / "jaffedbase") if any(_files(f))), None)
    return {"all": partial(_read, folder)} if folder else None


def _files(folder: Path) -> list[tuple[Path, str, str]]:
    """Files named like KA.AN1.39.tiff: path, subject, label."""
    found = []
    for path in sorted(folder.glob("*.*.*.*")):
        subject, pose = path.name.split(".")[:2]
        if path.suffix.lower() in IMAGE_SUFFIXES and pose[:2].upper() in LABELS:
            found.append((path, subject, LABELS[pose[:2].upper()]))
    return found


def _read(folder: Path) -> Records:
    files = _files(folder)
    return Records(
        [str(path) for path, _, _ in files],
        [label for _, _, label in files],
        [path.name for path, _, _ in files],
        groups=[subject for _, subject, _ in files],
    )


LAYOUTS = {"official": Layout("files like KA.AN1.39.tiff (here, in jaffe/ or jaffedbase/)", _find)}


def load_jaffe(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of JAFFE (Lyons et al. 1998), by subject, from a folder of files like `KA.AN1.39.tiff`."""
    return load_split("JAFFE", root, split, LAYOUTS, EMOTIONS[:7], rule)


JAFFE = Dataset(load_jaffe, LABELS)
