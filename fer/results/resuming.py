"""Resume a run: read which rows its output file holds already."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import BinaryIO, NamedTuple

from ..io.atomic import write_atomically
from .rows import COLUMNS


def foreign(path: Path, reason: object) -> str:
    return f"--resume: {path} does not hold rows of fer predict ({reason}); choose another --out"


@contextmanager
def rows_of(path: Path) -> Iterator[None]:
    """Turn errors of parsing into a ValueError: the file does not hold our rows."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(foreign(path, shorten(str(error), 100))) from None


def is_begun(path: Path, may_be_ours: Callable[[bytes], bool]) -> bool:
    """Whether a file has a complete first line. Raises ValueError if its beginning is not that of our files."""
    if not path.exists():
        return False
    with open(path, "rb") as file:
        line = file.readline(1 << 20)
    if line.endswith(b"\n"):
        return True
    if not may_be_ours(line):
        raise ValueError(foreign(path, "it begins otherwise"))
    return False


def check_columns(path: Path, columns: list[str], expected: list[str]) -> None:
    """Raises ValueError if the file to resume has other columns."""
    if columns[: len(COLUMNS)] != list(COLUMNS):
        raise ValueError(foreign(path, f"its columns are {shorten(', '.join(map(str, columns)), 100) or 'none'}"))
    if columns != expected:
        emotions = ", ".join(columns[len(COLUMNS) :]) or "none"
        raise ValueError(
            f"--resume: {path} has other columns ({emotions}) than these weights give; choose another --out"
        )


class Record(NamedTuple):
    """The place of a row in a file."""

    begin: int  # bytes
    end: int
    path: str
    failed: bool


Records = Callable[[BinaryIO], Iterator[Record]]


def keep_rows(path: Path, records: Records, header_lines: int, retry: bool = False) -> tuple[set[str], set[str]]:
    """Remove the rows of the last path from a file, because they may be incomplete, and any half-written row.

    Args:
        retry: also remove the rows of paths that could not be read.

    Returns:
        the paths whose rows are kept, and those among them that could not be read.
    """
    done, failed, last, start = set(), set(), None, 0
    with rows_of(path), open(path, "rb+") as file:
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


def csv_records(file: BinaryIO) -> Iterator[Record]:
    """The records of a CSV file. A record ends at the end of a line, outside quotes."""
    begin, record = file.tell(), b""
    for line in iter(file.readline, b""):
        record += line
        if line.endswith(b"\n") and record.count(b'"') % 2 == 0:
            fields = next(csv.reader(io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")))
            yield Record(begin, file.tell(), fields[0], fields[COLUMNS.index("status")] == "error")
            begin, record = file.tell(), b""


def csv_line(fields: list[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(fields)
    return line.getvalue().encode()


def json_records(file: BinaryIO) -> Iterator[Record]:
    begin = file.tell()
    for line in iter(file.readline, b""):
        if line.endswith(b"\n"):
            row = json.loads(line)
            yield Record(begin, begin + len(line), row["path"], row["status"] == "error")
        begin += len(line)
