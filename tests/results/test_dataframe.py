"""A table in memory has the rows and columns of a written one."""

import builtins
from dataclasses import replace

import numpy as np
import pandas
import pytest

import fer
from fer.faces.quality import Quality
from fer.results.rows import COLUMNS, to_rows
from fer.results.sinks import open_sink
from fer.results.types import Face, ImageResult

SEVEN = {name: 1 / 7 for name in fer.EMOTIONS if name != "contempt"}
QUALITY = Quality(2, 1.5, 0.25, float("nan"), 3, 4)
PROBS = {"neutral": 0.25, "anger": 0.75}
FACE = Face(np.array([1, 2, 3, 4.56]), None, float("nan"), PROBS, "too dark", False, quality=QUALITY)
TRACKED = Face(np.array([1, 2, 3, 4]), None, 0.9, {"neutral": 0.75, "anger": 0.25}, "", False, track=3)
RESULTS = [
    ImageResult("wall é 😀.jpg", []),
    ImageResult("two.jpg", [FACE, FACE]),
    ImageResult("gone.jpg", [], "no such file"),
    ImageResult("clip.mp4", [TRACKED], frame=7, time=0.28),
]


@pytest.mark.parametrize(
    ("results", "classes", "emotions"),
    [
        ([], None, fer.EMOTIONS),
        ([], ("neutral", "anger"), ("neutral", "anger")),
        (RESULTS[:1], None, fer.EMOTIONS),  # no face tells the classes
        (RESULTS, None, ("neutral", "anger")),
        ([ImageResult("x.jpg", [Face(np.zeros(4), None, 0.9, SEVEN, "", False)])], None, tuple(SEVEN)),
        (iter(RESULTS), None, ("neutral", "anger")),  # as predict_paths gives them
    ],
)
def test_columns_and_their_types(results, classes, emotions):
    table = fer.to_dataframe(results, classes)
    assert list(table) == [*COLUMNS, *emotions]
    kinds = dict.fromkeys(("path", "status", "error", "detector", "label", "unsure"), "string")
    kinds["aligned"] = "boolean"
    kinds |= dict.fromkeys(("frame", "face", "track"), "Int64")
    assert {name: str(table[name].dtype) for name in table} == {n: kinds.get(n, "float64") for n in table}


def test_valence_and_arousal_have_columns_if_a_face_has_them():
    with_va = ImageResult("a.jpg", [replace(FACE, valence=0.5, arousal=-0.25)])
    table = fer.to_dataframe([RESULTS[0], with_va])
    assert list(table) == [*COLUMNS, *PROBS, "valence", "arousal"]
    assert table["valence"].isna().tolist() == [True, False] and table["arousal"][1] == -0.25
    assert str(table["arousal"].dtype) == "float64"


@pytest.mark.parametrize(
    ("suffix", "read"),
    [
        (".csv", pandas.read_csv),
        (".parquet", pandas.read_parquet),
        (".jsonl", lambda path: pandas.read_json(path, lines=True, convert_axes=False)),
    ],
)
def test_rows_are_those_of_the_files(tmp_path, suffix, read):
    with open_sink(tmp_path / f"x{suffix}", ("neutral", "anger")) as sink:
        for result in RESULTS:
            sink.write(to_rows(result))
    table = fer.to_dataframe(RESULTS)
    kinds = table.dtypes.to_dict()
    pandas.testing.assert_frame_equal(read(tmp_path / f"x{suffix}").astype(kinds), table)
    assert table["face"].tolist()[1:3] == [0, 1] and table["face"].isna().tolist() == [True, False, False, True, False]
    assert table.loc[4, ["frame", "track", "label"]].tolist() == [7, 3, "neutral"]
    assert table["unsure"].fillna("").tolist() == ["", "too dark", "too dark", "", ""]
    assert table.loc[1, ["size", "sharpness", "brightness", "pitch"]].tolist() == [2, 1.5, 0.25, 3]
    assert table["yaw"].isna().all()


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    def refuse(name, *arguments, real=builtins.__import__, **named):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        fer.to_dataframe([])


def test_an_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fer.nothing
