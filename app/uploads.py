"""Uploaded files and archives, read one by one and deleted; archives are never unpacked to the disk."""

from __future__ import annotations

import base64
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
from urllib.parse import unquote

log = logging.getLogger("fer")

MAX_FILES = 1_000  # images in one batch
MAX_BYTES = 100_000_000  # per file, also inside an archive
FILE_MARK = "/gradio_api/file="  # what precedes the path in Gradio's address of an upload
MAX_PATH = 4_096  # characters
PICTURE_TEXTS = "a data URL, base64 text, or the path that an upload to the page returned"


class Upload(NamedTuple):
    """An uploaded file, or the reason why it cannot be used."""

    name: str
    data: bytes
    error: str = ""


class SeparateUploads:
    """ASGI middleware for Gradio that stores the files of each upload in a separate folder.

    Gradio derives the path of an upload from its content: two users who upload the same photo would share one
    file, and the first request to finish would delete it. The files of a failed or aborted upload are deleted.

    Args:
        app: the wrapped application.
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

        scope["app"].uploaded_file_dir = _UploadFolder(self.arrivals)  # Gradio's App
        _upload_folder.set(folder)
        try:
            await self.app(scope, receive, watch)
        finally:
            if not arrived:
                shutil.rmtree(folder, ignore_errors=True)


_upload_folder: ContextVar[Path | None] = ContextVar("upload_folder", default=None)  # of the current request


class _UploadFolder(os.PathLike):
    """The folder of the current request's upload, or of all uploads outside a request."""

    def __init__(self, arrivals: Path):
        self.arrivals = arrivals

    def __fspath__(self) -> str:
        return str(_upload_folder.get() or self.arrivals)


@contextmanager
def claim(paths: Iterable[str | Path], arrivals: Path) -> Iterator[list[Path]]:
    """Move uploaded files to a private folder for the duration of the `with` block, then delete them.

    Yield the new path of each file. A path outside the folder `arrivals` was never uploaded (a client can send any
    path); its new path does not exist.
    """
    with tempfile.TemporaryDirectory(prefix="dan-fer-") as folder:
        uploaded = [Path(path) for path in paths]
        new_paths = {
            path: _move(path, arrivals.resolve(), Path(folder, str(i)))
            for i, path in enumerate(dict.fromkeys(uploaded))
        }
        yield [new_paths[path] for path in uploaded]


def _move(path: Path, arrivals: Path, folder: Path) -> Path:
    folder.mkdir()
    path = path.resolve()
    if not (path.is_relative_to(arrivals) and path.is_file()):
        return folder / path.name
    try:
        new_path = Path(shutil.move(path, folder))
    except FileNotFoundError:  # another request was faster
        return folder / path.name
    _remove_empty(path.parent, arrivals)
    return new_path


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove `folder` and its parents below `top` as long as they are empty."""
    with suppress(OSError):
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def read_text(text: str, name: str, arrivals: Path) -> Upload | str:
    """Interpret a picture that a program gives as text: a data URL, base64, or an upload to the page.

    Returns:
        The picture with the name `name`, or the path of the upload, for `open_uploads`. Nothing is fetched or written.
    """
    _, mark, path = text.partition(FILE_MARK)
    if mark or (len(text) < MAX_PATH and Path(text).is_relative_to(arrivals)):
        return unquote(path) if mark else text
    if "://" in text[:20]:
        return Upload(name, b"", f"an address, and the page fetches nothing; send {PICTURE_TEXTS}")
    try:
        encoded = text.partition(";base64,")[2] if text.startswith("data:") else text
        return Upload(name, base64.b64decode("".join(encoded.split()), validate=True))
    except ValueError:
        return Upload(name, b"", f"not a picture; send {PICTURE_TEXTS}")


def open_uploads(sources: Iterable[str | Path | Upload], arrivals: Path, limit: int = MAX_FILES) -> Iterator[Upload]:
    """Yield uploaded files, and the members of zip archives one by one; delete all at the end of the iteration.

    The name of a member is only displayed and never used as a path, so `../` in it is harmless. See `claim` for
    `arrivals`. An `Upload` among the sources is yielded as it is.
    """
    sources = list(sources)
    with claim([source for source in sources if not isinstance(source, Upload)], arrivals) as claimed:
        paths = iter(claimed)
        uploads = (u for s in sources for u in ([s] if isinstance(s, Upload) else _open(next(paths))))
        yield from islice(uploads, limit)
        if next(uploads, None):
            yield Upload("the others", b"", f"only the first {limit} files are processed; upload fewer at once")


def _open(path: Path) -> Iterator[Upload]:
    """Yield the uploads in one file; an error becomes an `Upload`, so that the other files are not lost."""
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
    """Unpack at most MAX_BYTES, whatever size the header states."""
    try:
        with archive.open(info) as file:
            data = file.read(MAX_BYTES + 1)
    except RuntimeError as error:  # also NotImplementedError
        return Upload(name, b"", f"cannot be unpacked ({error})")
    except Exception as error:  # decompressors raise many types on damaged data
        return Upload(name, b"", f"damaged in the archive ({error})")
    if len(data) > MAX_BYTES:
        return Upload(name, b"", _too_large())
    if data.startswith(b"PK\x03\x04"):
        return Upload(name, b"", "an archive inside an archive is not opened")
    return Upload(name, data)


def _is_litter(name: str) -> bool:
    """Whether a file manager, and not the user, added this file to the archive."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _too_large() -> str:
    return f"more than {MAX_BYTES // 1_000_000} MB"
