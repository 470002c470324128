"""CK+ (Lucey et al. 2010): posed expressions filmed from neutral to their peak."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples
from .affectnet import five_of_68
from .layouts import Layout, Parts, Records, first_folder, load_split, read_text

LABELS = dict(zip("01234567", ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")))


def _find(root: Path) -> Parts | None:
    images = first_folder(root, "cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
    labels = first_folder(root, "Emotion", "Emotion_labels/Emotion")
    return {"all": partial(_read, root, images, labels)} if images and labels else None


def _read(root: Path, images: Path, labels: Path) -> Records:
    """Read the first frame (neutral) and the last frame (peak) of each labelled sequence."""
    records, subjects, points = Records(), [], []
    landmarks = first_folder(root, "Landmarks/Landmarks", "Landmarks")
    for path in sorted(labels.glob("S*/*/*_emotion.txt")):
        subject, sequence = path.parts[-3:-1]
        frames = sorted((images / subject / sequence).glob("[!.]*.png"))
        label = _read_label(path)
        if not frames:
            raise ValueError(f"{path}: the labelled sequence has no frames; {images / subject / sequence} holds no PNG")
        for frame, name in ((frames[0], "neutral"), (frames[-1], label)):
            records.add(str(frame), name, str(frame.relative_to(images)))
            subjects.append(subject)
            if landmarks:
                points.append(_read_points(landmarks / subject / sequence / f"{frame.stem}_landmarks.txt"))
    records.groups = subjects
    if landmarks:
        all_points = np.reshape(points, (-1, 68, 2))
        records.boxes = np.concatenate([all_points.min(1), all_points.max(1)], 1)  # [N,4]
        records.landmarks = np.reshape([five_of_68(p) for p in all_points], (-1, 5, 2))
    return records


def _read_label(path: Path) -> str:
    text = read_text(path).strip()
    try:
        return LABELS[f"{float(text):g}"]
    except (ValueError, KeyError):
        raise ValueError(f"{path}: expected a number from 0 to 7, got {text[:100]!r}") from None


def _read_points(path: Path) -> np.ndarray:
    try:
        return np.array(read_text(path).split(), float).reshape(68, 2)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected 68 landmarks ({error}); remove Landmarks/ to load without them") from None


LAYOUTS = {"official": Layout("cohn-kanade-images/ and Emotion/ (or Emotion_labels/Emotion/)", _find)}


def load_ckplus(root: str | Path, split: str, rule: str = "peak") -> Samples:
    """Load one split of CK+, drawn by subject: the first (neutral) and last (peak) frames of the labelled sequences.

    Frames are full pictures; if the release's `Landmarks/` is present, faces are cut out by it.
    """
    return load_split("CK+", root, split, LAYOUTS, EMOTIONS, rule)


CKPLUS = Dataset(load_ckplus, LABELS, rules=("peak",))
