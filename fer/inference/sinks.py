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
from textwrap import shorten
from typing import BinaryIO, NamedTuple

from .. import terminal
from ..files import write_atomically
from ..locks import exclusive
from .results import ImageResult

COLUMNS = (
    *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
    *("detection_score", "detector", "aligned", "label", "confidence", "unsure"),
)  # then one column per emotion
INTEGERS, BOOLEANS = {"frame", "face", "track"}, {"aligned", "unsure"}
TEXTS = {"path", "status", "error", "detector", "label"}  # the other columns are numbers


def to_rows(result: ImageResult) -> Iterator[dict]:
    """One row per face; an image without a face has one of status no_face, an unreadable one one of status error."""
    place = {"path": result.path, "frame": result.frame}
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
            **{"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure},
            **{name: round(p, 4) for name, p in face.probs.items()},
        }


@dataclass
class Tally:
    """What a run has found so far."""

    before: int = 0  # files that an earlier run has done
    failed_before: int = 0  # those of them that could not be read
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

    def begin(self, before: int, failed_before: int) -> None:
        """What an earlier run has done."""
        self.before, self.failed_before = before, failed_before

    def describe(self) -> list[str]:
        """Lines of text."""
        faces = ", ".join(f"{name} {n}" for name, n in self.emotions.most_common()) or "none"
        frames = f", {self.frames} frames" if self.frames else ""
        lines = [
            f"{self.files} files{f' (and {self.before} before)' if self.before else ''}{frames}, {self.emotions.total()} faces, "
            f"{self.without_face} {'pictures ' if self.frames else ''}without a face, {self.failures.total()} could not be read",
            f"faces: {faces}",
        ]
        if self.failed_before:
            lines.append(f"not read before: {self.failed_before}; --retry-errors does them again")
        return lines + [f"not read: {n} {reason}" for reason, n in self.failures.most_common()]


