"""fer evaluate: the figures and pictures of a run."""

import json

import pandas
import pytest

from conftest import make_ferplus
from fer.cli import main
from fer.evaluation.corruptions import CORRUPTIONS
from fer.io.images import read_image, write_image


def test_train_then_evaluate(tmp_path, capsys):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 16, "FER2013Valid": 16, "FER2013Test": 8})
    write_image(data / "FER2013Test" / "fer0000001.png", read_image(data / "FER2013Train" / "fer0000001.png"))
    run = tmp_path / "run"
    small = "--epochs=1 --batch-size=8 --input-size=32 --num-heads=1 --workers=0 --device=cpu --no-amp"
    small += " --template 0.31 0.39 0.69 0.39 0.5 0.6 0.35 0.76 0.65 0.76"  # measuring it would download a detector
    assert main(["train", "--data", str(data), "--out", str(run), *small.split()]) == 0
    assert "best epoch 1: validation accuracy" in capsys.readouterr().out

    alone = tmp_path / "alone"
    alone.mkdir()
    (data / "FER2013Test").rename(alone / "FER2013Test")
    arguments = ["evaluate", "--dataset", "ferplus", "--weights", str(run / "best.safetensors"), "--data", str(alone)]
    assert main([*arguments, "--out", str(tmp_path / "eval")]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["rule"], metrics["accuracy_without_duplicates"]) == (8, "majority", None)
    for picture in ("confusion.png", "reliability.png", "attention.png"):
        assert read_image(tmp_path / "eval" / picture).shape[2] == 3

    assert main([*arguments, "--out", str(tmp_path / "eval"), "--duplicates-of", str(data), "--flip"]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["n_without_duplicates"], metrics["flip"]) == (8, 7, True)
    assert "without duplicates" in capsys.readouterr().out


@pytest.fixture
def call(tmp_path, tiny_checkpoint, monkeypatch):
    """Call `fer evaluate` on 24 validation images, with more arguments."""
    data = make_ferplus(tmp_path / "data", {"FER2013Valid": 24})
    monkeypatch.chdir(tmp_path)
    arguments = ["evaluate", "--dataset", "ferplus", "--data", str(data), "--split", "val", "--out", "out"]
    return lambda *more: main([*arguments, "--weights", str(tiny_checkpoint), *more])


def test_predictions_and_page(call, tmp_path, capsys):
    assert call("--report", "page/report.html") == 0
    assert "written: page/report.html" in capsys.readouterr().out
    assert "<h2>Confusion matrix</h2>" in (tmp_path / "page" / "report.html").read_text()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    rows = pandas.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert rows["correct"].mean() == pytest.approx(metrics["accuracy"])
    assert len(rows) == 24 and "comparison" not in metrics and "groups" not in metrics
    assert 0 < metrics["voter_accuracy"] <= 1


def test_a_network_compared_with_itself_and_with_a_file(call, tmp_path, tiny_checkpoint, capsys):
    assert call("--compare", str(tiny_checkpoint)) == 0
    assert "0 labels differ" in capsys.readouterr().out
    comparison = json.loads((tmp_path / "out" / "metrics.json").read_text())["comparison"]
    assert (comparison["n"], comparison["figures"]["accuracy"]["difference"], comparison["p_value"]) == (24, 0, 1)
    rows = pandas.read_csv(tmp_path / "out" / "predictions.csv")
    peer = pandas.DataFrame({"path": "/elsewhere/" + rows["image"], "label": rows["target"]})
    peer[:20].to_csv(tmp_path / "peer.csv", index=False)
    assert call("--compare", "peer.csv") == 0
    comparison = json.loads((tmp_path / "out" / "metrics.json").read_text())["comparison"]
    assert (comparison["n"], comparison["without_row"], comparison["only_first_correct"]) == (20, 4, 0)
    assert comparison["figures"]["accuracy"]["second"] == 1
    assert "compared with peer.csv on 20 images; 4 have no row there" in capsys.readouterr().out


def test_groups(call, tmp_path, capsys):
    names = [f"fer{i:07d}.png" for i in range(24)]
    table = pandas.DataFrame({"path": names, "light": ["day"] * 12 + ["night"] * 12})
    table.to_csv(tmp_path / "data" / "metadata.csv", index=False)
    assert call("--by", "light") == 0
    (grouping,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["groups"]
    assert [(g["name"], g["n"]) for g in grouping["groups"]] == [("day", 12), ("night", 12)]
    assert "by light" in capsys.readouterr().out
    table.to_csv(tmp_path / "other.csv", index=False)
    assert call("--by", "light", "--metadata", "other.csv") == 0
    capsys.readouterr()
    assert call("--by", "age") == 2
    assert "metadata.csv: expected the column age; the columns are path, light" in capsys.readouterr().err


def test_robustness(call, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fer.evaluation.robustness.CORRUPTIONS", CORRUPTIONS[:2])
    assert call("--robustness", "--report", "report.html") == 0
    rows = json.loads((tmp_path / "out" / "robustness.json").read_text())["rows"]
    assert [(r["corruption"], r["strength"]) for r in rows][:2] == [("none", 0), ("blur", 0.02)] and len(rows) == 7
    assert read_image(tmp_path / "out" / "robustness.png").shape[2] == 3
    out = capsys.readouterr().out
    assert out.count("corruption  ") == 1 and f"{rows[6]['accuracy']:.2%}" in out
    assert "Robustness</h2>" in (tmp_path / "report.html").read_text()
