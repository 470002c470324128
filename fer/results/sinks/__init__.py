"""Sinks for rows, by the suffix of the file; `fer predict` on a terminal has a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...io.locks import exclusive
from .base import RowSink
from .csv import CsvSink
from .jsonl import JsonlSink
from .parquet import ParquetSink
from .table import TableSink

SINKS: dict[str, type[RowSink]] = {".csv": CsvSink, ".jsonl": JsonlSink, ".parquet": ParquetSink}
"""{suffix of the file: its sink}. Help texts, messages and tests take the suffixes from here."""
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
    if not (resume or overwrite) and (path.exists() or SINKS[path.suffix.lower()].journal_of(path).exists()):
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
        emotions, resume, retry: see `RowSink`.
        overwrite: replace an existing file. Without `overwrite` and `resume` an existing file is an error.

    Raises:
        ValueError: an unknown suffix; an existing file, see `overwrite`; `resume` without a file,
            or with a file that holds something else.
        LockedError: another process writes to `path`.
    """
    check_out(path, resume, overwrite)
    if path is None:
        with closing(TableSink("valence" in emotions)) as sink:
            yield sink
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path):
        check_out(path, resume, overwrite)  # another process may have written it meanwhile
        with closing(SINKS[path.suffix.lower()](path, emotions, resume, retry)) as sink:
            yield sink
