"""Optimiser, learning-rate schedule, sharpness-aware steps and frozen modules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..models.dan import DAN
from .config import TrainConfig


def make_optimizer(model: DAN, criterion: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Create AdamW, or SGD with momentum 0.9.

    The stages of the backbone have learning rates of their own. Vectors (biases, norms) and what the loss learns (such
    as the class centres) have no weight decay.
    """
    of_loss = dict(criterion.named_parameters())
    named = [*model.named_parameters(), *of_loss.items()]
    stages = find_stages(model.backbone)
    last = max(stages.values(), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        lr = config.lr
        if name.startswith("backbone."):
            lr = config.backbone_lr * config.layer_decay ** (last - stages[name.removeprefix("backbone.")])
        decay = config.weight_decay if parameter.ndim > 1 and name not in of_loss else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    parameters = [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9)
    return torch.optim.AdamW(parameters)


def find_stages(backbone: nn.Module) -> dict[str, int]:
    """The stages of a backbone: {name of a parameter: number of its stage, from 0}.

    A stage of a timm network ends with a module that gives features (`feature_info`). Modules after the last one belong
    to the last stage. The stages of other backbones are their direct children.
    """
    net: Any = getattr(backbone, "net", None)
    if not hasattr(net, "feature_info"):
        order = list(dict.fromkeys(name.split(".")[0] for name, _ in backbone.named_parameters()))
        return {name: order.index(name.split(".")[0]) for name, _ in backbone.named_parameters()}
    names = [name for name, _ in net.named_modules()]
    last_modules = (_last_index(names, info["module"]) for info in net.feature_info.info)
    ends = [end for end in last_modules if end is not None][:-1]
    index = {name: i for i, name in enumerate(names)}
    return {
        name: sum(index[name.removeprefix("net.").rpartition(".")[0]] > end for end in ends)
        for name, _ in backbone.named_parameters()
    }


def _last_index(names: list[str], module: str) -> int | None:
    """The index of the last of `names` that is `module` or a part of it; None if there is none.

    timm's feature extractors may rename a module.
    """
    for renamed in (module, module.replace(".", "_"), f"model.{module}"):
        indices = [i for i, name in enumerate(names) if name == renamed or name.startswith(f"{renamed}.")]
        if indices:
            return indices[-1]
    return None


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, steps_per_epoch: int):
    """Create the learning-rate schedule; call its `step` after each step of the optimiser.

    A linear warm-up is followed by a half cosine, down to zero at the last step, or by decays by `gamma`.
    """
    total, warmup = config.epochs * steps_per_epoch, config.warmup_epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if config.schedule == "step":
            return config.gamma ** (step // (config.step_epochs * steps_per_epoch))
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@contextmanager
def sharpest_neighbour(module: nn.Module, rho: float) -> Iterator[None]:
    """Move the weights by `rho` along their gradient within a `with` block, and restore them after it.

    This is the first half of a SAM step (Foret et al. 2020, arXiv:2010.01412). The gradients are cleared at the start
    of the block; those computed in it are for the optimiser step. Batch statistics are not updated in the block.
    """
    parameters: list[Tensor] = [p for p in module.parameters() if p.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [m.momentum for m in norms]
    with torch.no_grad():
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        saved = [p.clone() for p in parameters]
        torch._foreach_add_(parameters, torch._foreach_mul(gradients, rho / norm.clamp_min(1e-12)))
    module.zero_grad()
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(parameters, saved)
        for m, momentum in zip(norms, momenta):
            m.momentum = momentum


def find_frozen(model: nn.Module, freeze: list[str]) -> list[tuple[nn.Module, int]]:
    """Parse `MODULE:EPOCHS` texts; returns modules of `model` and the number of first epochs in which they are frozen.

    Raises:
        ValueError: a module that `model` does not have.
    """
    modules = dict(model.named_modules())
    frozen = []
    for text in freeze:
        name, epochs = text.split(":")
        if name not in modules:
            known = [n for n in modules if n and n.count(".") < 2]
            raise ValueError(f"--freeze: no module {name!r}; some that exist: {', '.join(known)}")
        frozen.append((modules[name], int(epochs)))
    return frozen


def set_frozen(modules: list[nn.Module], frozen: bool) -> None:
    """Freeze or unfreeze the parameters and batch statistics of `modules`; call it after `model.train()`."""
    for module in modules:
        module.requires_grad_(not frozen)
        module.train(not frozen)
