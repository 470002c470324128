"""Model cards: every figure is one that was measured."""

import json
import re

import pytest
import yaml

from conftest import make_ferplus
from fer.evaluation.card import make_card, read_evaluation, read_sections
from fer.evaluation.evaluate import evaluate_checkpoint
from fer.evaluation.request import EvaluationRequest
from fer.models.checkpoint import load_checkpoint, save_checkpoint
from fer.resources import DEFAULT_WEIGHTS, find_checkpoint

TEXT = "# About\n## Purpose\nTo *test*.\n\n## Limits\nMany.\n\n## Licence\nNone.\n"


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """weights/net.safetensors with its evaluation, and the text of a person."""
    model, description = load_checkpoint(tiny_checkpoint)
    description.metrics = {"calibration": {"n": 12, "error_before": 0.2, "error_cross_fitted": 0.1}}
    description.limits = {"size": 17.28, "yaw": 40.0}
    save_checkpoint(tmp_path / "net.safetensors", model, description)
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 8, "FER2013Valid": 24})
    evaluation = evaluate_checkpoint(EvaluationRequest(tmp_path / "net.safetensors", "ferplus", data, "val"))
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "metrics.json").write_text(json.dumps(evaluation.to_dict()))
    (tmp_path / "net.md").write_text(TEXT)
    return tmp_path


def test_a_card(folder):
    row = {"corruption": "blur", "unit": "%", "strength": 0.02, "accuracy": 0.5, "expected_calibration_error": 0.25}
    row |= {"low_confidence": 0.0625, "unsure": 0.125, "accuracy_when_sure": None}
    (folder / "crops" / "robustness.json").write_text(json.dumps({"rows": [row]}))
    area = {"auc": {"mean": 0.5, "low": 0.4375, "high": 0.5625}, "gain": {}, "curve": []}
    scores = {test: {"blur": {"all heads": area, "blob": area}} for test in ("deletion", "insertion")}
    (folder / "crops" / "faithfulness.json").write_text(json.dumps({"n": 12, "scores": scores}))
    card = make_card(folder / "net.safetensors", [folder / "crops"], folder / "net.md")
    metrics = json.loads((folder / "crops" / "metrics.json").read_text())
    _, header, text = re.split("^---$", card, flags=re.M)
    (result,) = yaml.safe_load(header)["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == round(100 * metrics["accuracy"], 2)
    interval = metrics["intervals"]["accuracy"]
    figures = f"{100 * metrics['accuracy']:.2f} ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"
    assert f"| accuracy | {figures} |" in text
    assert "| blur | 0.02 (%) | 50.0 | 25.0 | 6.2 | 12.5 |  |" in text
    assert "fer evaluate --weights net --dataset ferplus --data DIR --split val --out OUT --robustness" in text
    assert "| all heads | 0.500 (0.438 to 0.562) | 0.500 (0.438 to 0.562) |\n| blob |" in text
    assert "--out OUT --faithfulness 12" in text
    assert "| size | at least 17.3 |\n| yaw | at most 40 |" in text
    assert "on the 12 validation images" in text and "from 20.00 to 10.00 %" in text
    assert "## Purpose\n\nTo *test*." in text and "## Licence\n\nNone." in text and "Not measured: the data say" in text
    for name, c in metrics["per_class"].items():
        assert f"| {name} | {c['n']} | {100 * c['recall']:.1f} |" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "crops" / "metrics.json").unlink(), "crops: no metrics.json; fer evaluate .* writes it"),
        (lambda f: (f / "crops" / "metrics.json").write_text("{"), "metrics.json: not JSON"),
        (lambda f: (f / "crops" / "metrics.json").write_text('{"weights": "x.onnx"}'), "of x.onnx, not of net"),
        (lambda f: (f / "net.md").write_text("## Purpose\nx\n## Limits\n"), "no section Licence, Limits|Limits"),
        (lambda f: (f / "net.md").unlink(), "net.md: No such file"),
    ],
)
def test_what_a_card_cannot_be_made_of(folder, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        make_card(folder / "net.safetensors", [folder / "crops"], folder / "net.md")


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "--split val --out OUT"),
        ({"flip": True, "rule": "all"}, "--split val --rule all --flip --out OUT"),
        ({"detector": "yunet"}, "--split val --detector yunet --out OUT"),
        ({"detector": "yunet", "accuracy_as_given": 0.5}, "--split val --end-to-end --out OUT"),
        ({"detector": "annotation"}, "--split val --out OUT"),
    ],
)
def test_the_command_is_that_of_the_figures(folder, changes, command):
    path = folder / "crops" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert read_evaluation(folder / "crops", "net").command.endswith(f"--data DIR {command}")


def test_the_shipped_card_is_made_of_its_figures():
    """fer card NAME --evaluation weights/figures/NAME/* --text weights/NAME.md --out weights/README.md"""
    folder = find_checkpoint(DEFAULT_WEIGHTS).parent
    evaluations = [folder / "figures" / DEFAULT_WEIGHTS / name for name in ("photos", "crops")]
    card = make_card(DEFAULT_WEIGHTS, evaluations, folder / f"{DEFAULT_WEIGHTS}.md")
    assert card == (folder / "README.md").read_text(encoding="utf-8")


def test_sections_are_found_by_their_headings(folder):
    sections = read_sections(folder / "net.md")
    assert (sections["Purpose"], sections["Limits"], sections["Licence"]) == ("To *test*.", "Many.", "None.")
