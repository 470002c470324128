"""The examples in docs/extending.md: a dataset and an output format, which pass the tests of those in the package."""

import sqlite3
from contextlib import closing

import pytest

from fer.cli import main
from fer.data import DATASETS, load_samples
from fer.results.sinks import SINKS
from outcomes import READERS, read
from results import test_resuming, test_sinks
from test_docs import DOCS, python_blocks
from trees import by_name, make_image, write_text

ROWS = ("a.png,train,angry", "b.png,train,happy", "c.png,valid,sad", "d.png,test,neutral")


@pytest.fixture
def example() -> dict:
    """What the page defines."""
    names: dict = {}
    exec(compile("\n".join(python_blocks(DOCS / "extending.md")), "docs/extending.md", "exec"), names)
    return names


def read_sqlite(path) -> list[dict]:
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        return [dict(row) for row in file.execute("SELECT * FROM faces")]


@pytest.fixture
def sqlite(example, monkeypatch) -> str:
    """The suffix of the new format, which is registered for the test."""
    monkeypatch.setitem(SINKS, ".sqlite", example["SqliteSink"])
    monkeypatch.setitem(READERS, ".sqlite", read_sqlite)
    return ".sqlite"


@pytest.fixture
def my_faces(example, monkeypatch, tmp_path):
    """A folder of the new dataset, which is registered for the test."""
    monkeypatch.setitem(DATASETS, "my-faces", example["MY_FACES"])
    write_text(tmp_path / "labels.csv", "file,split,emotion", *ROWS)
    for row in ROWS:
        make_image(tmp_path / "images" / row.split(",")[0])
    return tmp_path


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", {"a.png": "anger", "b.png": "happiness"}),
        ("val", {"c.png": "sadness"}),
        ("test", {"d.png": "neutral"}),
    ],
)
def test_dataset(my_faces, split, expected):
    samples = load_samples("my-faces", my_faces, split)
    assert by_name(samples) == expected
    assert samples.read(0).shape == (48, 48, 3)


@pytest.mark.parametrize("row", ["b.png,train,bored", "b.png,holdout,sad"])
def test_a_damaged_list_names_its_line(my_faces, row):
    write_text(my_faces / "labels.csv", "file,split,emotion", ROWS[0], row)
    with pytest.raises(ValueError, match="labels.csv, line 3: unknown emotion"):
        load_samples("my-faces", my_faces, "train")


def test_commands_know_the_dataset(my_faces, capsys):
    assert main(["check-data", "my-faces", str(my_faces)]) == 1  # some classes have no image
    assert "    angry -> anger, e.g. a.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "check",
    [
        test_sinks.test_rows_come_back,
        test_sinks.test_results_are_never_lost_by_mistake,
        test_sinks.test_two_runs_do_not_write_to_one_file,
        test_resuming.test_names_that_are_not_unicode_are_not_repeated,
        test_resuming.test_what_could_not_be_read_can_be_tried_again,
        test_resuming.test_rows_of_other_weights_are_not_mixed,
    ],
)
def test_format(tmp_path, sqlite, check):
    check(tmp_path, sqlite)


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\0" + bytes(100)])
def test_a_foreign_file_is_left_alone(tmp_path, sqlite, content):
    test_resuming.test_a_foreign_file_is_left_alone(tmp_path, sqlite, content)


def test_predict_knows_the_format(tiny_checkpoint, tmp_path, sqlite, capsys):
    make_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    make_image(tmp_path / "c.png")
    out = tmp_path / "faces.sqlite"
    command = ["predict", str(tmp_path), "--weights", str(tiny_checkpoint), "--detector", "none", "--out", str(out)]
    assert main(command) == 1
    rows = read(out)
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]
    assert main([*command, "--resume"]) == 1 and read(out) == rows
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert ".parquet, .sqlite" in " ".join(capsys.readouterr().out.split())
