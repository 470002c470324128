"""Logins: read names and passwords, and slow down guessing."""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

FIRST = 0.5  # seconds until the answer to the first wrong password; doubled for each further one
SLOWEST = 10.0  # seconds at most
NAMES = 1_000  # unknown names whose delays are remembered


def read_logins(pairs: Iterable[str], file: str | None, environment: str | None) -> dict[str, str]:
    """Read logins; return {name: password}.

    Args:
        pairs: NAME:PASSWORD arguments of the command line.
        file: a text file of NAME:PASSWORD lines; empty lines are skipped.
        environment: such lines from an environment variable.

    Raises:
        ValueError: a line is not NAME:PASSWORD (the message does not repeat it), a source holds no line, or the
            file cannot be read.
    """
    logins = dict(_split(pair, "--auth") for pair in pairs)
    sources = {f"--auth-file {file}": _read(file) if file else None, "FER_AUTH": environment}
    for source, text in sources.items():
        if text is None:
            continue
        lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not lines:  # an empty source must not open the page to everyone
            raise ValueError(f"{source}: holds no line NAME:PASSWORD")
        logins |= dict(_split(line, f"{source}, line {i}") for i, line in lines)
    return logins


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"--auth-file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"--auth-file {file}: not a text file in UTF-8") from None


def _split(pair: str, source: str) -> tuple[str, str]:
    name, colon, password = pair.partition(":")
    if not (name.strip() and colon and password):
        raise ValueError(f"{source}: expected NAME:PASSWORD")
    return name.strip(), password


class Logins:
    """Check names and passwords; each wrong password for a name doubles the delay of the answer.

    Args:
        passwords: {name: password}.
    """

    def __init__(self, passwords: dict[str, str]):
        self.passwords = passwords
        self._known = {name: _Attempts() for name in passwords}
        self._unknown: OrderedDict[str, _Attempts] = OrderedDict()

    async def check(self, name: str, password: str) -> bool:
        """Whether the password is that of the name; a callback for Gradio's `auth`.

        Gradio awaits it on the event loop, so the delay does not block other users. Attempts for the same name are
        checked one at a time, whether the name exists or not.
        """
        attempts = self._known.get(name) or self._remember(name)
        async with attempts.lock:
            expected = self.passwords.get(name, "")
            if hmac.compare_digest(password.encode(), expected.encode()) and expected:
                attempts.failures = 0
                return True
            attempts.failures = min(attempts.failures + 1, 20)
            await asyncio.sleep(min(SLOWEST, FIRST * 2 ** (attempts.failures - 1)))
            return False

    def _remember(self, name: str) -> _Attempts:
        attempts = self._unknown.setdefault(name, _Attempts())
        self._unknown.move_to_end(name)
        if len(self._unknown) > NAMES:
            self._unknown.popitem(last=False)
        return attempts


class _Attempts:
    def __init__(self):
        self.failures, self.lock = 0, asyncio.Lock()
