"""ExpW (Zhang et al. 2015, arXiv:1509.05371): photos from the web, several labelled faces in each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples
from .fer2013 import LABELS
from .layouts import Layout, Parts, Records, load_split, read_text

LIST = "label/label.lst"


def _find(root: Path) -> Parts | None:
    folder = next((f for f in (root / "data", root) if (f / LIST).is_file()), None)
    return {"all": partial(_read, folder)} if folder else None


def _read(folder: Path) -> Records:
    images = next((f for f in (folder / "image" / "origin", folder / "image") if f.is_dir()), None)
    if images is None:
        raise ValueError(f"{folder}: {LIST} is here, the photos in image/origin/ are not; unpack them too")
    records, photos, boxes = Records(), [], []
    for line, text in enumerate(read_text(folder / LIST).splitlines(), 1):
        try:  # the name may hold blanks
            name, face, *numbers, _, label = text.rsplit(maxsplit=7)
            top, left, right, bottom = map(float, numbers)
            records.labels.append(LABELS[label])
        except (ValueError, KeyError):
            raise ValueError(
                f"{folder / LIST}, line {line}: expected image_name face_id top left right bottom confidence label, "
                f"got {text[:100]!r}"
            ) from None
        records.images.append(str(images / name))
        records.names.append(f"{name}#{face}")
        photos.append(name)
        boxes.append((left, top, right, bottom))
    records.groups, records.boxes = photos, np.reshape(boxes, (-1, 4))
    return records


LAYOUTS = {"official": Layout(f"data/{LIST} and data/image/origin/", _find)}


def load_expw(root: str | Path, split: str, rule: str = "label") -> Samples:
    """One split of ExpW, drawn by photo; faces are cut out by their boxes."""
    return load_split("ExpW", root, split, LAYOUTS, EMOTIONS[:7], rule)


EXPW = Dataset(load_expw, LABELS)
