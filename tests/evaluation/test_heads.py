"""What each attention head looks at: fer evaluate --heads."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import make_ferplus
from fer.cli import main
from fer.data import load_samples
from fer.evaluation import heads as module
from fer.evaluation.evaluate import load_subject
from fer.evaluation.heads import evaluate_heads, format_heads, place_landmarks
from fer.evaluation.request import EvaluationRequest
from fer.faces import crop_face
from fer.faces.regions import REGIONS, face_regions
from fer.io.images import read_image
from fer.models.checkpoint import load_checkpoint, read_description
from fer.models.inputs import normalize


@pytest.fixture
def data(tmp_path):
    return make_ferplus(tmp_path / "data", {"FER2013Valid": 12})


def test_the_command(data, tiny_checkpoint, tmp_path, capsys):
    arguments = ["--dataset=ferplus", "--split=val", f"--data={data}", f"--weights={tiny_checkpoint}"]
    arguments += [f"--out={tmp_path / 'eval'}", f"--report={tmp_path / 'report.html'}", "--heads=5"]
    assert main(["evaluate", *arguments]) == 0
    out = capsys.readouterr().out
    assert "heads on 5 faces" in out and "written: heads.json and heads.png" in out
    assert read_image(tmp_path / "eval" / "heads.png").shape[1] == 2 * 264  # a picture for each of two heads
    figures = json.loads((tmp_path / "eval" / "heads.json").read_text())
    assert figures["n"] == 5 and [list(regions) for regions in figures["regions"]] == [list(REGIONS)] * 2
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Attention heads</h2>" in page and f"<td>{figures['overlap'][0][1]:.2f}</td>" in page


def test_the_figures_against_the_network(data, tiny_checkpoint):
    """Face by face, by the template: the shares of the regions, the similarity of two maps, and mean ablation."""
    subject = load_subject(EvaluationRequest(tiny_checkpoint, "ferplus", data, "val", device="cpu", batch_size=5))
    report = evaluate_heads(subject, 100)
    model, description = load_checkpoint(tiny_checkpoint)
    regions = face_regions(np.array(description.template), (2, 2), description.grid)
    samples = subject.samples
    crops = np.stack([description.preprocessing.prepare(samples.read(i)) for i in range(len(samples))])
    with torch.inference_mode():
        output = model(normalize(torch.from_numpy(crops), description.preprocessing))
        raw, maps = model.attention(output.features)
        raw[:, 1] = raw[:, 1].mean(0)
        changed = model.norm(model.classifier(torch.log_softmax(raw, 1).sum(1)))
    assert maps.shape[2:] == (2, 2)
    np.testing.assert_allclose(report.attention, maps.mean(0), atol=1e-6)
    np.testing.assert_allclose(report.face, crops.mean((0, 3)), atol=1)
    for k, shares in enumerate(report.regions):
        expected = [np.mean([m[regions == r].sum() / m.sum() for m in maps[:, k].numpy()]) for r in range(5)]
        assert list(shares.values()) == pytest.approx(expected, abs=1e-4)
    similarity = torch.cosine_similarity(maps[:, 0].flatten(1), maps[:, 1].flatten(1)).mean().item()
    assert report.overlap == [pytest.approx([1, similarity], abs=1e-4), pytest.approx([similarity, 1], abs=1e-4)]
    truth = samples.targets.argmax(1)
    assert report.n == len(samples)
    assert report.accuracy == np.mean(output.logits.argmax(1).numpy() == truth)
    assert report.accuracy_without[1] == np.mean(changed.argmax(1).numpy() == truth)
    assert format_heads(report).count("\n") == 3


def test_landmarks_lie_in_the_crop_where_the_face_was_cut_out(data, tiny_checkpoint):
    """A spot on the photo at a landmark is at its place in the crop; a face without landmarks gets the template."""
    description = read_description(tiny_checkpoint)
    template, photo = np.array(description.template), np.zeros((200, 200, 3), np.uint8)
    landmarks = 40 + 100 * template + np.random.default_rng(0).uniform(-4, 4, (5, 2))
    x, y = landmarks[2]
    photo[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
    samples = load_samples("ferplus", data, "val")
    n = len(samples)
    samples = replace(samples, boxes=np.tile([40.0, 40, 140, 140], (n, 1)), landmarks=np.tile(landmarks, (n, 1, 1)))
    samples.landmarks[1] = np.nan
    placed = place_landmarks(samples, description)
    crop = crop_face(photo, samples.detection(0, photo), template, 100)[..., 0]
    spot = np.average(np.argwhere(crop)[:, ::-1] + 0.5, axis=0, weights=crop[crop > 0])
    np.testing.assert_allclose(100 * placed[0, 2], spot, atol=1.5)
    np.testing.assert_array_equal(placed[1], template)
    with pytest.raises(ValueError, match="--heads: this checkpoint has no template"):
        place_landmarks(samples, replace(description, template=[]))


def test_detected_landmarks_are_used(data, tiny_checkpoint, monkeypatch):
    request = EvaluationRequest(tiny_checkpoint, "ferplus", data, "val", detector="yunet", device="cpu")
    monkeypatch.setattr(module, "create_detector", lambda *_: "detector")
    found = []

    def find(samples, detector):
        found.append(detector)
        return samples, np.ones(len(samples), bool)

    monkeypatch.setattr(module, "find_faces", find)
    evaluate_heads(load_subject(request), 3)
    assert found == ["detector"]


def test_an_onnx_file_is_refused(data, tiny_graph):
    subject = load_subject(EvaluationRequest(tiny_graph, "ferplus", data, "val"))
    with pytest.raises(ValueError, match=r"expected a \.safetensors file"):
        evaluate_heads(subject, 3)
