"""Optimiser, learning-rate schedule and frozen modules."""

from __future__ import annotations

import math

import torch
from torch import nn

from .config import TrainConfig


def make_optimizer(model: nn.Module, criterion: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW or SGD; the backbone has its own learning rate, vectors (biases, norms) and centres no weight decay."""
    groups = {}
    for name, parameter in [*model.named_parameters(), *criterion.named_parameters()]:
        lr = config.backbone_lr if name.startswith("backbone.") else config.lr
        decay = config.weight_decay if parameter.ndim > 1 and name != "centres" else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    parameters = [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9)
    return torch.optim.AdamW(parameters)


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, steps_per_epoch: int):
    """Linear warm-up, then half a cosine down to zero at the last step; stepped after each batch."""
    total, warmup = config.epochs * steps_per_epoch, config.warmup_epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def find_modules(model: nn.Module, names: list[str]) -> list[nn.Module]:
    """The named modules of `model`. Raises ValueError for a name that it does not have."""
    modules = dict(model.named_modules())
    for name in names:
        if name not in modules:
            known = [n for n in modules if n and n.count(".") < 2]
            raise ValueError(f"--freeze: no module {name!r}; some that exist: {', '.join(known)}")
    return [modules[name] for name in names]


def set_frozen(modules: list[nn.Module], frozen: bool) -> None:
    """Fix (or free) the parameters and the batch statistics of `modules`; call it after `model.train()`."""
    for module in modules:
        module.requires_grad_(not frozen)
        module.train(not frozen)
