import math

import pytest
import torch

from fer.losses import DANLoss
from fer.models.backbone import create_backbone
from fer.models.dan import DAN
from fer.training.config import TrainConfig
from fer.training.optimizer import (
    find_frozen,
    find_stages,
    make_optimizer,
    make_schedule,
    set_frozen,
    sharpest_neighbour,
)


@pytest.fixture(scope="module")
def model() -> DAN:
    return DAN(create_backbone("mobilefacenet"), 8, 2)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_every_parameter_is_in_one_group_with_its_rate_and_decay(model, kind):
    config = TrainConfig(optimizer=kind.__name__.lower(), lr=0.1, backbone_lr=0.01, weight_decay=0.5)
    criterion = DANLoss(8, 512)
    optimizer = make_optimizer(model, criterion, config)
    assert isinstance(optimizer, kind)
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(settings)
    named = dict(model.named_parameters())
    assert settings.keys() == {id(p) for p in [*named.values(), criterion.centres]}
    assert settings[id(named["backbone.stem.0.0.weight"])] == (0.01, 0.5)
    assert settings[id(named["backbone.stem.0.1.weight"])] == (0.01, 0.0)  # a norm
    assert settings[id(named["classifier.weight"])] == (0.1, 0.5)
    assert settings[id(named["classifier.bias"])] == (0.1, 0.0)
    assert settings[id(criterion.centres)] == (0.1, 0.0)


def test_the_schedule_warms_up_then_falls_as_half_a_cosine():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = make_schedule(optimizer, TrainConfig(epochs=10, warmup_epochs=2), steps_per_epoch=10)
    rates = []
    for _ in range(100):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert rates[20] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(1 + math.cos(math.pi / 2))
    assert schedule.get_last_lr()[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("gamma", "step_epochs", "expected"),
    [
        (0.1, 10, {0: 1.0, 9: 1.0, 10: 0.1, 29: 0.01}),  # by ten every ten epochs
        (0.6, 1, {0: 1.0, 1: 0.6, 3: 0.216}),  # exponential
    ],
)
def test_the_step_schedule_falls_between_epochs(gamma, step_epochs, expected):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    config = TrainConfig(epochs=30, warmup_epochs=0, schedule="step", gamma=gamma, step_epochs=step_epochs)
    schedule = make_schedule(optimizer, config, steps_per_epoch=5)
    rates = []
    for _ in range(30):
        rates.append(schedule.get_last_lr()[0])
        for _ in range(5):
            optimizer.step()
            schedule.step()
    assert {epoch: rates[epoch] for epoch in expected} == pytest.approx(expected)


@pytest.mark.parametrize("backbone", ["mobilefacenet", "resnet18"])
def test_layer_decay_slows_the_stages_before_the_last(backbone):
    model = DAN(create_backbone(backbone), 8, 2)
    config = TrainConfig(lr=1.0, backbone_lr=0.1, layer_decay=0.5)
    optimizer = make_optimizer(model, DANLoss(8, 512), config)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    parts = {
        "mobilefacenet": ["stem.0.0", "stage1.0.expand.0", "stage2.0.expand.0", "stage3.0.expand.0", "last.0"],
        "resnet18": ["net.layer1.0.conv1", "net.layer2.0.conv1", "net.layer3.0.conv1", "net.layer4.0.conv1"],
    }[backbone]
    found = [rates[id(model.get_parameter(f"backbone.{part}.weight"))] for part in parts]
    assert found == pytest.approx([0.1 * 0.5**i for i in range(len(parts))][::-1])
    assert rates[id(model.classifier.weight)] == 1.0


@pytest.mark.parametrize(
    ("backbone", "parts"),  # the first and last layer of each stage
    [
        (
            "resnet18",
            [("conv1", "bn1"), *((f"layer{i}.0.conv1", f"layer{i}.1.bn2") for i in range(1, 5))],
        ),
        (
            "convnext_atto",  # its stem has no features of its own
            [
                ("stem_0", "stages_0.blocks.1.norm"),
                *((f"stages_{i}.downsample.1", f"stages_{i}.blocks.1.norm") for i in (1, 2, 3)),
            ],
        ),
        (
            "efficientnet_b0",  # seven blocks under one name
            [
                ("conv_stem", "blocks.0.0.bn1"),
                ("blocks.1.0.conv_pw", "blocks.1.1.bn3"),
                ("blocks.2.0.conv_pw", "blocks.2.1.bn3"),
                ("blocks.3.0.conv_pw", "blocks.4.2.bn3"),
                ("blocks.5.0.conv_pw", "blocks.6.0.bn3"),
            ],
        ),
        (
            "vit_tiny_patch16_224",  # a stage each
            [
                ("model.patch_embed.proj", "model.blocks.0.mlp.fc2"),
                *((f"model.blocks.{i}.norm1", f"model.blocks.{i}.mlp.fc2") for i in range(1, 12)),
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_stages_of_timm_networks(backbone, parts):
    stages = find_stages(create_backbone(backbone))
    assert [(stages[f"net.{a}.weight"], stages[f"net.{b}.weight"]) for a, b in parts] == [
        (i, i) for i in range(len(parts))
    ]
    assert set(stages.values()) == set(range(len(parts)))


def test_sharpest_neighbour_moves_by_rho_along_the_gradient_and_back():
    """Against the formula: the loss within is that at w + rho g / |g|; statistics stay."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    x = torch.randn(8, 3)
    net(x).square().sum().backward()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    gradient = {k: p.grad.clone() for k, p in net.named_parameters()}
    norm = torch.cat([g.flatten() for g in gradient.values()]).norm()
    with sharpest_neighbour(net, 0.05):
        for name, p in net.named_parameters():
            torch.testing.assert_close(p.data, before[name] + 0.05 * gradient[name] / norm)
            assert p.grad is None
        net(x).square().sum().backward()
    after = net.state_dict()
    assert all(torch.equal(after[k], before[k]) for k in before if "num_batches" not in k)
    assert net[1].momentum == 0.1
    assert any(not torch.equal(p.grad, gradient[name]) for name, p in net.named_parameters())


def test_frozen_modules_keep_weights_and_statistics(model):
    model.train()
    ((stem, epochs),) = find_frozen(model, ["backbone.stem:3"])
    assert epochs == 3
    set_frozen([stem], True)
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    model(torch.randn(4, 3, 32, 32)).logits.sum().backward()
    changed = {k.split(".")[0] for k, v in model.backbone.state_dict().items() if not torch.equal(v, before[k])}
    assert "stem" not in changed and "stage1" in changed  # batch statistics
    assert all(p.grad is None for p in stem.parameters())
    set_frozen([stem], False)
    model(torch.randn(4, 3, 32, 32)).logits.sum().backward()
    assert all(p.grad is not None for p in stem.parameters())


def test_an_unknown_module_lists_some_that_exist(model):
    with pytest.raises(ValueError, match="no module 'stem'; some that exist: .*backbone.stem"):
        find_frozen(model, ["stem:1"])
