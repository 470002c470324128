"""Who may enter: where names and passwords come from, and how fast they can be guessed."""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

FIRST = 0.5  # seconds that the answer to the first wrong password takes; twice as many each time
SLOWEST = 10.0  # seconds
NAMES = 1_000  # wrong ones whose delays are remembered


def read_logins(given: Iterable[str], file: str | None, environment: str | None) -> dict[str, str]:
    """Passwords by names.

    Args:
        given: NAME:PASSWORD of the command line.
        file: a text file of NAME:PASSWORD lines; empty lines are left out.
        environment: such lines from an environment variable.

    Raises:
        ValueError: a line that is not NAME:PASSWORD (it is not repeated), or a source with none at all;
            the file cannot be read.
    """
    logins = dict(_split(pair, "--auth") for pair in given)
    sources = {f"--auth-file {file}": _read(file) if file else None, "FER_AUTH": environment}
    for source, text in sources.items():
        if text is None:
            continue
        lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not lines:  # nobody's mistake shall open the page to everyone
            raise ValueError(f"{source}: no line NAME:PASSWORD in it")
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
    """Checks names and passwords; wrong ones are answered later each time, name by name.

    Args:
        passwords: by names.
    """

    def __init__(self, passwords: dict[str, str]):
        self.passwords = passwords
        self._known = {name: _Attempts() for name in passwords}
        self._unknown: OrderedDict[str, _Attempts] = OrderedDict()

    async def check(self, name: str, password: str) -> bool:
        """Whether these belong together; what Gradio takes for `auth`.

        Gradio calls it on the event loop: waiting here keeps nobody else waiting. One attempt at a time is looked at for
        each name, whether it exists or not.
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
