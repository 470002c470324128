from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_ferplus

from fer.data import load_samples
from fer.evaluation import evaluate as module
from fer.evaluation.evaluate import evaluate_checkpoint
from fer.models.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def data(tmp_path):
    return make_ferplus(tmp_path / "data", {"FER2013Valid": 24})


def test_accuracy_is_that_of_the_network_image_by_image(data, tiny_checkpoint):
    figures = evaluate_checkpoint(tiny_checkpoint, "ferplus", data, "val", device="cpu", batch_size=5)
    model, description = load_checkpoint(tiny_checkpoint)
    samples = load_samples("ferplus", data, "val")
    with torch.no_grad():
        guesses = [int(model(description.preprocessing([samples.read(i)])).logits.argmax()) for i in range(24)]
    assert figures["accuracy"] == pytest.approx((samples.targets.argmax(1) == guesses).mean())
    assert (figures["dataset"], figures["split"], figures["rule"], figures["n"]) == ("ferplus", "val", "majority", 24)


def test_classes_are_matched_by_name(data, tiny_checkpoint, tmp_path):
    """The same network with its outputs in another order gives the same figures."""
    model, description = load_checkpoint(tiny_checkpoint)
    order = np.random.default_rng(0).permutation(8)
    for module_ in (model.classifier, model.norm):
        for name, tensor in module_.state_dict().items():
            if tensor.ndim:
                getattr(module_, name).data = tensor[order]
    description.classes = tuple(description.classes[i] for i in order)
    save_checkpoint(tmp_path / "other.safetensors", model, description)
    figures = [
        evaluate_checkpoint(p, "ferplus", data, "val") for p in (tiny_checkpoint, tmp_path / "other.safetensors")
    ]
    assert figures[0]["confusion_matrix"] == figures[1]["confusion_matrix"]


def test_a_class_that_the_checkpoint_does_not_know(data, tiny_checkpoint, monkeypatch):
    original = module.load_samples

    def renamed(*arguments):
        samples = original(*arguments)
        return replace(samples, classes=(*samples.classes[:7], "boredom"))

    monkeypatch.setattr(module, "load_samples", renamed)
    with pytest.raises(ValueError, match="has 8 classes .* without boredom of ferplus"):
        evaluate_checkpoint(tiny_checkpoint, "ferplus", data, "val")
