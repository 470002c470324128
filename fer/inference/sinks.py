"""Where result rows go: CSV, JSONL, Parquet or a table, one row per face."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ..files import write_atomically
from .results import ImageResult

COLUMNS = (
    *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
    *("detection_score", "label", "confidence", "unsure"),
)  # then one column per emotion
INTEGERS, TEXTS = {"frame", "face", "track"}, {"path", "status", "error", "label"}  # the others are numbers


def to_rows(result: ImageResult) -> Iterator[dict]:
    """One row per face; an image without a face has one of status no_face, an unreadable one one of status error."""
    place = {"path": result.path, "frame": result.frame}
    place["time"] = None if result.time is None else round(result.time, 3)
    if result.error:
        yield {**place, "status": "error", "error": result.error}
    elif not result.faces:
        yield {**place, "status": "no_face"}
    for i, face in enumerate(result.faces):
        box = dict(zip(("x1", "y1", "x2", "y2"), (round(float(v), 1) for v in face.box)))
        score = None if math.isnan(face.detection_score) else round(face.detection_score, 4)
        yield {
            **place,
            **{"face": i, "track": face.track, "status": "ok", **box, "detection_score": score},
            **{"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure},
            **{name: round(p, 4) for name, p in face.probs.items()},
        }


@dataclass
class Tally:
    """What a run has found so far."""

    files: int = 0  # that are begun
    frames: int = 0  # of videos
    without_face: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # by the first words of the reason
    last: str = ""

    def add(self, result: ImageResult) -> None:
        self.files += result.path != self.last
        self.last = result.path
        self.frames += result.frame is not None
        self.without_face += not result.faces and not result.error
        self.emotions.update(face.label for face in result.faces)
        if result.error:
            self.failures[result.error.partition(" (")[0]] += 1

    def short(self) -> dict[str, int]:
        counts = {"faces": self.emotions.total(), "failed": self.failures.total()}
        return ({"frames": self.frames} if self.frames else {}) | counts

    def describe(self, before: int = 0) -> str:
        """Lines of text; `before`: files that an earlier run has done."""
        faces = ", ".join(f"{name} {n}" for name, n in self.emotions.most_common()) or "none"
        frames = f", {self.frames} frames" if self.frames else ""
        lines = [
            f"{self.files} files{f' (and {before} before)' if before else ''}{frames}, {self.emotions.total()} faces, "
            f"{self.without_face} {'pictures ' if self.frames else ''}without a face, {self.failures.total()} could not be read",
            f"faces: {faces}",
        ]
        return "\n".join(lines + [f"not read: {n} {reason}" for reason, n in self.failures.most_common()])


class CsvSink:
    """Rows to a CSV file in UTF-8; what a row does not have is empty.

    Args:
        resume: go on after the rows that the file holds. `done` names the paths that need no other row; the last path
            in the file may lack some, so that its rows are cut off.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False):
        self.columns, self.done = [*COLUMNS, *emotions], set()
        begun = resume and _has_line(path)
        if begun:
            with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                check_columns(path, next(csv.reader(file)), self.columns)
            self.done = cut_last_path(path, _csv_records, header_lines=1)
        self.file = open(path, "a" if begun else "w", newline="", encoding="utf-8", errors="surrogateescape")
        self.writer = csv.DictWriter(self.file, self.columns)
        if not begun:
            self.writer.writeheader()

    def write(self, rows: Iterable[dict]) -> None:
        """All rows of a path."""
        self.writer.writerows(rows)
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class JsonlSink:
    """Rows to a JSONL file: an object per line with every column; what a row does not have is null. As `CsvSink`."""

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False):
        self.columns, self.done = [*COLUMNS, *emotions], set()
        begun = resume and _has_line(path)
        if begun:
            with open(path, encoding="utf-8") as file:
                check_columns(path, list(json.loads(file.readline())), self.columns)
            self.done = cut_last_path(path, _json_records, header_lines=0)
        self.file = open(path, "a" if begun else "w", encoding="utf-8")

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class ParquetSink:
    """Rows to a Parquet file, by way of a JSONL file beside it that a killed run leaves for the next. As `CsvSink`."""

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False):
        self.path, self.emotions = path, emotions
        self.journal = path.with_name(f".{path.name}.rows.jsonl")
        if resume and path.exists() and not self.journal.exists():
            self._unpack()
        self.rows = JsonlSink(self.journal, emotions, resume)
        self.done, self.write = self.rows.done, self.rows.write

    def _unpack(self) -> None:
        """The rows of a finished file back into the journal."""
        import pyarrow.parquet

        table = pyarrow.parquet.ParquetFile(self.path)
        check_columns(self.path, table.schema_arrow.names, [*COLUMNS, *self.emotions])
        sink = JsonlSink(self.journal, self.emotions)
        for batch in table.iter_batches():
            sink.write(batch.to_pylist())
        sink.close()

    def close(self) -> None:
        import pyarrow
        import pyarrow.parquet

        self.rows.close()
        kinds = dict.fromkeys(INTEGERS, pyarrow.int64()) | dict.fromkeys(TEXTS, pyarrow.string())
        kinds["unsure"] = pyarrow.bool_()
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in self.rows.columns])

        def write(temporary: Path) -> None:
            with (
                open(self.journal, encoding="utf-8") as file,
                pyarrow.parquet.ParquetWriter(temporary, schema) as writer,
            ):
                while rows := [json.loads(line) for line in islice(file, 10_000)]:
                    writer.write_table(pyarrow.Table.from_pylist([_printable(row) for row in rows], schema))

        write_atomically(self.path, write)
        self.journal.unlink()


