"""How frames are turned; files that are shorter than they say."""

import numpy as np
import pytest

from fer.io.containers import is_cut_off, upright

IMAGE = np.arange(2 * 3 * 3).reshape(2, 3, 3)
ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (None, IMAGE),
        ((ONE, 0, 0, ONE), IMAGE),
        ((0, ONE, -ONE, 0), np.rot90(IMAGE, -1)),  # a phone held upright: a quarter turn clockwise
        ((-ONE, 0, 0, -ONE), np.rot90(IMAGE, 2)),
        ((0, -ONE, ONE, 0), np.rot90(IMAGE, 1)),
        ((-ONE, 0, 0, ONE), IMAGE[:, ::-1]),  # a camera for selfies
        ((ONE, 0, 0, -ONE), IMAGE[::-1]),
        ((0, ONE, ONE, 0), IMAGE.swapaxes(0, 1)),  # mirrored and turned
        ((0, -ONE, -ONE, 0), np.rot90(IMAGE.swapaxes(0, 1), 2)),
        ((64540, 11380, -11380, 64540), IMAGE),  # 10 degrees
        ((46341, 46341, -46341, 46341), IMAGE),  # 45 degrees
        ((2 * ONE, 0, 0, 2 * ONE), IMAGE),
        ((0, 0, 0, 0), IMAGE),  # nonsense
    ],
)
def test_display_matrices(matrix, expected):
    a, b, c, d = matrix or (0,) * 4
    np.testing.assert_array_equal(upright(IMAGE, matrix and (a, b, 0, c, d, 0, 0, 0, 1 << 30)), expected)


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    return (8 + len(content) if length is None else length).to_bytes(4, "big") + kind + content


FTYP = box(b"ftyp", b"isom")
EBML = b"\x1a\x45\xdf\xa3\x84head\x18\x53\x80\x67"


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (b"", False),
        (b"no video", False),
        (FTYP + box(b"moov", b"x") + box(b"mdat", b"1234"), False),
        (FTYP + box(b"moov", b"x") + box(b"mdat", b"1234")[:-1], True),
        (FTYP + box(b"mdat", b"1234", 0), False),  # to the end of the file
        (FTYP + box(b"mdat", (20).to_bytes(8, "big") + b"1234", 1), False),  # a length of 64 bits
        (FTYP + box(b"mdat", (21).to_bytes(8, "big") + b"1234", 1), True),
        (FTYP + box(b"mdat", b"1234") + b"\xff" * 20, False),  # something after the end
        (EBML + b"\x84data", False),
        (EBML + b"\x84dat", True),
        (EBML + b"\x10\x00\x00\x05data", True),
        (EBML + b"\x01" + b"\xff" * 7 + b"data", False),  # of a live stream
        (EBML[:9], False),
    ],
)
def test_files_that_are_cut_off(tmp_path, data, cut):
    (tmp_path / "x").write_bytes(data)
    assert is_cut_off(tmp_path / "x") == cut
