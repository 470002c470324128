"""The base of all sinks that write files: what a format has to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..rows import COLUMNS


class RowSink:
    """The base of sinks that write files. A format is a subclass, registered by its suffix in `SINKS`.

    If a format cannot be appended to, derive from `JournalSink` instead: it does all of the following, and needs
    two methods only. Otherwise override `__init__`, `write` and `close`:

    - `__init__` calls this one and opens the file. Without `resume` it replaces an existing file. With `resume` the
      file may be missing, empty, or cut anywhere, as a kill leaves it. Remove the rows of the last path, which may be
      incomplete, and fill `done` and `failed` from the others. Refuse a foreign file and do not change it
      (`check_columns`, `foreign_file`).
    - `write` receives the rows of one image, or of one frame of a video; so one path may come in many calls in a row.
      When it returns, the rows survive a kill of the process. A value that a row lacks is missing.
    - `close` is also called after an error or Ctrl-C; the file must then be one that `resume` accepts.
    - The name of a file may hold bytes that are not Unicode, as surrogates. A format that cannot store them stores
      `to_unicode(path)`; `has` and `has_failed` recognise both.

    Args:
        path: the file. No other process writes to it: `open_sink` holds a lock.
        emotions: the classes of the network, and the names of further columns; these columns follow `COLUMNS`.
        resume: continue after the rows that the file holds.
        retry: with `resume`, also remove the rows of paths that could not be read.

    Attributes:
        columns: the names of all columns.
        done: paths whose rows are complete.
        failed: of these, paths that could not be read: a row has the status error.

    Raises:
        ValueError: the file to resume holds something else, or rows with other columns.
    """

    def __init__(self, path: Path, emotions: tuple[str, ...], resume: bool = False, retry: bool = False):
        self.path, self.columns = path, [*COLUMNS, *emotions]
        self.done: set[str] = set()
        self.failed: set[str] = set()

    @staticmethod
    def journal_of(path: Path) -> Path:
        """The file that holds the rows until `close`: `path` itself, unless the format overrides this."""
        return path

    def has(self, path: str) -> bool:
        """Whether all rows of `path` are there."""
        return path in self.done or to_unicode(path) in self.done

    def has_failed(self, path: str) -> bool:
        """Whether the rows of `path` say that it could not be read."""
        return path in self.failed or to_unicode(path) in self.failed

    def write(self, rows: Iterable[dict]) -> None:
        """Write the rows of one image or frame."""
        raise NotImplementedError

    def close(self) -> None:
        """Complete the file and close it."""
        raise NotImplementedError


def to_unicode(text: str) -> str:
    """Text with the characters that are not valid Unicode escaped, such as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()
