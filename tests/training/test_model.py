"""The network that a run starts from."""

import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from torchvision.models import resnet18

from fer.data import load_samples
from fer.labels import EMOTIONS
from fer.models.checkpoint import load_checkpoint
from fer.resources import resource_folder
from fer.training.config import TrainConfig, load_recipe
from fer.training.model import build_model, check_names, find_outside
from fer.training.splits import Splits
from fer.training.trainer import Trainer
from runs import tiny_config


@pytest.mark.parametrize(
    "names", ["resnet18_msceleb.pth", "resnet18_msceleb.pth,timm", "gone.pth,resnet18_msceleb.pth"]
)
def test_backbone_weights_from_a_torch_file(tmp_path, monkeypatch, names, caplog):
    source = resnet18()
    torch.save({"state_dict": source.state_dict()}, tmp_path / "resnet18_msceleb.pth")
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(data="x", backbone="resnet18", backbone_weights=names, input_size=32)
    loaded = build_model(config, EMOTIONS).backbone.net
    assert torch.equal(loaded.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    assert warnings_in(caplog) == []


def warnings_in(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_imagenet_weights_where_those_of_the_authors_are_absent(tmp_path, monkeypatch, caplog):
    """It is said; and where they cannot be downloaded either, what can be done, before any work."""
    monkeypatch.chdir(tmp_path)
    published = timm.create_model("resnet18")
    monkeypatch.setattr(timm.models._builder, "load_pretrained", lambda net, **_: net.load_state_dict(kept(net)))

    def kept(net):
        return {name: published.state_dict()[name] for name in net.state_dict()}

    config = TrainConfig(**load_recipe("rafdb") | {"data": "x", "input_size": 32})
    check_names(config)
    said = "resnet18_msceleb.pth is not here: the backbone starts from timm's ImageNet weights instead"
    assert warnings_in(caplog) == [said]
    loaded = build_model(config, tuple("abcdefg")).backbone.net
    assert torch.equal(loaded.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    assert warnings_in(caplog) == [said]

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(timm.models._builder, "load_pretrained", fail)
    message = (
        r"'resnet18' could not be downloaded \(no network\). Connect .* or put resnet18_msceleb.pth here, or train from"
    )
    with pytest.raises(ValueError, match=message):
        check_names(config)


def test_the_shipped_initial_weights(tmp_path, monkeypatch):
    """From any folder; they come with the package, for networks with and without the last convolution."""
    monkeypatch.chdir(tmp_path)
    for recipe in ("ferplus", "rafdb-mobilefacenet"):
        config = TrainConfig(**load_recipe(recipe) | {"data": "x", "input_size": 32})
        stem = build_model(config, EMOTIONS).backbone.stem[0][0].weight
        weights = load_file(resource_folder("weights") / "pretrained" / config.backbone_weights)
        assert torch.equal(stem, weights["conv_1_conv2d_weight"])


def test_a_run_goes_on_from_a_checkpoint(ferplus_tree, tmp_path, tiny_checkpoint, caplog):
    """All that fits is taken, the rest is said."""
    caplog.set_level("INFO", "fer")
    train = load_samples("ferplus", ferplus_tree, "train")
    for heads, fits in ((2, True), (1, False)):
        changes = {"backbone": "mobilefacenet", "init_weights": str(tiny_checkpoint), "num_heads": heads}
        config = tiny_config(ferplus_tree, tmp_path, **changes)
        trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
        ours, theirs = trainer.objective.model.state_dict(), load_checkpoint(tiny_checkpoint)[0].state_dict()
        assert torch.equal(ours["backbone.stem.0.0.weight"], theirs["backbone.stem.0.0.weight"])
        assert (ours["attention.reduce.0.weight"].shape == theirs["attention.reduce.0.weight"].shape) == fits
    went_on = [message for message in caplog.messages if "the network starts from" in message]
    assert (
        "new values: none" in went_on[0]
        and "new classes: none" in went_on[0]
        and "attention.reduce.0.weight" in went_on[1]
    )


@pytest.mark.parametrize(
    ("changes", "said", "warned"),
    [
        ({}, "starts from random values$", False),
        ({"freeze": ["backbone.stem:1"]}, "starts from random values$", True),
        ({"freeze": ["backbone.stem:0"]}, "starts from random values$", False),  # fixed for no epoch
        ({"init_weights": "TINY", "freeze": ["backbone:1"]}, "starts from .*tiny.safetensors; classes carried", False),
        ({"init_weights": "TINY", "num_heads": 1, "freeze": ["attention:1"]}, "values: attention.branches", True),
        # without its last convolution; init weights need no other file
        ({"init_weights": "TINY", "backbone": "mobilefacenet-128", "backbone_weights": "gone"}, "tiny.safe", False),
        ({"backbone_weights": "TINY", "freeze": ["backbone:1"]}, "random values, its backbone from .*tiny.safe", False),
        ({"backbone_weights": "TINY", "freeze": ["attention:1"]}, "random values, its backbone from", True),
        (
            {"backbone": "mobilefacenet-128", "backbone_weights": "dan-mobilefacenet-ferplus"},
            "its backbone from .*dan-mobilefacenet-ferplus.safetensors",
            False,
        ),
    ],
)
def test_a_run_says_what_it_starts_from(tiny_checkpoint, caplog, changes, said, warned):
    caplog.set_level("INFO", "fer")
    changes = {name: str(tiny_checkpoint) if value == "TINY" else value for name, value in changes.items()}
    build_model(tiny_config(Path("x"), Path("y"), **changes), EMOTIONS)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "INFO"]
    assert re.search(said, line)
    assert [f"--freeze {changes['freeze'][0]} freezes random" in m for m in caplog.messages[1:]] == [True] * warned


def test_what_is_made_of_a_checkpoint_keeps_its_licence(ferplus_tree, tmp_path):
    train = load_samples("ferplus", ferplus_tree, "train")
    changes = {"init_weights": "dan-mobilefacenet-ferplus", "num_heads": 4}
    for init, start in (("", ""), ("for research only", "dan-mobilefacenet-ferplus")):
        config = tiny_config(ferplus_tree, tmp_path / "run", **changes | {"init_weights": start})
        licence = Trainer(config, Splits(train, train, np.zeros(16, bool))).describe({}).licence
        assert init in licence.lower() and bool(licence) == bool(start)


def test_positions_outside_the_face(ferplus_tree, tmp_path):
    config = tiny_config(ferplus_tree, tmp_path, input_size=112, outside=1.0)
    model = build_model(config, EMOTIONS)
    outside = find_outside(model, config)
    assert outside.shape == (7, 7) and outside[0].all() and not outside[4, 2:6].any()
    assert find_outside(model, tiny_config(ferplus_tree, tmp_path)) is None
    with pytest.raises(ValueError, match="--outside needs to know where the face lies"):
        find_outside(model, tiny_config(ferplus_tree, tmp_path, outside=1.0, template=[]))
