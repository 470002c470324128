"""A lock on a file, for one process at a time."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import FerError

log = logging.getLogger("fer")


class LockedError(FerError):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: str | os.PathLike) -> Iterator[None]:
    """Hold a lock on `path` within a `with` block. The operating system releases it if the process dies.

    What is locked is a small file beside `path` that names the process holding the lock. It is removed at the end.

    Raises:
        LockedError: another process, or this one, holds it already; the message names the process.
    """
    path = Path(path).resolve()
    place = path.with_name(f".{path.name}.lock")
    with _open_locked(place) as file:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}: {' '.join(sys.argv)[:200]}")
        file.flush()
        try:
            yield
        finally:
            if os.name != "nt":  # there an open file cannot be removed
                place.unlink(missing_ok=True)


def _open_locked(place: Path) -> IO[str]:
    while True:
        file = open(place, "a+", encoding="utf-8", errors="replace")
        if not _lock(file):
            with file:
                file.seek(0)
                holder = file.read() or "another process"
            raise LockedError(f"{place.with_name(place.name[1:-5])} is being written by {holder}; wait for its end")
        if place.exists() and os.path.samestat(os.fstat(file.fileno()), place.stat()):
            return file
        file.close()  # its holder removed it between our two calls


def _lock(file: IO[str]) -> bool:
    """Take the operating system's lock on an open file; False if another process holds it."""
    try:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            import msvcrt

            file.seek(1 << 20)  # behind the text, which others may then read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # of Windows
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        log.warning("%s: this file system has no locks (%s); let no other process write there", file.name, error)
    return True
