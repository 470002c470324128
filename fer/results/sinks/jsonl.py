"""Rows in a JSONL file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..resuming import Record, check_columns, is_begun, keep_rows, rows_of
from .base import RowSink


class JsonlSink(RowSink):
    """Writes rows into a JSONL file: one object per line, with every column. Missing values are null.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        begun = resume and is_begun(path, lambda start: start.startswith(b'{"path": '[: len(start)]))
        if begun:
            with rows_of(path), open(path, encoding="utf-8") as file:
                columns = list(json.loads(file.readline()))
            check_columns(path, columns, self.columns)
            self.done, self.failed = keep_rows(path, _records, 0, retry)
        self.file = open(path, "a" if begun else "w", encoding="utf-8")

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            self.file.write(json.dumps({name: row.get(name) for name in self.columns}) + "\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def _records(file: BinaryIO) -> Iterator[Record]:
    begin = file.tell()
    for line in iter(file.readline, b""):
        if line.endswith(b"\n"):
            row = json.loads(line)
            yield Record(begin, begin + len(line), row["path"], row["status"] == "error")
        begin += len(line)