def _has_line(path: Path) -> bool:
    if not path.exists():
        return False
    with open(path, "rb") as file:
        return file.readline().endswith(b"\n")


def check_columns(path: Path, found: list[str], expected: list[str]) -> None:
    """Raises ValueError where a file to go on with has other columns."""
    if found != expected:
        emotions = ", ".join(found[len(COLUMNS) :]) or "none"
        raise ValueError(
            f"--resume: {path} has other columns ({emotions}) than these weights give; choose another --out"
        )


def _printable(row: dict) -> dict:
    """Parquet holds no names that are not Unicode; their odd bytes are spelt out."""
    return {k: v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for k, v in row.items()}


def cut_last_path(path: Path, records: Callable[[BinaryIO], Iterator[tuple[int, str]]], header_lines: int) -> set[str]:
    """Cut off the rows of the last path in a file, and a row that was not written to its end -> the other paths.

    Args:
        records: file -> (start in bytes, path) of each whole record.
    """
    seen, last = set(), None
    with open(path, "rb+") as file:
        for _ in range(header_lines):
            file.readline()
        start = file.tell()
        for begin, name in records(file):
            if name != last:
                seen.add(name)
                last, start = name, begin
        file.truncate(start)
    return seen - {last}


def _csv_records(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """A record ends at a line's end outside quotes."""
    begin, record = file.tell(), b""
    for line in iter(file.readline, b""):
        record += line
        if line.endswith(b"\n") and record.count(b'"') % 2 == 0:
            fields = next(csv.reader(io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")))
            yield begin, fields[0]
            begin, record = file.tell(), b""


def _json_records(file: BinaryIO) -> Iterator[tuple[int, str]]:
    begin = 0
    for line in iter(file.readline, b""):
        if line.endswith(b"\n"):
            yield begin, json.loads(line)["path"]
        begin = file.tell()


class TableSink:
    """Rows to the terminal as they come: a line per face of an image; of a video a line per track, when it ends."""

    done: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.video, self.tracks = "", {}  # name -> how often each emotion was seen
        self._line("image", "face", "emotion", "confidence", "box")

    def _line(self, path: str, face: str, emotion: str, confidence: str, box: str) -> None:
        print(f"{path:<40} {face:>4}  {emotion:<10} {confidence:>10}  {box}", flush=True)

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            if row["path"] != self.video:
                self._end_video()
            if row["status"] != "error" and row.get("time") is not None:
                self._count(row)
            elif row["status"] != "ok":
                print(f"{row['path']:<40}    -  {row.get('error') or 'no face found'}", flush=True)
            else:
                box = " ".join(f"{row[key]:.0f}" for key in ("x1", "y1", "x2", "y2"))
                confidence = f"{row['confidence']:.0%}{' unsure' if row['unsure'] else ''}"
                self._line(row["path"], str(row["face"]), row["label"], confidence, box)

    def _count(self, row: dict) -> None:
        """Keep a row of a video's frame."""
        self.video = row["path"]
        if row["status"] == "no_face":
            name, emotion = "no face", ""
        else:
            name = "no track" if row["track"] is None else f"track {row['track']}"
            emotion = "unsure" if row["unsure"] else row["label"]
        self.tracks.setdefault(name, Counter())[emotion] += 1

    def _end_video(self) -> None:
        for name, emotions in self.tracks.items():
            total = emotions.total()
            shares = ", ".join(f"{emotion} {n / total:.0%}" for emotion, n in emotions.most_common() if emotion)
            print(f"{self.video:<40} {name:<9} {total:>6} frames  {shares}".rstrip(), flush=True)
        self.video, self.tracks = "", {}

    def close(self) -> None:
        self._end_video()


SINKS = {".csv": CsvSink, ".jsonl": JsonlSink, ".parquet": ParquetSink}
Sink = CsvSink | JsonlSink | ParquetSink | TableSink


@contextmanager
def open_sink(path: str | Path | None, emotions: tuple[str, ...], resume: bool = False) -> Iterator[Sink]:
    """The sink that the suffix of `path` names; a table on the terminal where `path` is None.

    Raises:
        ValueError: another suffix; or `resume` without a file, or with one of other columns.
    """
    if path is None:
        if resume:
            raise ValueError("--resume goes on with a file; name it by --out")
        sink = TableSink()
    else:
        path = Path(path)
        if path.suffix.lower() not in SINKS:
            raise ValueError(f"--out {path}: unknown kind of file; expected a name that ends with {', '.join(SINKS)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = SINKS[path.suffix.lower()](path, emotions, resume)
    try:
        yield sink
    finally:
        sink.close()
