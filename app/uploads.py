"""Uploaded files and archives, read one by one and deleted: nothing is unpacked to the disk."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

MAX_FILES = 1_000  # images in one batch
MAX_BYTES = 100_000_000  # of one file, also inside an archive


class Upload(NamedTuple):
    """A file that someone gave, or what is wrong with it."""

    name: str
    data: bytes
    error: str = ""


@contextmanager
def claim(paths: Iterable[str | Path], arrivals: Path) -> Iterator[list[Path]]:
    """Take uploaded files away from where they arrived, for the time of a `with` block; they are deleted at its end.

    The same file uploaded by someone else meanwhile is another one. A path outside the folder `arrivals` was never uploaded
    (anyone can send a name): what comes in its place does not exist.
    """
    with tempfile.TemporaryDirectory(prefix="dan-fer-") as folder:
        yield [_take(Path(path), arrivals, Path(folder, str(i))) for i, path in enumerate(paths)]


def _take(path: Path, arrivals: Path, folder: Path) -> Path:
    folder.mkdir()
    path = path.resolve()
    uploaded = path.is_relative_to(arrivals.resolve()) and path.is_file()
    return Path(shutil.move(path, folder)) if uploaded else folder / path.name


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
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
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
