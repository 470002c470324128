"""fer publish: a checkpoint with its terms, figures and calibration."""

import json
from dataclasses import replace

import numpy as np
import pytest

from conftest import make_ferplus
from fake_detector import FakeDetector
from fer.cli import main
from fer.evaluation import evaluate, publish
from fer.evaluation.evaluate import evaluate_checkpoint, predict_split
from fer.evaluation.request import EvaluationRequest
from fer.inference.recognizer import EmotionRecognizer
from fer.models.checkpoint import load_checkpoint, read_description, save_checkpoint
from fer.prior import parse_prior


@pytest.mark.parametrize(("trained_on", "asked"), [("ferplus", []), ("parquet", ["--dataset", "ferplus"])])
def test_publish_stores_the_figures_of_the_stored_file(tmp_path, tiny_checkpoint, capsys, trained_on, asked):
    data = make_ferplus(tmp_path / "data", {"FER2013Valid": 16})
    model, description = load_checkpoint(tiny_checkpoint)
    description.dataset = trained_on
    description.recipe = {"data": "/home/me/data", "init_weights": "/home/me/runs/a/best.safetensors", "epochs": 3}
    save_checkpoint(tmp_path / "best.safetensors", model, description)
    out = tmp_path / "shipped.safetensors"
    terms = ["--data", str(data), "--licence", "research only", "--device", "cpu", *asked]
    assert main(["publish", str(tmp_path / "best.safetensors"), "--out", str(out), *terms]) == 0
    shipped = read_description(out)
    assert (shipped.licence, shipped.dataset) == ("research only", "ferplus")
    assert shipped.recipe == {"init_weights": "a/best.safetensors", "epochs": 3}  # nothing about this machine
    calibration = shipped.metrics.pop("calibration")
    figures = evaluate_checkpoint(EvaluationRequest(out, "ferplus", data, "val", device="cpu")).to_dict()
    assert shipped.metrics == figures | {"epoch": None}
    assert calibration["n"] == 16 and figures["expected_calibration_error"] <= calibration["error_before"] + 0.1
    assert (shipped.temperature, shipped.unsure_below) == (figures["temperature"], figures["unsure_below"])
    assert shipped.temperature != 1.0
    assert f"{out.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out

    kept = out.read_bytes()
    terms[1] = str(tmp_path / "nowhere")  # no data there: the shipped file stays
    assert main(["publish", str(tmp_path / "best.safetensors"), "--out", str(out), *terms]) == 2
    assert out.read_bytes() == kept


@pytest.mark.parametrize("out", ["file/shipped.safetensors", "folder.safetensors", "shipped.pt"])
def test_publish_says_before_the_work_where_it_cannot_write(tmp_path, tiny_checkpoint, capsys, monkeypatch, out):
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    monkeypatch.setattr(publish, "predict_split", lambda *_, **__: pytest.fail("work was done"))
    command = ["publish", str(tiny_checkpoint), "--data", str(tmp_path), "--dataset", "ferplus", "--licence", "mine"]
    assert main([*command, "--out", str(tmp_path / out)]) == 2
    assert str(tmp_path / out.split("/")[0]) in capsys.readouterr().err


def test_publish_with_a_second_crop_calibrates_on_found_faces(tmp_path, tiny_checkpoint, monkeypatch):
    data, asked = make_ferplus(tmp_path / "data", {"FER2013Valid": 16}), []
    monkeypatch.setattr(evaluate, "create_detector", lambda *names: asked.append(names) or FakeDetector())
    out = tmp_path / "shipped.safetensors"
    command = ["publish", str(tiny_checkpoint), "--dataset", "ferplus", "--data", str(data), "--licence", "mine"]
    assert main([*command, "--out", str(out), "--second-crop", "--detector-weights", "yunet.onnx"]) == 0
    assert asked == [("yunet", "yunet.onnx")]
    shipped = read_description(out)
    assert shipped.second_crop and shipped.metrics["detector"] == "fake" and shipped.limits == {}


def test_publish_stores_measured_limits(tmp_path, tiny_checkpoint, capsys):
    data, limits = make_ferplus(tmp_path / "data", {"FER2013Valid": 16}), {"size": 24.5, "sharpness": 0.4}
    file, out = tmp_path / "robustness.json", tmp_path / "shipped.safetensors"
    command = ["publish", str(tiny_checkpoint), "--dataset", "ferplus", "--data", str(data), "--licence", "mine"]
    command += ["--out", str(out), "--robustness", str(file)]
    file.write_text(json.dumps({"rows": [], "limits": limits}))
    assert main(command) == 0
    assert read_description(out).limits == limits
    for text in (None, "{", "[]", '{"limits": {"age": 3.0}}', '{"limits": {"size": "small"}}'):
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        assert main(command) == 2
        message = "No such file" if text is None else "expected robustness.json, as fer evaluate --robustness writes it"
        assert f"robustness.json: {message}" in capsys.readouterr().err


def test_publish_stores_the_prior_of_prediction(tmp_path, tiny_checkpoint, capsys):
    data, out = make_ferplus(tmp_path / "data", {"FER2013Valid": 16}), tmp_path / "shipped.safetensors"
    model, description = load_checkpoint(tiny_checkpoint)
    description.class_shares = {name: (i + 1) / 36 for i, name in enumerate(description.classes)}
    save_checkpoint(tmp_path / "best.safetensors", model, description)
    command = ["publish", str(tmp_path / "best.safetensors"), "--dataset", "ferplus", "--data", str(data)]
    command += ["--out", str(out), "--licence", "mine", "--device", "cpu", "--prior"]
    for prior in ("mix.json", "even:2"):
        assert main([*command, prior]) == 2
        assert f"--prior {prior}: a checkpoint can hold trained, even or even:STRENGTH" in capsys.readouterr().err
    assert main([*command, "even:0.25"]) == 0
    shipped = read_description(out)
    assert (shipped.prior, shipped.metrics["prior"]) == ("even:0.25", "trained")
    recognizer = EmotionRecognizer.from_pretrained(out, detector="none", device="cpu")
    np.testing.assert_array_equal(recognizer.classifier.adjustment, parse_prior("even:0.25", shipped))
    request = EvaluationRequest(out, "ferplus", data, "val", device="cpu", prior="auto")
    named = replace(request, prior="even:0.25")
    np.testing.assert_array_equal(predict_split(request).logits, predict_split(named).logits)