class RowSink:
    """What the sinks of files share.

    Args:
        resume: go on after the rows that the file holds; the last path in it may lack some, so that its rows are cut off.
        retry: with `resume`, also cut off the rows of paths that could not be read.

    Raises:
        ValueError: a file to go on with that holds something else, or rows of other columns.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...]):
        self.path, self.columns = path, [*COLUMNS, *emotions]
        self.done: set[str] = set()  # paths that need no other row
        self.failed: set[str] = set()  # those among them that could not be read

    def has(self, path: str) -> bool:
        """Whether all rows of `path` are there."""
        return path in self.done or printable(path) in self.done  # as Parquet spells it


class CsvSink(RowSink):
    """Rows to a CSV file in UTF-8; what a row does not have is empty. Arguments: see `RowSink`."""

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and _is_begun(path, lambda start: _csv_line(self.columns).startswith(start))
        if begun:
            with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                check_columns(path, next(csv.reader(file)), self.columns)
            self.done, self.failed = keep_rows(path, _csv_records, 1, retry)
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


class JsonlSink(RowSink):
    """Rows to a JSONL file: an object per line with every column; what a row does not have is null.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and _is_begun(path, lambda start: start.startswith(b'{"path": '[: len(start)]))
        if begun:
            with _rows_of(path), open(path, encoding="utf-8") as file:
                found = list(json.loads(file.readline()))
            check_columns(path, found, self.columns)
            self.done, self.failed = keep_rows(path, _json_records, 0, retry)
        self.file = open(path, "a" if begun else "w", encoding="utf-8")

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class ParquetSink(RowSink):
    """Rows to a Parquet file, by way of a JSONL file beside it that a killed run leaves for the next.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        self.journal = journal_of(path)
        if resume and path.exists() and not self.journal.exists():
            self._unpack(emotions)
        self.rows = JsonlSink(self.journal, emotions, resume, retry)
        self.done, self.failed, self.write = self.rows.done, self.rows.failed, self.rows.write

    def _unpack(self, emotions: tuple[str, ...]) -> None:
        """The rows of a finished file back into the journal."""
        import pyarrow.parquet

        with _rows_of(self.path):
            table = pyarrow.parquet.ParquetFile(self.path)
        check_columns(self.path, table.schema_arrow.names, self.columns)
        sink = JsonlSink(self.journal, emotions)
        for batch in table.iter_batches():
            sink.write(batch.to_pylist())
        sink.close()

    def close(self) -> None:
        import pyarrow
        import pyarrow.parquet

        self.rows.close()
        kinds = dict.fromkeys(INTEGERS, pyarrow.int64()) | dict.fromkeys(TEXTS, pyarrow.string())
        kinds |= dict.fromkeys(BOOLEANS, pyarrow.bool_())
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in self.columns])

        def write(temporary: Path) -> None:
            with (
                open(self.journal, encoding="utf-8") as file,
                pyarrow.parquet.ParquetWriter(temporary, schema) as writer,
            ):
                while rows := [json.loads(line) for line in islice(file, 10_000)]:
                    writer.write_table(pyarrow.Table.from_pylist([_in_unicode(row) for row in rows], schema))

        write_atomically(self.path, write)
        self.journal.unlink()


def journal_of(path: Path) -> Path:
    """Where the rows of a Parquet file stand until it is finished."""
    return path.with_name(f".{path.name}.rows.jsonl")


def _is_begun(path: Path, may_be_ours: Callable[[bytes], bool]) -> bool:
    """Whether a file has a whole line; raises ValueError where it is no beginning of ours."""
    if not path.exists():
        return False
    with open(path, "rb") as file:
        line = file.readline(1 << 20)
    if line.endswith(b"\n"):
        return True
    if not may_be_ours(line):
        raise ValueError(_foreign(path, "it begins otherwise"))
    return False


def _foreign(path: Path, reason: object) -> str:
    return f"--resume: {path} does not hold rows of fer predict ({reason}); choose another --out"


@contextmanager
def _rows_of(path: Path) -> Iterator[None]:
    """Whatever reading something else than rows raises becomes a ValueError that says so."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(_foreign(path, shorten(str(error), 100))) from None


def check_columns(path: Path, found: list[str], expected: list[str]) -> None:
    """Raises ValueError where a file to go on with has other columns."""
    if found[: len(COLUMNS)] != list(COLUMNS):
        raise ValueError(_foreign(path, f"its columns are {shorten(', '.join(map(str, found)), 100) or 'none'}"))
    if found != expected:
        emotions = ", ".join(found[len(COLUMNS) :]) or "none"
        raise ValueError(
            f"--resume: {path} has other columns ({emotions}) than these weights give; choose another --out"
        )


