import math

import pytest
import torch

from fer.losses import DANLoss
from fer.models.backbone import create_backbone
from fer.models.dan import DAN
from fer.training.config import TrainConfig
from fer.training.optimizer import find_modules, make_optimizer, make_schedule, set_frozen


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


def test_frozen_modules_keep_weights_and_statistics(model):
    model.train()
    (stem,) = find_modules(model, ["backbone.stem"])
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
        find_modules(model, ["stem"])
