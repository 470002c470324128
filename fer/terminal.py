"""Output on the terminal: escaped text, the log, progress bars."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

log = logging.getLogger("fer")
LINE_EVERY = 30  # seconds between lines of progress where there is no terminal


def printable(text: str) -> str:
    """One line of text with control and invalid characters escaped. Names of files may contain both."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """As `printable`, for text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


class PrintableFormatter(logging.Formatter):
    """A formatter that escapes control characters in messages."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def set_up_streams() -> None:
    """Set up output and logging of a program.

    The log goes to stderr, with control characters in file names escaped. Warnings of Pillow and
    NumPy about damaged files are hidden, because our own messages report these files.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w"))
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)
    if not sys.warnoptions:
        for package in ("PIL", "numpy"):
            warnings.filterwarnings("ignore", module=rf"{package}\b")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


@contextmanager
def log_at(logger: logging.Logger, level: int) -> Iterator[None]:
    """Hide the messages of `logger` below `level` for the `with` block."""
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def progress(iterable: Iterable | None = None, *, disable: bool = False, **options) -> tqdm:
    """A progress bar on a terminal, otherwise a line every LINE_EVERY seconds; nothing if INFO is not logged (--quiet).

    Args:
        options: of tqdm.
    """
    options["disable"] = disable or not log.isEnabledFor(logging.INFO)
    if sys.stderr.isatty():
        return tqdm(iterable, dynamic_ncols=True, **options)
    return tqdm(
        iterable, file=_Lines(sys.stderr), mininterval=LINE_EVERY, maxinterval=LINE_EVERY, delay=LINE_EVERY, **options
    )


class _Lines:
    """A stream that writes each state of a progress bar as a line."""

    def __init__(self, stream: TextIO):
        self.stream, self.flush = stream, stream.flush

    def write(self, text: str) -> None:
        if text := text.strip("\r\n "):
            self.stream.write(text + "\n")
