"""Read the metadata of an ONNX file without the package onnx."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

METADATA_PROPS = 14  # field of ModelProto (onnx.proto): repeated {key = 1, value = 2}


def read_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The entries of `metadata_props` in an ONNX file.

    Raises:
        ValueError: the file is missing or not an ONNX file.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    data = memoryview(Path(path).read_bytes())
    try:
        entries = [dict(_fields(value)) for number, value in _fields(data) if number == METADATA_PROPS]
        return {bytes(entry.get(1, b"")).decode(): bytes(entry.get(2, b"")).decode() for entry in entries}
    except (LookupError, ValueError, TypeError):
        raise ValueError(f"{path}: not a readable ONNX file; the download may be incomplete") from None


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and the bytes of each field of a protobuf message, without those that hold an integer (varint)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, at = _varint(data, at)
            continue
        size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if at + size > len(data):
            raise ValueError("cut off")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A varint (seven bits per byte, lowest first), and the position behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
