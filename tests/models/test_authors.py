"""The authors' published network, written anew with a loop over its heads, against what becomes of its files."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models, transforms

from conftest import make_ferplus
from fer.cli import main
from fer.inference.recognizer import EmotionRecognizer
from fer.labels import EMOTIONS
from fer.models import load_dan_checkpoint
from fer.models.authors import PREPROCESSING
from fer.models.checkpoint import read_description

SEVEN = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
RAFDB = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
rng = np.random.default_rng(0)


def conv(inp: int, out: int, *kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inp, out, kernel, padding=[n // 2 for n in kernel]), nn.BatchNorm2d(out))


class Reference(nn.Module):
    """The authors' network: its weights are named as in their files."""

    def __init__(self, num_classes: int, heads: range):
        super().__init__()
        self.features = nn.Sequential(*list(models.resnet18().children())[:8])
        self.names = [f"cat_head{k}" for k in heads]
        for name in self.names:
            spatial = {"conv_3x3": conv(256, 512, 3, 3), "conv_1x3": conv(256, 512, 1, 3)}
            spatial |= {"conv_3x1": conv(256, 512, 3, 1), "conv1x1": conv(512, 256, 1, 1)}
            gate = nn.Sequential(nn.Linear(512, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 512), nn.Sigmoid())
            head = {"sa": nn.ModuleDict(spatial), "ca": nn.ModuleDict({"attention": gate})}
            self.add_module(name, nn.ModuleDict(head))
        self.fc = nn.Linear(512, num_classes)
        self.bn = nn.BatchNorm1d(num_classes)

    def forward(self, x):
        x = self.features(x)
        pooled, maps = [], []
        for name in self.names:
            spatial, gate = self.get_submodule(name)["sa"], self.get_submodule(name)["ca"]["attention"]
            y = spatial["conv1x1"](x)
            y = (spatial["conv_3x3"](y) + spatial["conv_1x3"](y) + spatial["conv_3x1"](y)).relu().sum(1, keepdim=True)
            s = (x * y).mean((2, 3))
            pooled.append(s * gate(s))
            maps.append(y[:, 0])
        heads = torch.stack(pooled)
        heads = heads.log_softmax(0) if len(pooled) > 1 else heads
        return self.bn(self.fc(heads.sum(0))), heads.transpose(0, 1), torch.stack(maps, 1)


@torch.no_grad()
def make_reference(num_classes: int, heads: range = range(2)) -> Reference:
    """Random weights and batch statistics, in eval mode; scaled so that no output is lost in rounding."""
    torch.manual_seed(0)
    model = Reference(num_classes, heads)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                tensor.normal_(0, 0.2)
    for name in model.names:
        for part in ("conv_3x3", "conv_1x3", "conv_3x1"):
            model.get_submodule(name)["sa"][part][1].weight.mul_(0.001)
            model.get_submodule(name)["sa"][part][1].bias.mul_(0.001)
    return model.eval()


def save(path, model, prefix=""):
    torch.save({"iter": 6, "model_state_dict": {prefix + k: v for k, v in model.state_dict().items()}}, path)
    return path


