"""Uploaded files and archives, read one by one and deleted: nothing is unpacked to the disk."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("fer")

MAX_FILES = 1_000  # images in one batch
MAX_BYTES = 100_000_000  # of one file, also inside an archive


class Upload(NamedTuple):
    """A file that someone gave, or what is wrong with it."""

    name: str
    data: bytes
    error: str = ""


class SeparateUploads:
    """ASGI middleware for Gradio: the files of each upload arrive in a folder of their own.

    Gradio names an upload's place after its content, so that the same photo from two people would be one file, which the
    first to be answered deletes. What a failed or broken-off upload leaves is deleted.

    Args:
        app: the application around which this stands.
        arrivals: the folder where uploads arrive.
    """

    def __init__(self, app: Callable, arrivals: Path):
        self.app, self.arrivals = app, arrivals

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http" or not scope["path"].rstrip("/").endswith("/upload"):
            return await self.app(scope, receive, send)
        folder, arrived = self.arrivals / secrets.token_hex(16), False

        async def watch(message: dict) -> None:
            nonlocal arrived
            arrived = arrived or message.get("status") == 200
            await send(message)

        scope["app"].uploaded_file_dir = _Place(self.arrivals)  # Gradio's App
        _place.set(folder)
        try:
            await self.app(scope, receive, watch)
        finally:
            if not arrived:
                shutil.rmtree(folder, ignore_errors=True)


_place: ContextVar[Path | None] = ContextVar("place", default=None)  # of the upload that arrives in this request


class _Place(os.PathLike):
    """The folder of the present request's upload; otherwise the one of all uploads."""

    def __init__(self, arrivals: Path):
        self.arrivals = arrivals

    def __fspath__(self) -> str:
        return str(_place.get() or self.arrivals)


@contextmanager
def claim(paths: Iterable[str | Path], arrivals: Path) -> Iterator[list[Path]]:
    """Take uploaded files away from where they arrived, for the time of a `with` block; they are deleted at its end.

    A path outside the folder `arrivals` was never uploaded (anyone can send a name): the path given for it does not exist.
    """
    with tempfile.TemporaryDirectory(prefix="dan-fer-") as folder:
        uploaded = [Path(path) for path in paths]
        taken = {
            path: _take(path, arrivals.resolve(), Path(folder, str(i)))
            for i, path in enumerate(dict.fromkeys(uploaded))
        }
        yield [taken[path] for path in uploaded]


def _take(path: Path, arrivals: Path, folder: Path) -> Path:
    folder.mkdir()
    path = path.resolve()
    if not (path.is_relative_to(arrivals) and path.is_file()):
        return folder / path.name
    try:
        taken = Path(shutil.move(path, folder))
    except FileNotFoundError:  # someone else took it meanwhile
        return folder / path.name
    _remove_empty(path.parent, arrivals)
    return taken


def _remove_empty(folder: Path, top: Path) -> None:
    """Folders from `folder` up to below `top`, as long as they are empty."""
    with suppress(OSError):
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def open_uploads(paths: Iterable[str | Path], arrivals: Path, limit: int = MAX_FILES) -> Iterator[Upload]:
    """The files at `paths`, those of zip archives one by one; all are deleted when the iteration ends, however it ends.

    A name of a file in an archive is shown as it is and never used as a path, so `../` in it harms nothing. See `claim`.
    """
    with claim(paths, arrivals) as taken:
        uploads = (upload for path in taken for upload in _open(path))
        yield from islice(uploads, limit)
        if next(uploads, None):
            yield Upload("the others", b"", f"only the first {limit} files are looked at; give fewer at once")


def _open(path: Path) -> Iterator[Upload]:
    """What is wrong with one file is no reason to lose the others."""
    try:
        yield from _open_any(path)
    except Exception as error:
        log.exception("an upload could not be opened")
        yield Upload(path.name, b"", f"cannot be opened ({type(error).__name__})")


def _open_any(path: Path) -> Iterator[Upload]:
    if not path.is_file():
        yield Upload(path.name, b"", "the upload did not arrive; send it again")
    elif zipfile.is_zipfile(path):
        yield from _open_zip(path)
    elif path.suffix.lower() == ".zip":
        yield Upload(path.name, b"", "not a zip archive, or a damaged one")
    elif path.stat().st_size > MAX_BYTES:
        yield Upload(path.name, b"", _too_large())
    else:
        yield Upload(path.name, path.read_bytes())


def _open_zip(path: Path) -> Iterator[Upload]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
            if not members:
                yield Upload(path.name, b"", "an empty archive")
            for info in members:
                yield _read_member(archive, info, f"{path.name}/{info.filename}")
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        yield Upload(path.name, b"", f"a damaged archive ({error})")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Upload:
    """The header's size is not believed: no more than MAX_BYTES are unpacked."""
    try:
        with archive.open(info) as file:
            data = file.read(MAX_BYTES + 1)
    except RuntimeError as error:  # also NotImplementedError
        return Upload(name, b"", f"cannot be unpacked ({error})")
    except Exception as error:  # what the decompressors raise on damaged data
        return Upload(name, b"", f"damaged in the archive ({error})")
    if len(data) > MAX_BYTES:
        return Upload(name, b"", _too_large())
    if data.startswith(b"PK\x03\x04"):
        return Upload(name, b"", "an archive inside an archive is not opened")
    return Upload(name, data)


def _is_litter(name: str) -> bool:
    """What file managers leave in archives."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _too_large() -> str:
    return f"more than {MAX_BYTES // 1_000_000} MB"
