"""CSV files of other programs that say something of images."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

# One of these columns names the image in a file of another program.
IMAGE_COLUMNS = ("image", "path", "file_name", "file", "name")


def look_up(path: str | os.PathLike, columns: list[str], names: list[str]) -> dict[str, list[str]]:
    """For each column of a CSV file the value of each image, "" where there is none.

    Args:
        path: CSV with a column that names the image (one of IMAGE_COLUMNS), found as by `match_images`.
        columns: the names of the columns.
        names: of the images.

    Raises:
        ValueError: no such file or column, or none of the images in it.
    """
    table = read_columns(path)
    key = next((name for name in IMAGE_COLUMNS if name in table), None)
    if key is None or (missing := [name for name in columns if name not in table]):
        wanted = f"the column {', '.join(missing)}" if key else f"one of the columns {', '.join(IMAGE_COLUMNS)}"
        raise ValueError(f"{path}: expected {wanted}; the columns are {', '.join(table)}")
    positions = match_images(table[key], names)
    if not positions:
        raise ValueError(f"{path}: none of its images is in the data, whose first image is {names[0]}")
    return {
        column: [(table[column][positions[i]] or "").strip() if i in positions else "" for i in range(len(names))]
        for column in columns
    }


def read_columns(path: str | os.PathLike, errors: str = "strict") -> dict[str, list]:
    """The columns of a CSV file by name; None where a row ends early.

    Args:
        errors: what to do with bytes that are not UTF-8, see `open`.

    Raises:
        ValueError: the file cannot be read as CSV.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig", errors=errors) as file:
            reader = csv.DictReader(file)
            names, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as CSV ({error})") from None
    return {name: [row[name] for row in rows] for name in names}


def match_images(keys: Sequence[object], names: Sequence[str]) -> dict[int, int]:
    """For each position in `names` that `keys` name, the position of the first such key.

    A key is the name itself, or a path that ends with it, or shares with it an end that no other name has.
    """
    exact = {name: i for i, name in enumerate(names)}
    endings = Counter(end for name in names for end in _endings(name))
    unique = {end: i for i, name in enumerate(names) for end in _endings(name) if endings[end] == 1}
    positions: dict[int, int] = {}
    for row, key in enumerate(keys):
        candidates = (
            index.get(text) for text, index in [(str(key), exact), *((e, unique) for e in _endings(str(key)))]
        )
        position = next((p for p in candidates if p is not None), None)
        if position is not None:
            positions.setdefault(position, row)
    return positions


def _endings(name: str) -> list[str]:
    """The path and its ends, longest first: a/b/c, b/c, c."""
    parts = PurePath(name.replace("\\", "/")).parts
    return ["/".join(parts[i:]) for i in range(len(parts))]
