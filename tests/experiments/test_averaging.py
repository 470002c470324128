"""The mean of checkpoints."""

import pytest
import torch

from conftest import make_ferplus, make_va_shards
from fer.evaluation.evaluate import evaluate_checkpoint
from fer.evaluation.request import EvaluationRequest
from fer.experiments.averaging import average_checkpoints
from fer.models.checkpoint import build_network, load_checkpoint, save_checkpoint


def test_the_mean_of_checkpoints(tmp_path, tiny_checkpoint):
    """Weights are means; batch statistics are measured, so that equal checkpoints differ in these alone."""
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 64, "FER2013Valid": 8})
    model, description = load_checkpoint(tiny_checkpoint)
    description.dataset = "ferplus"
    other = load_checkpoint(tiny_checkpoint)[0]
    with torch.no_grad():
        other.classifier.weight.add_(1)
        other.backbone.stem[0][1].running_mean.add_(5)
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path, net in zip(paths, (model, other)):
        save_checkpoint(path, net, description)
    average_checkpoints([str(p) for p in paths], tmp_path / "mean.safetensors", data, device="cpu")
    mean, said = load_checkpoint(tmp_path / "mean.safetensors")
    torch.testing.assert_close(mean.classifier.weight, model.classifier.weight + 0.5)
    assert mean.backbone.stem[0][1].running_mean.abs().max() < 2.5
    assert said.recipe["mean_of"] == [str(p) for p in paths]
    assert (
        evaluate_checkpoint(
            EvaluationRequest(tmp_path / "mean.safetensors", "ferplus", data, "val", device="cpu")
        ).to_dict()["n"]
        == 8
    )
    description.num_heads = 1
    save_checkpoint(tmp_path / "c.safetensors", build_network(description), description)
    with pytest.raises(ValueError, match="differs from .* in num_heads; only"):
        average_checkpoints([str(paths[0]), str(tmp_path / "c.safetensors")], tmp_path / "m.safetensors", data)


def test_the_mean_of_checkpoints_with_valence_and_arousal(tmp_path, va_checkpoint, tiny_checkpoint):
    data = make_va_shards(tmp_path / "data", {"train": 16})
    model, description = load_checkpoint(va_checkpoint)
    description.dataset = "parquet"
    with torch.no_grad():
        model.va[0].weight.add_(1)
    save_checkpoint(tmp_path / "b.safetensors", model, description)
    average_checkpoints([str(tmp_path / "b.safetensors"), str(va_checkpoint)], tmp_path / "mean.safetensors", data)
    mean, said = load_checkpoint(tmp_path / "mean.safetensors")
    torch.testing.assert_close(mean.va[0].weight, model.va[0].weight - 0.5)
    assert said.va
    with pytest.raises(ValueError, match="differs from .* in backbone, va; only"):
        average_checkpoints([str(va_checkpoint), str(tiny_checkpoint)], tmp_path / "m.safetensors", data)
