"""Rows in a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..rows import BOOLEANS, INTEGERS, TEXTS
from .journal import JournalSink


class ParquetSink(JournalSink):
    """Writes rows into a Parquet file. Arguments: see `RowSink`."""

    def save(self, path: Path, rows: Iterator[list]) -> None:
        import pyarrow
        import pyarrow.parquet

        kinds = dict.fromkeys(INTEGERS, pyarrow.int64()) | dict.fromkeys(TEXTS, pyarrow.string())
        kinds |= dict.fromkeys(BOOLEANS, pyarrow.bool_())
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in self.columns])
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            while some := [dict(zip(self.columns, row)) for row in islice(rows, 10_000)]:
                writer.write_table(pyarrow.Table.from_pylist(some, schema))

    def load(self, path: Path) -> Iterator[Sequence]:
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            yield file.schema_arrow.names
            for batch in file.iter_batches():
                yield from zip(*(column.to_pylist() for column in batch.columns))
