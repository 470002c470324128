"""Metrics of valence and arousal against others' formulas."""

import json

import numpy as np
import pandas
import pytest
import torch

from conftest import make_va_shards
from fer.cli import main
from fer.data import load_samples
from fer.evaluation.affect import concordance, format_va, measure_va_intervals, summarize_va
from fer.models.checkpoint import load_checkpoint
from fer.models.inputs import to_input

rng = np.random.default_rng(0)


def pearson_form(x: np.ndarray, y: np.ndarray) -> float:
    """As in EmoNet's code (Toisoul et al. 2021), by the correlation coefficient."""
    scale = 2 * np.corrcoef(x, y)[0, 1] * np.std(x) * np.std(y)
    return scale / (np.std(x) ** 2 + np.std(y) ** 2 + (np.mean(x) - np.mean(y)) ** 2)


Y = rng.uniform(-1, 1, 50)


@pytest.mark.parametrize("x", [rng.uniform(-1, 1, 50), 0.5 * Y, Y + 0.3, -Y, Y + rng.normal(0, 0.1, 50)])
def test_concordance(x):
    assert concordance(x, Y) == pytest.approx(pearson_form(x, Y))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (Y, Y, 1.0),
        (np.zeros(3), np.array([1.0, 0, -1]), 0.0),  # a constant says nothing
        (np.ones(3), np.ones(3), 0.0),
        (np.array([0.0, 1]), np.array([0.0, 0.5]), 0.25 / 0.375),  # 2 * 0.125 / (0.25 + 0.0625 + 0.0625)
    ],
)
def test_concordance_of_some(x, y, expected):
    assert concordance(x, y) == pytest.approx(expected)


def test_the_figures():
    va = np.array([[0.5, 0.1], [-0.5, 0.2], [0.9, 0.9], [0.1, -0.3]])
    targets = np.array([[0.7, -0.1], [-0.1, 0.2], [np.nan, 0.5], [-0.1, -0.7]])
    figures = summarize_va(va, targets)
    x, y = va[[0, 1, 3]], targets[[0, 1, 3]]  # the third is not known
    assert figures["n_va"] == 3
    assert figures["valence_rmse"] == pytest.approx(np.sqrt((0.04 + 0.16 + 0.04) / 3))
    assert figures["arousal_rmse"] == pytest.approx(np.sqrt((0.04 + 0 + 0.16) / 3))
    assert (figures["valence_sagr"], figures["arousal_sagr"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert figures["arousal_ccc"] == pytest.approx(pearson_form(x[:, 1], y[:, 1]))
    lines = [line.split() for line in format_va(figures)]
    assert lines[0][-1] == "3)" and lines[1] == ["valence", "0.757", "0.283", "66.67%"] and lines[2][0] == "arousal"


@pytest.mark.parametrize(
    ("va", "targets"),
    [
        (None, np.zeros((3, 2))),  # the network does not give them
        (np.zeros((3, 2)), None),  # the data do not have them
        (np.zeros((3, 2)), np.array([[0, 0], [np.nan, 0], [0, np.nan]])),  # one image is known
        (np.zeros((0, 2)), np.zeros((0, 2))),
    ],
)
def test_nothing_is_known(va, targets):
    assert summarize_va(va, targets) == measure_va_intervals(va, targets) == {}
    assert format_va({}) == []


def test_intervals_hold_the_figures():
    targets = rng.uniform(-1, 1, (60, 2))
    va = np.clip(targets + rng.normal(0, 0.3, (60, 2)), -1, 1)
    targets[:10] = np.nan
    figures, intervals = summarize_va(va, targets), measure_va_intervals(va, targets)
    assert intervals.keys() == figures.keys() - {"n_va"} and figures["n_va"] == 50
    for name, interval in intervals.items():
        assert figures[name] in interval and interval.low < interval.high


def test_an_evaluation_has_them_everywhere(va_checkpoint, tmp_path, capsys):
    """The figures are those of the network image by image; in metrics.json, the summary, the report and the tables."""
    data, out = make_va_shards(tmp_path / "data", {"val": 24}, unknown=3), tmp_path / "out"
    command = ["evaluate", "--dataset", "parquet", "--data", str(data), "--split", "val", "--weights"]
    command += [str(va_checkpoint), "--device", "cpu", "--out", str(out), "--report", str(tmp_path / "report.html")]
    assert main(command) == 0
    samples, (model, description) = load_samples("parquet", data, "val"), load_checkpoint(va_checkpoint)
    with torch.no_grad():
        va = model(to_input([samples.read(i) for i in range(24)], description.preprocessing)).va.numpy()
    metrics = json.loads((out / "metrics.json").read_text())
    for name, value in summarize_va(va, samples.va).items():
        assert metrics[name] == pytest.approx(value, abs=1e-5)
    assert {"valence_ccc", "arousal_sagr"} < metrics["intervals"].keys() and metrics["n_va"] == 21
    printed, page = capsys.readouterr().out, (tmp_path / "report.html").read_text()
    assert f"{metrics['valence_ccc']:>9.3f}" in printed and "(n = 21)" in printed
    assert "<h2>Valence and arousal</h2>" in page and f"<td>{metrics['arousal_rmse']:.3f}<small>" in page
    rows = pandas.read_parquet(out / "predictions.parquet")
    np.testing.assert_allclose(rows[["valence", "arousal"]], va, atol=1e-4)
    np.testing.assert_allclose(rows[["target_valence", "target_arousal"]], samples.va, atol=1e-5)
    assert list(pandas.read_csv(out / "predictions.csv")) == list(rows)


def test_an_evaluation_without_them_says_nothing_of_them(tiny_checkpoint, tmp_path, capsys):
    data, out = make_va_shards(tmp_path / "data", {"val": 16}), tmp_path / "out"
    command = ["evaluate", "--dataset", "parquet", "--data", str(data), "--split", "val", "--weights"]
    assert main([*command, str(tiny_checkpoint), "--device", "cpu", "--out", str(out)]) == 0
    written = (out / "metrics.json").read_text() + capsys.readouterr().out
    assert "valence" not in written + (out / "predictions.csv").read_text() and '"va"' not in written
