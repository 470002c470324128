"""What a video file states besides its frames: their rotation, and the length of the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

EBML_ID, SEGMENT_ID = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # Matroska (RFC 9559)


def upright(image: np.ndarray, matrix: Sequence[int] | None) -> np.ndarray:
    """A view of the image [H,W,3], rotated and mirrored by a display matrix; unchanged unless by quarter turns.

    Args:
        matrix: 3x3, row by row. It maps (column, row) of a pixel to the place where the pixel is shown (FFmpeg's
            libavutil/display.h). None: no rotation.
    """
    if matrix is None or not is_quarter_turn(matrix):
        return image
    a, b, _, c, d = matrix[:5]
    if abs(b) > abs(a):  # rows become columns
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def is_quarter_turn(matrix: Sequence[int]) -> bool:
    """Whether a display matrix rotates by a multiple of 90 degrees, perhaps mirrored."""
    a, b, _, c, d = (abs(value) for value in matrix[:5])
    straight, turned = min(a, d), min(b, c)
    return max(b, c) < 0.01 * straight or max(a, d) < 0.01 * turned


def is_cut_off(path: str | os.PathLike) -> bool:
    """Whether an MP4, MOV, MKV or WebM file is shorter than its header states; False for other containers."""
    with open(path, "rb") as file:
        head, size = file.read(8), Path(path).stat().st_size
        file.seek(0)
        if head.startswith(EBML_ID):
            return _segment_end(file) > size
        return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") and _boxes_end(file, size) > size


def _boxes_end(file: BinaryIO, size: int) -> int:
    """The position where the last data box of an MP4 file should end."""
    start = end = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8:  # 0: to the end of the file
            break
        start += length
        end = start if kind in (b"moov", b"mdat", b"moof") else end
    return end


def _segment_end(file: BinaryIO) -> int:
    """The position where the first segment of a Matroska file should end; 0 if it is not stated."""
    file.seek(4)
    header = _read_length(file) or 0
    file.seek(header, os.SEEK_CUR)
    length = _read_length(file) if file.read(4) == SEGMENT_ID else None
    return 0 if length is None else file.tell() + length


def _read_length(file: BinaryIO) -> int | None:
    """An EBML number. The zeros before its first 1 give the number of bytes that follow; all ones mean unknown."""
    first = (file.read(1) or b"\x01")[0]
    more = 8 - first.bit_length()
    value = int.from_bytes(bytes([first & (0x7F >> more)]) + file.read(more), "big")
    return None if value == 2 ** (7 * (more + 1)) - 1 else value
