"""The faithfulness of a checkpoint: fer evaluate --faithfulness."""

import json
import sys

import numpy as np
import pytest

from conftest import make_ferplus
from fer.cli import main
from fer.data import load_samples
from fer.evaluation import faithfulness_report as module
from fer.evaluation.evaluate import load_subject
from fer.evaluation.faithfulness import Faithfulness
from fer.evaluation.faithfulness_report import evaluate_faithfulness
from fer.evaluation.request import EvaluationRequest
from fer.io.images import read_image
from fer.runtimes.networks import load_network, read_onnx_description

MAPS = ["all heads", "head 1", "head 2", "mean map", "random", "blob"]


@pytest.fixture
def data(tmp_path):
    return make_ferplus(tmp_path / "data", {"FER2013Valid": 12})


def test_the_command(data, tiny_graph, tmp_path, capsys, caplog):
    arguments = ["--dataset=ferplus", "--split=val", f"--data={data}", f"--weights={tiny_graph}"]
    assert main(["evaluate", *arguments, f"--out={tmp_path / 'eval'}", "--faithfulness=3"]) == 0
    out = capsys.readouterr().out
    assert "faithfulness on ferplus val, rule majority, 3 faces" in out and "deletion, blur" in out
    assert "faithfulness without Grad-CAM" in caplog.text and "expected a .safetensors file" in caplog.text
    figures = json.loads((tmp_path / "eval" / "faithfulness.json").read_text())
    assert (figures["n"], figures["rule"], figures["runtime"]) == (3, "majority", "openvino")
    assert list(figures["scores"]["insertion"]["gray"]) == MAPS
    assert figures["scores"]["deletion"]["blur"]["head 1"]["gain"].keys() == {"random", "blob"}
    assert read_image(tmp_path / "eval" / "faithfulness.png").shape[2] == 3


def test_grad_cam_joins_where_it_can(data, tiny_checkpoint, monkeypatch):
    pytest.importorskip("pytorch_grad_cam")
    request = EvaluationRequest(tiny_checkpoint, "ferplus", data, "val", device="cpu", batch_size=5)
    subject = load_subject(request)
    assert list(evaluate_faithfulness(subject, 7).faithfulness.scores["deletion"]["blur"])[4:] == [
        "Grad-CAM",
        *MAPS[4:],
    ]
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    assert list(evaluate_faithfulness(subject, 2).faithfulness.scores["deletion"]["blur"]) == MAPS


def test_what_is_measured(data, tiny_graph, monkeypatch):
    """The crops of a sample drawn by the seed, their maps, and the network's calibrated probabilities."""
    seen = []

    def measure(probe, crops, maps, grid, seed):
        assert list(grid) == read_onnx_description(tiny_graph).grid
        seen.append((crops, maps, probe(crops)))
        return Faithfulness(len(crops), 8, seed, {})

    monkeypatch.setattr(module, "measure_faithfulness", measure)
    subject = load_subject(EvaluationRequest(tiny_graph, "ferplus", data, "val", batch_size=4))
    for seed, faces in ((0, 5), (0, 5), (1, 5), (0, 100)):
        evaluate_faithfulness(subject, faces, seed)
    (crops, maps, probs), again, other, all_of_them = seen
    np.testing.assert_array_equal(crops, again[0])
    assert not np.array_equal(crops, other[0])
    assert [len(s[0]) for s in seen] == [5, 5, 5, 12]
    whole = load_samples("ferplus", data, "val")
    network, description = load_network(tiny_graph)
    expected = np.stack([description.preprocessing.prepare(whole.read(i)) for i in range(12)])
    np.testing.assert_array_equal(all_of_them[0], expected)
    logits, attention, *_ = network(crops)
    np.testing.assert_allclose(probs, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(maps["head 2"], attention[:, 1], rtol=1e-4)
    np.testing.assert_allclose(maps["mean map"], [maps["all heads"].mean(0)] * 5, rtol=1e-5)
