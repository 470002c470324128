"""Rows that survive: what was written before a kill is kept, what was half written is done again."""

import csv
import json

import numpy as np
import pyarrow.parquet
import pytest

from fer.inference.results import Face, ImageResult
from fer.inference.sinks import COLUMNS, Tally, open_sink, to_rows

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


def write(path, results, resume: bool = False) -> set[str]:
    with open_sink(path, EMOTIONS, resume) as sink:
        done = set(sink.done)
        for r in results:
            if r.path not in done:
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
def test_without_resume_a_file_is_written_anew(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS)
    write(path, RESULTS[:1])
    assert len(read(path)) == 2


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
    assert tally.describe() == "0 files, 0 faces, 0 without a face, 0 could not be read\nfaces: none"
    for r in RESULTS:
        tally.add(r)
    told = tally.describe(before=7).splitlines()
    assert told[0] == "5 files (and 7 before), 7 faces, 1 without a face, 1 could not be read"
    assert told[1:] == ["faces: anger 7", "not read: 1 not an image file"]


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
