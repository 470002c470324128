"""Where result rows go: CSV, JSONL or a table, one row per face."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    def close(self) -> None:
        self.file.close()


class JsonlSink:
    """Rows to a JSONL file: an object per line with every column; what a row does not have is null."""

    def __init__(self, path: Path, emotions: tuple[str, ...]):
        self.file = open(path, "w", encoding="utf-8")
        self.columns = [*COLUMNS, *emotions]

    def write(self, row: dict) -> None:
        self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")

    def close(self) -> None:
        self.file.close()


class TableSink:
    """Rows to the terminal, one line each, as they come."""

    def __init__(self) -> None:
        self._line("image", "face", "emotion", "confidence", "box")

    def _line(self, path: str, face: str, emotion: str, confidence: str, box: str) -> None:
        print(f"{path:<40} {face:>4}  {emotion:<10} {confidence:>10}  {box}", flush=True)

    def write(self, row: dict) -> None:
        if row["status"] != "ok":
            print(f"{row['path']:<40}    -  {row.get('error') or 'no face found'}", flush=True)
            return
        box = " ".join(f"{row[key]:.0f}" for key in ("x1", "y1", "x2", "y2"))
        confidence = f"{row['confidence']:.0%}{' unsure' if row['unsure'] else ''}"
        self._line(row["path"], str(row["face"]), row["label"], confidence, box)

    def close(self) -> None:
        pass


SINKS = {".csv": CsvSink, ".jsonl": JsonlSink}


@contextmanager
def open_sink(path: str | Path | None, emotions: tuple[str, ...]) -> Iterator[CsvSink | JsonlSink | TableSink]:
    """The sink that the suffix of `path` names; a table on the terminal where `path` is None.

    Raises:
        ValueError: another suffix.
    """
    if path is None:
        sink = TableSink()
    else:
        path = Path(path)
        if path.suffix.lower() not in SINKS:
            raise ValueError(f"--out {path}: unknown kind of file; expected a name that ends with {' or '.join(SINKS)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = SINKS[path.suffix.lower()](path, emotions)
    try:
        yield sink
    finally:
        sink.close()
