"""Parquet as input: images in a column, lists of paths."""

import io
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from fer.data.pack import PackOptions, pack_split
from fer.data.samples import Samples
from fer.faces import create_detector
from fer.inference.files import predict_table
from fer.inference.recognizer import EmotionRecognizer
from fer.io.images import encode_image, write_image
from fer.io.tables import read_list
from fer.runtimes.networks import load_network

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 255, (40 + i, 60, 3), np.uint8) for i in range(5)]
FILES = [encode_image(image) for image in IMAGES]


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), create_detector("none"), batch_size=2)


def write_table(file, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=2)
    return file


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("layout", ["bytes", "large", "struct", "path"])
def test_rows_are_those_of_the_images(recognizer, tmp_path, layout, workers):
    for i, image in enumerate(IMAGES):
        write_image(tmp_path / f"{i}.png", image)
    structs = [{"bytes": data, "path": "x"} for data in FILES]
    column = {
        "bytes": pyarrow.array(FILES, pyarrow.binary()),
        "large": pyarrow.array(FILES, pyarrow.large_binary()),
        "struct": pyarrow.array(structs),
        "path": pyarrow.array([{"bytes": None, "path": str(tmp_path / f"{i}.png")} for i in range(5)]),
    }[layout]
    path = write_table(tmp_path / "x.parquet", label=[0] * 5, image=column)
    results = list(predict_table(recognizer, path, workers))
    assert [(r.path, r.frame, r.time, r.error) for r in results] == [(str(path), i, None, "") for i in range(5)]
    expected = recognizer.predict_crops(IMAGES)
    np.testing.assert_allclose([list(r.faces[0].probs.values()) for r in results], expected, atol=1e-5)
    assert [r.faces[0].box[3] for r in results] == [40, 41, 42, 43, 44]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"bytes": FILES[0], "path": 7}, ""),
        ({"bytes": None, "path": 7}, "the file is empty"),
        ({"bytes": b"", "path": None}, "the file is empty"),
        (None, "the file is empty"),
    ],
)
def test_odd_values_are_rows(recognizer, tmp_path, value, error):
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.int64())])
    path = write_table(tmp_path / "x.parquet", image=pyarrow.array([value, {"bytes": FILES[1], "path": 1}], kind))
    assert [r.error for r in predict_table(recognizer, path)] == [error, ""]


def test_what_fer_pack_writes(recognizer, tmp_path):
    samples = Samples(
        FILES, np.eye(8, dtype=np.float32)[:5], [f"{i}" for i in range(5)], recognizer.classes, "x", "label"
    )
    (shard,) = pack_split(samples, tmp_path, "folder", "train", PackOptions()).shards
    assert [len(r.faces) for r in predict_table(recognizer, shard)] == [1] * 5


def test_images_that_cannot_be_read_are_rows(recognizer, tmp_path):
    path = write_table(tmp_path / "x.parquet", image=[FILES[0], b"", None, b"no image", FILES[1]])
    results = list(predict_table(recognizer, path))
    assert [r.error for r in results] == ["", "the file is empty", "the file is empty", "not an image file", ""]
    assert [r.frame for r in results] == list(range(5))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"no table"), "cannot be read as Parquet"),
        (lambda path: write_table(path, path=["a.jpg"]), "no column image .* found path .string.*--list"),
        (lambda path: write_table(path, image=[1, 2]), "no column image .* found image .int64"),
        (lambda path: write_table(path, image=[{"bytes": 1}]), "no column image .* found image .struct"),
        (lambda path: write_table(path, image=[{"bytes": [{"path": 1}], "path": 2}]), "no column image"),
    ],
)
def test_other_files_are_refused(recognizer, tmp_path, write, message):
    write(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=message):
        list(predict_table(recognizer, tmp_path / "x.parquet"))


def test_a_damaged_table_gives_its_rows_and_an_error(recognizer, tmp_path):
    path = write_table(tmp_path / "x.parquet", image=FILES)
    data = bytearray(path.read_bytes())
    start = data.index(FILES[4][20:60])
    data[start - 40 : start] = bytes(40)  # the head of its page
    path.write_bytes(data)
    *rows, last = predict_table(recognizer, path, workers=0)
    assert [(r.frame, r.error) for r in rows] == [(i, "") for i in range(4)]
    assert (last.frame, last.faces) == (None, []) and last.error.startswith("damaged (")


def test_lists_of_paths(tmp_path, monkeypatch):
    (tmp_path / "x.txt").write_bytes(b"a.jpg\r\n\n b c.jpg\n\xff.jpg")
    assert read_list(tmp_path / "x.txt") == ["a.jpg", " b c.jpg", "\udcff.jpg"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("d.jpg\n"))
    assert read_list("-") == ["d.jpg"]
    for i, paths in enumerate([["é.jpg", "f.jpg", "f.jpg"], [None, "g.jpg"], []]):
        write_table(tmp_path / f"{i}.parquet", path=pyarrow.array(paths, pyarrow.string()), label=[1] * len(paths))
    assert read_list(tmp_path / "0.parquet") == ["é.jpg", "f.jpg"]  # the rows of earlier results: each path once
    (tmp_path / "folder").mkdir()
    for i in range(3):
        (tmp_path / f"{i}.parquet").rename(tmp_path / "folder" / f"{i}.parquet")
    assert read_list(tmp_path / "folder") == ["é.jpg", "f.jpg", "g.jpg"]
    assert read_list(write_table(tmp_path / "none.parquet", path=pyarrow.array([], pyarrow.string()))) == []


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("x.parquet", lambda path: write_table(path, image=FILES), "no column path; found image"),
        ("x.parquet", lambda path: path.write_bytes(b"no table"), "cannot be read as Parquet"),
        ("folder", lambda path: path.mkdir(), "no column path"),
    ],
)
def test_lists_without_paths(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        read_list(tmp_path / name)
