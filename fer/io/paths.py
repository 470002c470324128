"""Which files are meant: folders, patterns, suffixes."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger("fer")

TABLE_SUFFIX = ".parquet"
IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".ppm",
        ".pgm",
        ".avif",
        ".heic",
        ".heif",
    }
)


VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp"}
)


def find_files(paths: Iterable[str | os.PathLike], recursive: bool = False) -> dict[Path, Path]:
    """List the images and videos that `paths` name: files, folders and patterns.

    A named file is always listed, whatever its suffix, and even if it does not exist: reading it
    reports the error. In a folder, the files with the suffix of an image or a video are listed by
    name. A path that does not exist and contains `*`, `?` or `[` is a pattern; `**` matches any
    folders. A pattern that matches nothing is listed as a missing file.

    Args:
        recursive: also list the folders inside folders. Links to folders are followed; each folder is listed once.

    Returns:
        the paths in order, each once, with the relative path of its copy in an output folder.

    Raises:
        ValueError: no file at all, or an empty path.
    """
    copies: dict[Path, Path] = {}
    paths, empty = list(paths), []
    if "" in paths:
        raise ValueError(
            "an empty path (of a variable that is not set?); name a file, a folder or a pattern, or . for here"
        )
    for path in map(Path, paths):
        if path.is_dir():
            inside = {p: p.relative_to(path) for p in _walk(path, recursive)}
            empty += [] if inside else [path]
            copies |= {p: copy for p, copy in inside.items() if p not in copies}
        elif glob.has_magic(str(path)) and not path.exists():
            matches = (Path(p) for p in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
            files = [p for p in matches if p.is_file()]
            copies |= {p: Path(p.name) for p in files or [path] if p not in copies}
        else:
            copies.setdefault(path, Path(path.name))
    if not copies:
        raise ValueError(f"no image or video in {', '.join(map(str, paths))}; --recursive looks into inner folders too")
    for path in empty:
        log.warning("%s: no image or video in this folder", path)
    return _without_clashes(copies)


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    """The images and videos in a folder, by name. Each folder is entered once, even if links lead to it again."""
    entered = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.stat(parent)  # noqa: PTH116
        if (place.st_dev, place.st_ino) in entered:
            folders.clear()
            continue
        entered.add((place.st_dev, place.st_ino))
        folders[:] = sorted(folders) if recursive else []
        paths = (Path(parent, name) for name in sorted(names))
        known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
        yield from (p for p in paths if p.suffix.lower() in known and (p.is_file() or p.is_symlink()))


def _without_clashes(copies: dict[Path, Path]) -> dict[Path, Path]:
    """Give each copy a unique name, with the suffix of a format that can be written."""
    taken: set[Path] = set()
    for path, copy in copies.items():
        video = copy.suffix.lower() in VIDEO_SUFFIXES
        if copy.suffix.lower() not in ((".mp4",) if video else (".jpg", ".jpeg", ".png", ".webp")):
            copy = copy.with_name(f"{copy.name}{'.mp4' if video else '.jpg'}")
        name, number = copy, 1
        while name in taken:
            number += 1
            name = copy.with_name(f"{copy.stem}_{number}{copy.suffix}")
        taken.add(name)
        copies[path] = name
    return copies


def kind_of(path: str | os.PathLike) -> str:
    """`image`, `video` or `table`, by the suffix."""
    suffix = Path(path).suffix.lower()
    return "video" if suffix in VIDEO_SUFFIXES else "table" if suffix == TABLE_SUFFIX else "image"