@pytest.mark.parametrize(
    ("classes", "order", "heads", "prefix"),
    [
        ("affectnet8", EMOTIONS, range(4), ""),  # as published
        ("affectnet7", SEVEN, range(1), "module."),  # a single head: no softmax; saved under DataParallel
        ("rafdb", RAFDB, range(1, 4), ""),  # another order; numbered from 1
    ],
)
@torch.no_grad()
def test_the_same_outputs_as_the_authors_network(tmp_path, classes, order, heads, prefix):
    reference = make_reference(len(order), heads)
    model = load_dan_checkpoint(save(tmp_path / "dan.pth", reference, prefix), classes)
    x = torch.randn(3, 3, 128, 128)
    logits, head_features, attention = reference(x)
    out = model(x)
    assert not model.training and logits.std(0).min() > 0.01
    columns = [order.index(name) for name in EMOTIONS if name in order]
    torch.testing.assert_close(out.logits, logits[:, columns], rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(out.heads, head_features, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(out.attention, attention, rtol=1e-5, atol=2e-5)
    assert out.attention.shape == (3, len(heads), 4, 4)


@torch.no_grad()
def test_an_imported_checkpoint_is_one_of_ours(tmp_path, capsys):
    """The command, then the recogniser against the authors' pipeline; and the evaluation takes it."""
    reference, out = make_reference(8), str(tmp_path / "dan.safetensors")
    path = save(tmp_path / "dan.pth", reference)
    assert main(["import-dan", str(path), "--classes", "affectnet8", "--out", out]) == 0
    assert "2 heads, neutral, happiness" in capsys.readouterr().out
    description = read_description(out)
    assert (description.classes, description.dataset) == (EMOTIONS, "affectnet8")
    assert description.preprocessing == PREPROCESSING and "github.com/yaoing/DAN" in description.licence

    image = rng.integers(0, 255, (224, 224, 3), np.uint8)
    imagenet = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    pipeline = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(), imagenet])
    expected = reference(pipeline(Image.fromarray(image))[None])[0].softmax(1)
    found = EmotionRecognizer.from_pretrained(out, detector="none", device="cpu").predict_crops([image])
    assert expected.max() < 0.9  # not saturated
    np.testing.assert_allclose(found, expected, atol=1e-4)

    data = make_ferplus(tmp_path / "data", {"FER2013Test": 8})
    arguments = ["--dataset", "ferplus", "--data", str(data), "--weights", out, "--out", str(tmp_path / "eval")]
    assert main(["evaluate", *arguments, "--device", "cpu"]) == 0
    assert json.loads((tmp_path / "eval" / "metrics.json").read_text())["n"] == 8


def test_a_small_crop_is_enlarged_as_the_authors_do():
    crop = rng.integers(0, 255, (100, 100, 3), np.uint8)  # as in RAF-DB
    theirs = np.asarray(transforms.Resize((224, 224))(Image.fromarray(crop)), int)
    assert np.abs(PREPROCESSING.prepare(crop) - theirs).max() <= 1


def test_weights_too_few_or_too_many(tmp_path):
    state = make_reference(7).state_dict()
    del state["cat_head1.ca.attention.0.bias"]
    state["extra.weight"] = torch.zeros(1)
    torch.save({"model_state_dict": state}, tmp_path / "odd.pth")
    message = r"cat_head0 to cat_head1.* missing: cat_head1.ca.attention.0.bias; unexpected: extra.weight"
    with pytest.raises(ValueError, match=message):
        load_dan_checkpoint(tmp_path / "odd.pth", "rafdb")
    del state["extra.weight"]
    state["cat_head1.ca.attention.0.bias"] = torch.zeros(31)
    torch.save({"model_state_dict": state}, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match=r"expected the shapes .*attention.channel.0.bias"):
        load_dan_checkpoint(tmp_path / "odd.pth", "rafdb")


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, {}, "dan.pth: no such file"),
        (b"no torch file", {}, "dan.pth: not a torch file of tensors"),
        (b"", {}, "dan.pth: not a torch file of tensors"),
        ({"state_dict": {}}, {}, "expected a dict of tensors 'model_state_dict'"),
        (torch.zeros(1), {}, "expected a dict of tensors 'model_state_dict'"),
        ({"model_state_dict": {}}, {}, r"missing: bn.bias, bn.num_batches_tracked.* \[...\]; unexpected: none"),
        (
            {
                "model_state_dict": {f"cat_head{k}.a": torch.zeros(1) for k in (0, 1, 10**20)}
            },  # no memory is taken for them
            {},
            "dan.pth: expected heads cat_headN with consecutive numbers, got 0, 1, 10+$",
        ),
        (
            {"model_state_dict": {"fc.bias": torch.zeros(7), "bn.bias": torch.tensor([0, float("nan")])}},
            {},
            "dan.pth: the weight bn.bias is not finite",
        ),
        ("network", {}, "dan.pth: has 7 classes, not the 8 of affectnet8"),
        ("network", {"--classes": "ferplus"}, "unknown classes 'ferplus'; choose one of affectnet8, affectnet7, rafdb"),
        ("network", {"--out": "x.pth"}, "--out x.pth: expected a name that ends with .safetensors"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, capsys, content, arguments, message):
    path, out = tmp_path / "dan.pth", tmp_path / "x.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        save(path, make_reference(7, range(1)))
    elif content is not None:
        torch.save(content, path)
    arguments = {"--classes": "affectnet8", "--out": str(out)} | arguments
    assert main(["import-dan", str(path), *(a for pair in arguments.items() for a in pair)]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and not out.exists()
    assert re.search(message, err)
