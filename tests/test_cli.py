import re
from pathlib import Path

import pytest

import fer
from fer.cli import main

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "{tmp}", "--weights", "{tiny}"], "no image or video in"),
        (["predict", "x.jpg", "--weights", "nothing"], "no weights 'nothing'"),
        (
            ["predict", "x.jpg", "--weights", "{tiny}", "--detector", "none", "--out", "faces.xml"],
            "ends with .csv, .jsonl, .parquet",
        ),
        (
            ["predict", "x.jpg", "--weights", "{tiny}", "--detector-weights", "gone.onnx"],
            "gone.onnx: no such detector model",
        ),
        (["train", "--recipe", "nothing"], "known recipes"),
        (["train", "--out", "x"], "--data"),
        (
            ["evaluate", "--dataset", "ferplus", "--data", "{tmp}", "--out", "x", "--weights", "{tiny}"],
            "no FER\\+ here",
        ),
        (["measure-template", "ferplus", "{tmp}", "--detector-weights", "x"], "no FER\\+ here"),
        (["predict", "", "--weights", "{tiny}"], "an empty path"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, message, tiny_checkpoint, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    filled = [a.format(tmp=tmp_path / "empty", tiny=tiny_checkpoint) for a in arguments]
    assert main(filled) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert re.search(message, err)


def test_the_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"dan-fer {fer.__version__}\n"


def test_usage_errors_have_status_2():
    with pytest.raises(SystemExit) as error:
        main(["predict", "--nonsense"])
    assert error.value.code == 2
