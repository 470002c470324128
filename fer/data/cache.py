"""A cache of prepared crops in a temporary file, shared by all processes on a machine."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..distributed import from_first_on_machine, is_first_on_machine

try:
    import fcntl
except ModuleNotFoundError:  # Windows: the cache of a killed process is not removed
    fcntl = None  # type: ignore[assignment]

_PREFIX = "fer-crops-"


class CropCache:
    """Prepared crops, uint8 [N,S,S,1 or 3], in a temporary file that all processes and their workers map into memory.

    The operating system keeps as much of the file in RAM as fits. The file is removed when the process that
    created it ends. If that process was killed, the next `CropCache` removes it.

    Raises:
        ValueError: not enough disk space.
    """

    def __init__(self, shape: tuple[int, int, int, int]):
        self.shape = shape
        path: Path | None = None
        if is_first_on_machine():
            _remove_abandoned()
            path, self._lock = self._make()
        self.path: Path = from_first_on_machine(path)
        self._open()

    def _make(self) -> tuple[Path, object]:
        """Allocate the file; return its path, and a lock that is held while this process lives."""
        size = int(np.prod(self.shape)) + self.shape[0]  # crops, then one byte per crop: whether it is filled
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if size > 0.9 * free:
            raise ValueError(_disk_full(size, free))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        weakref.finalize(self, _remove, folder, os.getpid())
        lock = _lock(folder)
        with open(folder / "crops", "wb") as file:
            try:
                _allocate(file.fileno(), size)
            except OSError as error:
                shutil.rmtree(folder)
                raise ValueError(f"{_disk_full(size, free)} ({error})") from None
        return folder / "crops", lock

    def _open(self) -> None:
        size = int(np.prod(self.shape))
        content = np.memmap(self.path, np.uint8, "r+")
        self.crops, self.filled = content[:size].reshape(self.shape), content[size:]

    def get(self, i: int, prepare: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return crop i; the first request for it calls `prepare(i)`."""
        if not self.filled[i]:
            self.crops[i] = prepare(i)
            self.filled[i] = 1
        return np.array(self.crops[i])  # augmentation may write into it

    def __getstate__(self) -> dict:
        return {"shape": self.shape, "path": self.path}  # a worker maps the same file

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._open()


def _disk_full(size: int, free: int) -> str:
    return (
        f"--cache needs {size / 1e9:.1f} GB in {tempfile.gettempdir()}, where {free / 1e9:.1f} GB are free; "
        "set TMPDIR to a folder with more space, or train with --no-cache"
    )


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)  # a sparse file would let another run count on the same space
    else:
        os.truncate(file, size)


def _lock(folder: Path) -> object:
    """Lock a file in `folder`; the system releases the lock when this process and its workers have ended in any way."""
    file = open(folder / "unlocked", "wb")
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / "unlocked").rename(folder / "lock")  # under this name it is locked, or its process has ended
    return file


def _remove_abandoned() -> None:
    """Remove the caches of killed processes."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock") if fcntl else ():
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:  # locked by a living process, owned by another user, or removed meanwhile
            continue


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked worker
        shutil.rmtree(folder, ignore_errors=True)
