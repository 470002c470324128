"""What people read on the terminal: text of files made harmless, and progress."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable
from typing import TextIO

from tqdm import tqdm

log = logging.getLogger("fer")
LINE_EVERY = 30  # seconds between lines of progress where there is no terminal


def printable(text: str) -> str:
    """One line of text with control characters, and what is not Unicode, spelt out: a file's name may hold either."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class PrintableFormatter(logging.Formatter):
    """Messages whose lines are printable."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


def set_up_streams() -> None:
    """For a program: log to stderr, harmless whatever the names of files hold; what other packages say of files is hidden."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
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


def progress(iterable: Iterable | None = None, *, disable: bool = False, **options) -> tqdm:
    """tqdm's bar on a terminal, and a line from time to time elsewhere; nothing where information is not logged.

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
    """A stream on which each state of a bar is a line."""

    def __init__(self, stream: TextIO):
        self.stream, self.flush = stream, stream.flush

    def write(self, text: str) -> None:
        if text := text.strip("\r\n "):
            self.stream.write(text + "\n")