def printable(text: str) -> str:
    """Text with what is not Unicode spelt out: \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


def _in_unicode(row: dict) -> dict:
    return {k: printable(v) if isinstance(v, str) else v for k, v in row.items()}


class Record(NamedTuple):
    """Where a row stands in a file."""

    begin: int  # bytes
    end: int
    path: str
    failed: bool


Records = Callable[[BinaryIO], Iterator[Record]]


def keep_rows(path: Path, records: Records, header_lines: int, retry: bool = False) -> tuple[set[str], set[str]]:
    """Cut off the rows of the last path in a file, and a row that was not written to its end.

    Args:
        retry: cut off those of paths that could not be read as well.

    Returns:
        the paths whose rows are kept, and those among them that could not be read.
    """
    done, failed, last, start = set(), set(), None, 0
    with _rows_of(path), open(path, "rb+") as file:
        for _ in range(header_lines):
            file.readline()
        head = start = file.tell()
        for record in records(file):
            done.add(record.path)
            if record.failed:
                failed.add(record.path)
            if record.path != last:
                last, start = record.path, record.begin
        file.truncate(start)
    done, failed = done - {last}, failed - {last}
    if not (retry and failed):
        return done, failed

    def write(temporary: Path) -> None:
        with open(path, "rb") as file, open(temporary, "wb") as copy:
            copy.write(file.read(head))
            for record in list(records(file)):
                if record.path not in failed:
                    file.seek(record.begin)
                    copy.write(file.read(record.end - record.begin))

    write_atomically(path, write)
    return done - failed, set()


def _csv_records(file: BinaryIO) -> Iterator[Record]:
    """A record ends at a line's end outside quotes."""
    begin, record = file.tell(), b""
    for line in iter(file.readline, b""):
        record += line
        if line.endswith(b"\n") and record.count(b'"') % 2 == 0:
            fields = next(csv.reader(io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")))
            yield Record(begin, file.tell(), fields[0], fields[COLUMNS.index("status")] == "error")
            begin, record = file.tell(), b""


def _csv_line(fields: list[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(fields)
    return line.getvalue().encode()


def _json_records(file: BinaryIO) -> Iterator[Record]:
    begin = file.tell()
    for line in iter(file.readline, b""):
        if line.endswith(b"\n"):
            row = json.loads(line)
            yield Record(begin, begin + len(line), row["path"], row["status"] == "error")
        begin += len(line)


class TableSink:
    """Rows to the terminal, one line each, as they come."""

    failed: frozenset[str] = frozenset()

    def has(self, path: str) -> bool:
        return False

    def __init__(self) -> None:
        self._line("image", "face", "emotion", "confidence", "box")

    def _line(self, path: str, face: str, emotion: str, confidence: str, box: str) -> None:
        print(f"{terminal.printable(path):<40} {face:>4}  {emotion:<10} {confidence:>10}  {box}", flush=True)

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            if row["status"] != "ok":
                path, reason = map(terminal.printable, (row["path"], row.get("error") or "no face found"))
                print(f"{path:<40}    -  {reason}", flush=True)
                continue
            box = " ".join(f"{row[key]:.0f}" for key in ("x1", "y1", "x2", "y2"))
            confidence = f"{row['confidence']:.0%}{' unsure' if row['unsure'] else ''}"
            self._line(row["path"], str(row["face"]), row["label"], confidence, box)

    def close(self) -> None:
        pass


SINKS = {".csv": CsvSink, ".jsonl": JsonlSink, ".parquet": ParquetSink}
Sink = RowSink | TableSink


def check_out(path: str | Path | None, resume: bool = False, overwrite: bool = False) -> None:
    """Raises ValueError where `open_sink` would; nothing is opened."""
    if path is None:
        if resume or overwrite:
            raise ValueError("--resume and --overwrite are for a file; name it by --out")
        return
    path = Path(path)
    if path.suffix.lower() not in SINKS:
        raise ValueError(f"--out {path}: unknown kind of file; expected a name that ends with {', '.join(SINKS)}")
    if resume and overwrite:
        raise ValueError("--resume keeps the rows of --out, --overwrite does not; give one of them")
    if not (resume or overwrite) and (path.exists() or journal_of(path).exists()):
        what = "holds results" if path.exists() else "was begun, and not finished"
        raise ValueError(f"--out {path} {what}: add --resume to go on with it, or --overwrite to write it anew")


@contextmanager
def open_sink(
    path: str | Path | None,
    emotions: tuple[str, ...],
    resume: bool = False,
    retry: bool = False,
    overwrite: bool = False,
) -> Iterator[Sink]:
    """The sink that the suffix of `path` names; a table on the terminal where `path` is None.

    Args:
        resume, retry: see `RowSink`.
        overwrite: write an existing file anew; without, and without `resume`, it is refused.

    Raises:
        ValueError: another suffix; `resume` without a file, or with one that holds something else; see `overwrite`.
        LockedError: another process writes to `path`.
    """
    check_out(path, resume, overwrite)
    if path is None:
        yield TableSink()
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path):
        check_out(path, resume, overwrite)  # another may have written it meanwhile
        sink = SINKS[path.suffix.lower()](path, emotions, resume, retry)
        try:
            yield sink
        finally:
            sink.close()
