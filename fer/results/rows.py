"""Results as rows: one per face."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..description import Description
from ..faces.quality import Quality
from ..labels import VA
from .types import ImageResult

QUALITY = {"size": 1, "sharpness": 3, "brightness": 3, "yaw": 1, "pitch": 1, "roll": 1}  # columns and their decimals
COLUMNS = (
    *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
    *("detection_score", "detector", "aligned", "label", "confidence", "unsure", *QUALITY),
)  # then one column per emotion, and VA where the network gives them
INTEGERS, BOOLEANS = {"frame", "face", "track"}, {"aligned"}
TEXTS = {"path", "status", "error", "detector", "label", "unsure"}  # all other columns are floats


def face_columns(description: Description) -> tuple[str, ...]:
    """The columns after COLUMNS: the emotions, and valence and arousal where the network gives them."""
    return (*description.classes, *(VA if description.va else ()))


def embedding_columns(size: int) -> tuple[str, ...]:
    """The names of the columns of an embedding with `size` values."""
    return tuple(f"embedding_{i}" for i in range(size))


def to_rows(result: ImageResult, embeddings: bool = False) -> Iterator[dict]:
    """One row per face; or one row with the status no_face or, for an unreadable image, error.

    Args:
        embeddings: add the columns `embedding_columns`.
    """
    place: dict[str, object] = {"path": result.path, "frame": result.frame}
    place["time"] = None if result.time is None else round(result.time, 3)
    if result.error:
        yield {**place, "status": "error", "error": result.error}
    elif not result.faces:
        yield {**place, "status": "no_face", "detector": result.detector or None}
    for i, face in enumerate(result.faces):
        box = dict(zip(("x1", "y1", "x2", "y2"), (round(float(v), 1) for v in face.box)))
        score = None if math.isnan(face.detection_score) else round(face.detection_score, 4)
        yield {
            **place,
            **{"face": i, "track": face.track, "status": "ok", **box, "detection_score": score},
            **{"detector": result.detector or None, "aligned": face.aligned},
            **{"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure or None},
            **quality_columns(face.quality),
            **{name: round(p, 4) for name, p in face.probs.items()},
            **{name: round(value, 4) for name in VA if (value := getattr(face, name)) is not None},
            **(_embedding_values(face.embedding) if embeddings and face.embedding is not None else {}),
        }


def _embedding_values(embedding: np.ndarray) -> dict[str, float]:
    return dict(zip(embedding_columns(len(embedding)), (float(f"{v:.5g}") for v in embedding)))


def quality_columns(quality: Quality | None) -> dict[str, float | None]:
    """The rounded values of the columns QUALITY; None where they are unknown."""
    values = {} if quality is None else quality.to_dict()
    return {
        name: None if (value := values.get(name)) is None else round(value, digits) for name, digits in QUALITY.items()
    }
