"""Rows that survive: what was written before a kill is kept, what was half written is done again."""

import csv
import json
import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow.parquet
import pytest

from fer.io.locks import LockedError
from fer.results.rows import COLUMNS, to_rows
from fer.results.sinks import journal_of, open_sink, to_unicode
from fer.results.tally import Tally
from fer.results.types import Face, ImageResult

EMOTIONS = ("neutral", "anger")


def result(path: str, faces: int, error: str = "") -> ImageResult:
    face = Face(np.array([1, 2, 3, 4.56]), None, float("nan"), {"neutral": 0.25, "anger": 0.75}, False, False)
    return ImageResult(path, [face] * faces, error)


# Names that tables get wrong: commas, quotes, line ends, no Unicode.
RESULTS = [
    result("a.jpg", 2),
    result('b, "c"\nd\r\n.jpg', 3),
    result("é 😀.jpg", 0),
    result("bad\udcff.jpg", 0, "not an image file"),
    result("last.jpg", 2),
]


def write(path, results, resume: bool = False, **options) -> set[str]:
    with open_sink(path, EMOTIONS, resume, **options) as sink:
        done = set(sink.done)
        for r in results:
            if not sink.has(r.path):
                sink.write(to_rows(r))
    return done


def read(path) -> list[dict]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [json.loads(line) for line in file] if path.suffix == ".jsonl" else list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_come_back(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS)
    rows = read(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert list(rows[0]) == [*COLUMNS, *EMOTIONS]
    names = [r.path for r in RESULTS for _ in range(max(1, len(r.faces)))]
    if suffix == ".parquet":  # which holds Unicode only
        names = [name.replace("\udcff", "\\udcff") for name in names]
    assert [row["path"] for row in rows] == names
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["no_face", "error"] + ["ok"] * 2
    assert rows[6]["error"] == "not an image file"
    assert (float(rows[0]["y2"]), float(rows[0]["anger"]), rows[0]["label"]) == (4.6, 0.75, "anger")
    assert rows[0]["detection_score"] in ("", None)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_cut_anywhere_is_completed_to_the_same_file(tmp_path, suffix):
    """Whatever a kill leaves of the file, going on ends with the rows of the uninterrupted run."""
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"x{suffix}"
    write(whole, RESULTS)
    everything = whole.read_bytes()
    for length in range(len(everything) + 1):
        path.write_bytes(everything[:length])
        done = write(path, RESULTS, resume=True)
        assert path.read_bytes() == everything, length
    assert done == {r.path for r in RESULTS[:-1]}  # a whole file loses its last path only


def test_parquet_goes_on_from_what_a_killed_run_leaves(tmp_path):
    whole, path, journal = tmp_path / "whole.parquet", tmp_path / "x.parquet", tmp_path / ".x.parquet.rows.jsonl"
    write(whole, RESULTS)
    write(tmp_path / "rows.jsonl", RESULTS)
    journal.write_bytes((tmp_path / "rows.jsonl").read_bytes()[:-30])  # killed: a journal and no table
    assert write(path, RESULTS, resume=True) == {r.path for r in RESULTS[:-1]}
    assert read(path) == read(whole) and not journal.exists()


def test_a_finished_parquet_file_takes_more(tmp_path):
    path, whole = tmp_path / "x.parquet", tmp_path / "whole.parquet"
    some = [r for r in RESULTS if "\udcff" not in r.path]
    write(whole, some)
    write(path, some[:2])
    assert write(path, some, resume=True) == {some[0].path}
    assert read(path) == read(whole)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_results_are_never_lost_by_mistake(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds results: add --resume to go on with it, or --overwrite"):
        write(path, RESULTS[:1])
    assert path.read_bytes() == before
    write(path, RESULTS[:1], overwrite=True)
    assert len(read(path)) == 2
    path.unlink()
    journal_of(path).touch()  # what a killed run leaves of a Parquet file
    with pytest.raises(ValueError, match="was begun, and not finished"):
        write(path, RESULTS)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_names_that_are_not_unicode_are_not_repeated(tmp_path, suffix):
    path, whole = tmp_path / f"x{suffix}", tmp_path / f"whole{suffix}"
    write(whole, RESULTS)
    write(path, RESULTS)
    write(path, RESULTS, resume=True)
    assert read(path) == read(whole)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_could_not_be_read_can_be_tried_again(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    clip = replace(result("clip.mp4", 1), frame=0), replace(result("clip.mp4", 0, "damaged"), frame=1)
    write(path, [result("a.jpg", 0, "no such file"), *clip, *RESULTS])
    with open_sink(path, EMOTIONS, True) as sink:
        assert sink.failed == {
            "a.jpg",
            "clip.mp4",
            to_unicode("bad\udcff.jpg") if suffix == ".parquet" else "bad\udcff.jpg",
        }
    again = [result("a.jpg", 1), result("clip.mp4", 2), result("bad\udcff.jpg", 3)]
    with open_sink(path, EMOTIONS, True, retry=True) as sink:
        assert not sink.failed and not any(sink.has(r.path) for r in again)
        for r in [*again, RESULTS[-1]]:
            sink.write(to_rows(r))
    counts = Counter(row["path"] for row in read(path))
    expected = {r.path: max(1, len(r.faces)) for r in [*RESULTS, *again]}
    assert counts == {(to_unicode(p) if suffix == ".parquet" else p): n for p, n in expected.items()}
    assert not any(row["status"] == "error" for row in read(path))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "content",
    [
        b"hello",  # no whole line
        b"hello, I am\na text\n",
        b'{"a": 1}\n',
        b"17\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        ",".join([*COLUMNS, *EMOTIONS]).encode() + b"\r\nx.jpg\r\n",  # a row that ends early
        json.dumps(dict.fromkeys([*COLUMNS, *EMOTIONS])).encode() + b"\n[1]\n",
    ],
)
def test_a_foreign_file_is_left_alone(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not hold rows of fer predict"):
        write(path, RESULTS, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_two_runs_do_not_write_to_one_file(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    with open_sink(path, EMOTIONS) as sink:
        sink.write(to_rows(RESULTS[0]))
        with pytest.raises(LockedError, match=rf"is being written by process {os.getpid()} on .*; wait for its end"):
            write(path, RESULTS, resume=True)
    write(path, RESULTS, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert len(read(path)) == sum(max(1, len(r.faces)) for r in RESULTS)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_of_other_weights_are_not_mixed(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS[:1])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="other columns .neutral, anger."), open_sink(path, ("joy",), True):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "resume", "message"),
    [("x.txt", False, "expected a name that ends with .csv, .jsonl, .parquet"), (None, True, "name it by --out")],
)
def test_wrong_outputs(tmp_path, name, resume, message):
    with pytest.raises(ValueError, match=message), open_sink(name and tmp_path / name, EMOTIONS, resume):
        pass


def test_the_tally_counts_all():
    tally = Tally()
    assert tally.describe() == ["0 files, 0 faces, 0 without a face, 0 could not be read", "faces: none"]
    for r in RESULTS:
        tally.add(r)
    tally.begin(7, 2)
    told = tally.describe()
    assert told[0] == "5 files (and 7 before), 7 faces, 1 without a face, 1 could not be read"
    assert told[1:] == [
        "faces: anger 7",
        "not read before: 2; --retry-errors does them again",
        "not read: 1 not an image file",
    ]


def test_the_terminal_gets_a_line_per_track(capsys):
    """By hand: shares of emotions; frames without a face in one line; errors as they come."""

    def frame(number: int, *faces: tuple) -> ImageResult:
        found = [
            Face(np.zeros(4), None, 0.9, {"neutral": 1 - anger, "anger": anger}, anger == 0.5, False, track)
            for track, anger in faces
        ]
        return ImageResult("clip.mp4", found, frame=number, time=number / 10)

    results = [
        result("a.jpg", 1),
        frame(0, (None, 0.9)),
        *(frame(n, (0, 0.9), (1, 0.1)) for n in range(1, 4)),
        frame(4, (0, 0.5)),
        *(frame(n) for n in range(5, 9)),
        ImageResult("clip.mp4", [], "damaged"),
        result("b.jpg", 1),
        ImageResult("x.parquet", [], frame=0),  # a row of a table is an image
        ImageResult("last.mp4", [], frame=0, time=0.0),
    ]
    with open_sink(None, EMOTIONS) as sink:
        for r in results:
            sink.write(to_rows(r))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "image face emotion confidence box",
        "a.jpg 0 anger 75% 1 2 3 5",
        "clip.mp4 - damaged",
        "clip.mp4 no track 1 frames anger 100%",
        "clip.mp4 track 0 4 frames anger 75%, unsure 25%",
        "clip.mp4 track 1 3 frames neutral 100%",
        "clip.mp4 no face 4 frames",
        "b.jpg 0 anger 75% 1 2 3 5",
        "x.parquet - no face found",
        "last.mp4 no face 1 frames",
    ]
