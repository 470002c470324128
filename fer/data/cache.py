"""Prepared crops in a temporary file, for all processes on a machine."""

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
except ModuleNotFoundError:  # Windows: what a killed process leaves stays
    fcntl = None  # type: ignore[assignment]

_PREFIX = "fer-crops-"


class CropCache:
    """Prepared crops uint8 [N,S,S,1 or 3] in a temporary file that all processes and their workers map into their memory.

    The system keeps as much of it in RAM as there is room for. The file goes when the process that made it ends; one that a
    killed process left goes when the next is made.

    Raises:
        ValueError: no room for it.
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
        """The file, with all of its room, and the lock that tells that this process lives."""
        size = int(np.prod(self.shape)) + self.shape[0]  # crops, then a byte per crop: whether it is there
        room = shutil.disk_usage(tempfile.gettempdir()).free
        if size > 0.9 * room:
            raise ValueError(_no_room(size, room))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        weakref.finalize(self, _remove, folder, os.getpid())
        lock = _lock(folder)
        with open(folder / "crops", "wb") as file:
            try:
                _allocate(file.fileno(), size)
            except OSError as error:
                shutil.rmtree(folder)
                raise ValueError(f"{_no_room(size, room)} ({error})") from None
        return folder / "crops", lock

    def _open(self) -> None:
        size = int(np.prod(self.shape))
        everything = np.memmap(self.path, np.uint8, "r+")
        self.crops, self.filled = everything[:size].reshape(self.shape), everything[size:]

    def get(self, i: int, prepare: Callable[[int], np.ndarray]) -> np.ndarray:
        """Crop i, prepared by the first that asks."""
        if not self.filled[i]:
            self.crops[i] = prepare(i)
            self.filled[i] = 1
        return np.array(self.crops[i])  # augmentation may write into it

    def __getstate__(self) -> dict:
        return {"shape": self.shape, "path": self.path}  # a worker maps the file

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._open()


def _no_room(size: int, room: int) -> str:
    return (
        f"--cache needs {size / 1e9:.1f} GB in {tempfile.gettempdir()}, where {room / 1e9:.1f} GB are free; set TMPDIR to a "
        "larger place, or train with --no-cache"
    )


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)  # a file with holes would let another run count on the same room
    else:
        os.truncate(file, size)


def _lock(folder: Path) -> object:
    """A lock in `folder` that the system takes away when this process and its workers have ended, however they end."""
    file = open(folder / "unlocked", "wb")
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / "unlocked").rename(folder / "lock")  # it has this name only while or after it is locked
    return file


def _remove_abandoned() -> None:
    """Remove the caches whose process was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock") if fcntl else ():
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:  # it is locked: that process lives; or another user's, or gone already
            continue


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not when a forked worker ends
        shutil.rmtree(folder, ignore_errors=True)
