"""The base of sinks for formats that are written as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...io.atomic import write_atomically
from ..resuming import check_columns, foreign_file
from .base import RowSink, to_unicode
from .jsonl import JsonlSink


class JournalSink(RowSink):
    """The base of sinks for formats that cannot be appended to. A format overrides `save` and `load`.

    Until `close`, the rows are in a JSONL file beside `path`, the journal, from which a killed run continues. Then
    `save` writes the file. To continue a finished file, `load` reads it back into the journal.

    Arguments: see `RowSink`.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        super().__init__(path, emotions)
        self.journal = self.journal_of(path)
        if resume and path.exists() and not self.journal.exists():
            write_atomically(self.journal, lambda temporary: self._unpack(temporary, emotions))
        self.rows = JsonlSink(self.journal, emotions, resume, retry)
        self.done, self.failed = self.rows.done, self.rows.failed

    @staticmethod
    def journal_of(path: Path) -> Path:
        return path.with_name(f".{path.name}.rows.jsonl")

    def save(self, path: Path, rows: Iterator[list]) -> None:
        """Write all rows into the empty file `path`, which is then renamed.

        Args:
            rows: the values of each row, in the order of `columns`: str (valid Unicode), int, float, bool or None.
        """
        raise NotImplementedError

    def load(self, path: Path) -> Iterator[Sequence]:
        """Yield the names of the columns of a file, then the values of each row. Any exception: it is not ours."""
        raise NotImplementedError

    def write(self, rows: Iterable[dict]) -> None:
        self.rows.write(rows)

    def close(self) -> None:
        self.rows.close()
        write_atomically(self.path, lambda temporary: self.save(temporary, self._values()))
        self.journal.unlink()

    def _values(self) -> Iterator[list]:
        with open(self.journal, encoding="utf-8") as file:
            for row in map(json.loads, file):
                yield [to_unicode(value) if isinstance(value, str) else value for value in row.values()]

    def _unpack(self, journal: Path, emotions: tuple[str, ...]) -> None:
        """Write the rows of a finished file into a journal."""
        rows = self._load()
        check_columns(self.path, next(rows, []), self.columns)
        sink = JsonlSink(journal, emotions)
        sink.write(dict(zip(self.columns, row)) for row in rows)
        sink.close()

    def _load(self) -> Iterator[Sequence]:
        try:
            yield from self.load(self.path)
        except OSError:
            raise
        except Exception as error:  # each format has its own
            raise ValueError(foreign_file(self.path, error)) from None
