"""The metadata of an ONNX file is read without the package onnx, and damage is told."""

import numpy as np
import pytest

from fer.runtimes.onnx_metadata import read_metadata


def field(number: int, content: bytes) -> bytes:
    """A field of bytes in a message of protobuf."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


ENTRY = field(14, field(1, b"key") + field(2, b"value"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (ENTRY, {"key": "value"}),
        (b"\x08\x09" + field(2, b"producer") + ENTRY, {"key": "value"}),  # after other fields
        (b"\x85\x01" + bytes(4) + b"\x81\x01" + bytes(8) + ENTRY, {"key": "value"}),  # of four and of eight bytes
        (ENTRY + field(14, field(1, b"other")), {"key": "value", "other": ""}),
        (ENTRY + field(14, b""), {"key": "value", "": ""}),
        (field(14, b"\x08\x01"), {"": ""}),  # a number where the key would be
    ],
)
def test_entries(tmp_path, data, expected):
    (tmp_path / "x.onnx").write_bytes(data)
    assert read_metadata(tmp_path / "x.onnx") == expected


@pytest.mark.parametrize(
    "data",
    [
        ENTRY[:-1],  # cut off in an entry
        ENTRY[:1],  # and before its length
        b"\x80",  # in a number
        b"\x83\x01",  # of a kind that there is not
        field(14, field(1, b"\xff")),  # no UTF-8
        b"not an ONNX file",
    ],
)
def test_damage_is_told(tmp_path, data):
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(ValueError, match="x.onnx: not a readable ONNX file; the download may be incomplete"):
        read_metadata(tmp_path / "x.onnx")


def test_random_damage_is_read_or_told(tmp_path, tiny_graph):
    whole, chance = tiny_graph.read_bytes(), np.random.default_rng(0)
    tail = bytearray(whole[-4000:])  # where the metadata is
    for _ in range(200):
        data = tail.copy()
        for place in chance.integers(0, len(data), 5):
            data[place] = chance.integers(256)
        (tmp_path / "x.onnx").write_bytes(data)
        try:
            read_metadata(tmp_path / "x.onnx")
        except ValueError as error:
            assert str(error).startswith(str(tmp_path))


def test_no_such_file(tmp_path):
    with pytest.raises(ValueError, match="gone.onnx: no such file"):
        read_metadata(tmp_path / "gone.onnx")
