"""Rows that survive: what was written before a kill is kept, what was half written is done again."""

import os
from dataclasses import replace

import numpy as np
import pytest

from fer.io.locks import LockedError
from fer.results.rows import COLUMNS, to_rows
from fer.results.sinks import SINKS, open_sink
from fer.results.types import Face, ImageResult
from outcomes import EMOTIONS, RESULTS, read, result, stored, write


@pytest.mark.parametrize("suffix", SINKS)
def test_rows_come_back(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS)
    rows = read(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert list(rows[0]) == [*COLUMNS, *EMOTIONS]
    names = [r.path for r in RESULTS for _ in range(max(1, len(r.faces)))]
    assert [row["path"] for row in rows] == [stored(name, suffix) for name in names]
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["no_face", "error"] + ["ok"] * 2
    assert rows[6]["error"] == "not an image file"
    assert (float(rows[0]["y2"]), float(rows[0]["anger"]), rows[0]["label"]) == (4.6, 0.75, "anger")
    assert rows[0]["detection_score"] in ("", None)


VA = (*EMOTIONS, "valence", "arousal")


def with_va(results: list[ImageResult]) -> list[ImageResult]:
    """Their faces with valence and arousal."""
    return [replace(r, faces=[replace(f, valence=0.5, arousal=-0.25) for f in r.faces]) for r in results]


@pytest.mark.parametrize("suffix", SINKS)
def test_valence_and_arousal_are_columns_where_the_network_gives_them(tmp_path, suffix):
    """The same rows after an interruption; a file with other columns is refused and stays as it is."""
    path, results = tmp_path / f"x{suffix}", with_va(RESULTS)
    for some, resume in ((results[:3], False), (results, True)):
        with open_sink(path, VA, resume) as sink:
            for r in some:
                if not sink.has(r.path):
                    sink.write(to_rows(r))
    rows = read(path)
    assert list(rows[0]) == [*COLUMNS, *VA]
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["no_face", "error"] + ["ok"] * 2
    assert [float(rows[0][name]) for name in VA[-2:]] == [0.5, -0.25]
    assert rows[5]["valence"] in ("", None)
    written = path.read_bytes()
    with pytest.raises(ValueError, match=f"has other columns .*{', '.join(VA)}.* than these weights give"):
        write(path, RESULTS, resume=True)
    assert path.read_bytes() == written
    write(path, RESULTS, overwrite=True)
    with pytest.raises(ValueError, match="has other columns"), open_sink(path, VA, resume=True):
        pass


def test_the_terminal_shows_valence_and_arousal(capsys):
    with open_sink(None, VA) as sink:
        for r in with_va(RESULTS[:1]):
            sink.write(to_rows(r))
    head, line, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["image", "face", "emotion", "confidence", "valence", "arousal", "box", "unsure"]
    assert line[head.index("valence") :].split()[:2] == ["+0.50", "-0.25"]


@pytest.mark.parametrize("suffix", SINKS)
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
    SINKS[suffix].journal_of(path).touch()  # what a killed run leaves
    with pytest.raises(ValueError, match="holds results|was begun, and not finished"):
        write(path, RESULTS)


@pytest.mark.parametrize("suffix", SINKS)
def test_two_runs_do_not_write_to_one_file(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    with open_sink(path, EMOTIONS) as sink:
        sink.write(to_rows(RESULTS[0]))
        with pytest.raises(LockedError, match=rf"is being written by process {os.getpid()} on .*; wait for its end"):
            write(path, RESULTS, resume=True)
    write(path, RESULTS, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert len(read(path)) == sum(max(1, len(r.faces)) for r in RESULTS)


@pytest.mark.parametrize(
    ("name", "resume", "message"),
    [("x.txt", False, f"expected a name that ends with {', '.join(SINKS)}"), (None, True, "name it by --out")],
)
def test_wrong_outputs(tmp_path, name, resume, message):
    with pytest.raises(ValueError, match=message), open_sink(name and tmp_path / name, EMOTIONS, resume):
        pass


def test_the_terminal_gets_a_line_per_track(capsys):
    """By hand: shares of emotions; frames without a face in one line; errors as they come."""

    def frame(number: int, *faces: tuple) -> ImageResult:
        found = [
            replace(
                Face(np.zeros(4), None, 0.9, {"neutral": 1 - anger, "anger": anger}, "", False, track),
                unsure="too dark" if anger == 0.5 else "",
            )
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
        ImageResult("b.jpg", [replace(result("b.jpg", 1).faces[0], unsure="turned away")]),
        ImageResult("x.parquet", [], frame=0),  # a row of a table is an image
        ImageResult("last.mp4", [], frame=0, time=0.0),
    ]
    with open_sink(None, EMOTIONS) as sink:
        for r in results:
            sink.write(to_rows(r))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "image face emotion confidence box unsure",
        "a.jpg 0 anger 75% 1 2 3 5",
        "clip.mp4 - damaged",
        "clip.mp4 no track 1 frames anger 100%",
        "clip.mp4 track 0 4 frames anger 75%, unsure (too dark) 25%",
        "clip.mp4 track 1 3 frames neutral 100%",
        "clip.mp4 no face 4 frames",
        "b.jpg 0 anger 75% 1 2 3 5 turned away",
        "x.parquet - no face found",
        "last.mp4 no face 1 frames",
    ]
