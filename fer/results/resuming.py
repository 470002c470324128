"""Resume a run: read which rows its output file holds already. Helpers for sinks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import BinaryIO, NamedTuple

from ..io.atomic import write_atomically
from .rows import COLUMNS


def foreign_file(path: Path, reason: object) -> str:
    """The message of the ValueError for a file to resume that holds something else; `reason`: how this was seen."""
    reason = shorten(str(reason), 100)
    return f"--resume: {path} does not hold rows of fer predict ({reason}); choose another --out"


@contextmanager
def rows_of(path: Path) -> Iterator[None]:
    """Turn errors of parsing CSV or JSON into a ValueError: the file does not hold our rows."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(foreign_file(path, error)) from None


def is_begun(path: Path, may_be_ours: Callable[[bytes], bool]) -> bool:
    """Whether a text file has a complete first line.

    Args:
        may_be_ours: called with an incomplete first line; whether a file of ours can begin so.

    Raises:
        ValueError: it cannot.
    """
    if not path.exists():
        return False
    with open(path, "rb") as file:
        line = file.readline(1 << 20)
    if line.endswith(b"\n"):
        return True
    if not may_be_ours(line):
        raise ValueError(foreign_file(path, "it begins otherwise"))
    return False


def check_columns(path: Path, columns: Sequence[str], expected: list[str]) -> None:
    """Raises ValueError if the `columns` of the file to resume are not the `expected` ones.

    The message says whether it holds other rows than ours, or rows of weights with other classes.
    """
    if list(columns[: len(COLUMNS)]) != list(COLUMNS):
        raise ValueError(foreign_file(path, f"its columns are {', '.join(map(str, columns)) or 'none'}"))
    if list(columns) != expected:
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


Records = Callable[[BinaryIO], Iterator[Record]]  # reads the complete rows of a file from its position on


def keep_rows(path: Path, records: Records, header_lines: int, retry: bool = False) -> tuple[set[str], set[str]]:
    """Remove the rows of the last path from a text file, because they may be incomplete, and any half-written row.

    Args:
        header_lines: the number of lines before the first row.
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
