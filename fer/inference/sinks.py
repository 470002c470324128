"""Where result rows go: CSV or JSONL, one row per face."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from .recognizer import ImageResult

COLUMNS = (
    *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
    *("detection_score", "label", "confidence", "unsure"),
)  # then one column per emotion


def to_rows(result: ImageResult) -> Iterator[dict]:
    """One row per face; an image without a face has one of status no_face, an unreadable one one of status error."""
    if result.error:
        yield {"path": result.path, "status": "error", "error": result.error}
    elif not result.faces:
        yield {"path": result.path, "status": "no_face"}
    for i, face in enumerate(result.faces):
        box = dict(zip(("x1", "y1", "x2", "y2"), (round(float(v), 1) for v in face.box)))
        score = None if math.isnan(face.detection_score) else round(face.detection_score, 4)
        yield {
            **{"path": result.path, "face": i, "status": "ok", **box, "detection_score": score},
            **{"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure},
            **{name: round(p, 4) for name, p in face.probs.items()},
        }


class CsvSink:
    """Rows to a CSV file in UTF-8; what a row does not have is empty."""

    def __init__(self, path: Path, emotions: tuple[str, ...]):
        self.file = open(path, "w", newline="", encoding="utf-8", errors="surrogateescape")
        self.writer = csv.DictWriter(self.file, [*COLUMNS, *emotions])
        self.writer.writeheader()

    def write(self, row: dict) -> None:
        self.writer.writerow(row)


class JsonlSink:
    """Rows to a JSONL file: an object per line with every column; what a row does not have is null."""

    def __init__(self, path: Path, emotions: tuple[str, ...]):
        self.file = open(path, "w", encoding="utf-8")
        self.columns = [*COLUMNS, *emotions]

    def write(self, row: dict) -> None:
        self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")


SINKS = {".csv": CsvSink, ".jsonl": JsonlSink}


class Sink:
    """Open the sink that the suffix of `path` names, as a context manager.

    Raises:
        ValueError: another suffix.
    """

    def __init__(self, path: str | Path, emotions: tuple[str, ...]):
        path = Path(path)
        if path.suffix.lower() not in SINKS:
            raise ValueError(f"--out {path}: unknown kind of file; expected a name that ends with {' or '.join(SINKS)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sink = SINKS[path.suffix.lower()](path, emotions)

    def __enter__(self):
        return self.sink

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sink.file.close()
