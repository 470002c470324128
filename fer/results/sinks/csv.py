"""Rows in a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..resuming import Record, check_columns, is_begun, keep_rows
from ..rows import COLUMNS
from .base import RowSink


class CsvSink(RowSink):
    """Writes rows into a CSV file, UTF-8. Missing values are empty. Arguments: see `RowSink`."""

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and is_begun(path, lambda start: _csv_line(self.columns).startswith(start))
        if begun:
            with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                check_columns(path, next(csv.reader(file)), self.columns)
            self.done, self.failed = keep_rows(path, _records, 1, retry)
        self.file = open(path, "a" if begun else "w", newline="", encoding="utf-8", errors="surrogateescape")
        self.writer = csv.DictWriter(self.file, self.columns)
        if not begun:
            self.writer.writeheader()

    def write(self, rows: Iterable[dict]) -> None:
        self.writer.writerows(rows)
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def _records(file: BinaryIO) -> Iterator[Record]:
    """The rows and their places. A row ends at the end of a line, outside quotes."""
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
