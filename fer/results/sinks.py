"""Sinks for rows: CSV, JSONL and Parquet files, or a table on the terminal."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from ..io.atomic import write_atomically
from ..io.locks import exclusive
from ..terminal import printable
from .resuming import check_columns, csv_line, csv_records, is_begun, json_records, keep_rows, rows_of
from .rows import BOOLEANS, COLUMNS, INTEGERS, TEXTS


class RowSink:
    """The base of sinks that write files.

    Args:
        resume: continue after the rows that the file holds. Those of the last path may be incomplete, and are removed.
        retry: with `resume`, also remove the rows of paths that could not be read.

    Raises:
        ValueError: the file to resume holds something else, or rows with other columns.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...]):
        self.path, self.columns = path, [*COLUMNS, *emotions]
        self.done: set[str] = set()  # paths whose rows are complete
        self.failed: set[str] = set()  # of these, paths that could not be read

    def has(self, path: str) -> bool:
        """Whether all rows of `path` are there."""
        return path in self.done or to_unicode(path) in self.done  # as Parquet stores it

    def has_failed(self, path: str) -> bool:
        """Whether the rows of `path` say that it could not be read."""
        return path in self.failed or to_unicode(path) in self.failed

    def write(self, rows: Iterable[dict]) -> None:
        """Write all rows of a path."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class CsvSink(RowSink):
    """Writes rows into a CSV file, UTF-8. Missing values are empty. Arguments: see `RowSink`."""

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and is_begun(path, lambda start: csv_line(self.columns).startswith(start))
        if begun:
            with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                check_columns(path, next(csv.reader(file)), self.columns)
            self.done, self.failed = keep_rows(path, csv_records, 1, retry)
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
    """Writes rows into a JSONL file: one object per line, with every column. Missing values are null.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and is_begun(path, lambda start: start.startswith(b'{"path": '[: len(start)]))
        if begun:
            with rows_of(path), open(path, encoding="utf-8") as file:
                found = list(json.loads(file.readline()))
            check_columns(path, found, self.columns)
            self.done, self.failed = keep_rows(path, json_records, 0, retry)
        self.file = open(path, "a" if begun else "w", encoding="utf-8")

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class ParquetSink(RowSink):
    """Writes rows into a Parquet file. Until the end they are in a JSONL file beside it, to resume from.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        self.journal = journal_of(path)
        if resume and path.exists() and not self.journal.exists():
            self._unpack(emotions)
        self.rows = JsonlSink(self.journal, emotions, resume, retry)
        self.done, self.failed = self.rows.done, self.rows.failed

    def write(self, rows: Iterable[dict]) -> None:
        self.rows.write(rows)

    def _unpack(self, emotions: tuple[str, ...]) -> None:
        """Write the rows of a finished file back into the journal."""
        import pyarrow.parquet

        with rows_of(self.path):
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
    """The JSONL file that holds the rows of a Parquet file until it is finished."""
    return path.with_name(f".{path.name}.rows.jsonl")


def to_unicode(text: str) -> str:
    """Text with invalid characters escaped, such as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


def _in_unicode(row: dict) -> dict:
    return {k: to_unicode(v) if isinstance(v, str) else v for k, v in row.items()}


class TableSink:
    """Prints rows on the terminal: a line per face of an image; for a video a line per track, at its end."""

    def has(self, path: str) -> bool:
        return False

    def has_failed(self, path: str) -> bool:
        return False

    def __init__(self) -> None:
        self.video = ""
        self.tracks: dict[str, Counter[str]] = {}  # how often each emotion was seen, by track
        self._line("image", "face", "emotion", "confidence", "box")

    def _line(self, path: str, face: str, emotion: str, confidence: str, box: str) -> None:
        print(f"{printable(path):<40} {face:>4}  {emotion:<10} {confidence:>10}  {box}", flush=True)

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            if row["path"] != self.video:
                self._end_video()
            if row["status"] != "error" and row.get("time") is not None:
                self._count(row)
            elif row["status"] != "ok":
                path, reason = map(printable, (row["path"], row.get("error") or "no face found"))
                print(f"{path:<40}    -  {reason}", flush=True)
            else:
                box = " ".join(f"{row[key]:.0f}" for key in ("x1", "y1", "x2", "y2"))
                confidence = f"{row['confidence']:.0%}{' unsure' if row['unsure'] else ''}"
                self._line(row["path"], str(row["face"]), row["label"], confidence, box)

    def _count(self, row: dict) -> None:
        """Count a row of a video."""
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
            print(f"{printable(self.video):<40} {name:<9} {total:>6} frames  {shares}".rstrip(), flush=True)
        self.video, self.tracks = "", {}

    def close(self) -> None:
        self._end_video()


SINKS: dict[str, Callable[[Path, tuple[str, ...], bool, bool], RowSink]] = {
    ".csv": CsvSink,
    ".jsonl": JsonlSink,
    ".parquet": ParquetSink,
}
Sink = RowSink | TableSink


def check_out(path: str | Path | None, resume: bool = False, overwrite: bool = False) -> None:
    """Raises the ValueError that `open_sink` would raise, without opening anything."""
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
    """Open the sink for the suffix of `path`, or a table on the terminal if `path` is None.

    Args:
        resume, retry: see `RowSink`.
        overwrite: replace an existing file. Without `overwrite` and `resume` an existing file is an error.

    Raises:
        ValueError: an unknown suffix; an existing file, see `overwrite`; `resume` without a file,
            or with a file that holds something else.
        LockedError: another process writes to `path`.
    """
    check_out(path, resume, overwrite)
    if path is None:
        with closing(TableSink()) as sink:
            yield sink
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path):
        check_out(path, resume, overwrite)  # another process may have written it meanwhile
        with closing(SINKS[path.suffix.lower()](path, emotions, resume, retry)) as sink:
            yield sink
