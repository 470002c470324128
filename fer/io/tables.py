"""Parquet files of images, and lists of paths."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .images import ImageSource
from .paths import TABLE_SUFFIX


class ImageTable:
    """The images of a Parquet file, one after another, as sources for `read_image`.

    The column `image` holds the bytes of image files, or structs {bytes, path} as `fer pack` and the `datasets` library
    write them. Iteration ends at damage; `error` says afterwards what was wrong.

    Raises:
        ValueError: the file is missing, no Parquet, or without such a column.
        ModuleNotFoundError: pyarrow is not installed.
    """

    def __init__(self, path: str | os.PathLike):
        import pyarrow
        import pyarrow.parquet

        self.error = ""
        try:
            self.file = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.ArrowException) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read as Parquet ({error})"
            raise ValueError(f"{path}: {reason}") from None
        try:
            _check_columns(path, self.file.schema_arrow)
        except ValueError:
            self.file.close()
            raise

    def __iter__(self) -> Iterator[ImageSource]:
        import pyarrow

        with self.file:
            try:
                for group in range(self.file.num_row_groups):  # the ones before a damaged one are read
                    for batch in self.file.iter_batches(64, [group], ["image"]):
                        yield from map(_to_source, batch["image"].to_pylist())
            except (OSError, ValueError, pyarrow.ArrowException) as error:
                self.error = f"damaged ({error})"


def _check_columns(path: str | os.PathLike, schema) -> None:
    if schema.names.count("image") != 1 or not _holds_images(schema.field("image").type):
        found = ", ".join(f"{name} ({kind})" for name, kind in zip(schema.names, schema.types))
        raise ValueError(
            f"{path}: no column image that holds bytes, or structs of bytes and path; found {found}. Paths in a column "
            "path are read by --list"
        )


def _holds_images(kind) -> bool:
    """Whether an Arrow type is bytes, or a struct with a field bytes or path."""
    import pyarrow.types as types

    if types.is_binary(kind) or types.is_large_binary(kind):
        return True
    fields = {field.name: field.type for field in kind} if types.is_struct(kind) else {}
    return ("bytes" in fields and _holds_images(fields["bytes"])) or (
        "path" in fields and (types.is_string(fields["path"]) or types.is_large_string(fields["path"]))
    )


def _to_source(value: dict | bytes | None) -> ImageSource:
    """The bytes of a file, or its path if the struct has no bytes."""
    sources = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value,)
    return next((source for source in sources if source and isinstance(source, (bytes, str))), b"")


def read_list(name: str | os.PathLike) -> list[str]:
    """Paths from the lines of a text file or of the input (`-`), or from the column `path` of Parquet files.

    Raises:
        ValueError: Parquet without such a column.
    """
    if Path(name).suffix.lower() == TABLE_SUFFIX or Path(name).is_dir():
        return _read_path_column(name)
    if str(name) == "-" and (sys.stdin is None or sys.stdin.closed):
        raise ValueError("--list -: the input is closed; give paths to it, or name a file")
    file = sys.stdin if str(name) == "-" else open(name, encoding="utf-8", errors="surrogateescape")
    with file:
        return [line.rstrip("\r\n") for line in file if line.strip()]


def _read_path_column(name: str | os.PathLike) -> list[str]:
    import pyarrow
    import pyarrow.dataset

    try:
        data = pyarrow.dataset.dataset(str(name), format="parquet")
        if "path" not in data.schema.names:
            raise ValueError(f"--list {name}: no column path; found {', '.join(data.schema.names)}")
        paths = {p: None for batch in data.to_batches(columns=["path"]) for p in batch["path"].to_pylist() if p}
    except pyarrow.ArrowException as error:
        raise ValueError(f"--list {name}: cannot be read as Parquet ({error})") from None
    return list(paths)
