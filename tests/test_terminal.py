"""What people read on the terminal."""

import io
import logging
import sys
from contextlib import suppress

import pytest

from fer import terminal
from fer.terminal import log_at, printable, printable_lines, progress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Zoë 😀.jpg", "Zoë 😀.jpg"),
        ("a\x1b[31m\r.jpg", "a\\x1b[31m\\r.jpg"),  # would change the colour, and write over the line
        ("two\nlines", "two\\nlines"),
        ("\udcff", "\\udcff"),  # a byte that is not Unicode
    ],
)
def test_text_of_files_is_made_harmless(text, expected):
    assert printable(text) == expected


def test_lines_of_a_message_stay_lines():
    assert printable_lines("one\ntwo\t\x07") == "one\ntwo\\t\\x07"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "level", "bars", "lines"),
    [
        (Terminal, logging.INFO, True, False),
        (io.StringIO, logging.INFO, False, True),  # a file: lines, no bar that is drawn over
        (Terminal, logging.WARNING, False, False),  # --quiet
        (io.StringIO, logging.WARNING, False, False),
    ],
)
def test_progress(monkeypatch, stream, level, bars, lines):
    monkeypatch.setattr(terminal, "LINE_EVERY", 0)
    monkeypatch.setattr(sys, "stderr", stream())
    before = terminal.log.level
    terminal.log.setLevel(level)
    try:
        assert list(progress(range(3), desc="photos")) == [0, 1, 2]
    finally:
        terminal.log.setLevel(before)
    written = sys.stderr.getvalue()
    assert ("\r" in written, "photos" in written) == (bars, bars or lines)
    assert not lines or written.endswith("\n")


def test_a_log_is_hidden_for_a_while(caplog):
    log = logging.getLogger("fer.hidden")
    log.setLevel(logging.INFO)
    with suppress(ZeroDivisionError), log_at(log, logging.WARNING):
        log.info("hidden")
        log.warning("shown")
        raise ZeroDivisionError
    log.info("shown again")
    assert caplog.messages == ["shown", "shown again"]
