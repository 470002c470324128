from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_ferplus

from fer.data import load_samples
from fer.data.pack import PackOptions, pack_split
from fer.evaluation import evaluate as module
from fer.evaluation.evaluate import evaluate_checkpoint, predict_split
from fer.models.checkpoint import load_checkpoint, save_checkpoint
from fer.resources import DEFAULT_WEIGHTS


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


def pack_upside_down(tree, out):
    """An aligned copy of the validation images of a tree, as far as upside down is aligned."""
    pack_split(load_samples("ferplus", tree, "val"), out, "ferplus", "val", PackOptions(), align=np.flipud)
    return out


def test_the_mean_with_aligned_crops(ferplus_tree, tmp_path):
    aligned = pack_upside_down(ferplus_tree, tmp_path / "aligned")
    loose, turned, both = (
        predict_split(DEFAULT_WEIGHTS, dataset, data, "val", aligned=also).predictions
        for dataset, data, also in (
            ("ferplus", ferplus_tree, None),
            ("parquet", aligned, None),
            ("ferplus", ferplus_tree, aligned),
        )
    )
    assert np.abs(loose.logits - turned.logits).max() > 1
    np.testing.assert_allclose(both.logits, (loose.logits + turned.logits) / 2, atol=1e-5)
    np.testing.assert_array_equal(both.targets, loose.targets)
    figures = evaluate_checkpoint(DEFAULT_WEIGHTS, "ferplus", ferplus_tree, "val", aligned=aligned)
    assert figures["aligned"] and not figures["flip"]


def test_aligned_crops_of_other_images(ferplus_tree, tmp_path, tiny_checkpoint):
    aligned = pack_upside_down(ferplus_tree, tmp_path / "aligned")
    other = make_ferplus(tmp_path / "other", {"FER2013Valid": 24})
    with pytest.raises(ValueError, match="16 aligned crops that are not those of the 24 images of val"):
        evaluate_checkpoint(tiny_checkpoint, "ferplus", other, "val", aligned=aligned)
