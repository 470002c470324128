"""Training on several processes (torchrun): what they share. In a single process nothing here does anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; leave them at the end.

    Args:
        device: cuda takes the GPU of this process (LOCAL_RANK) and NCCL, anything else gloo.

    Raises:
        ValueError: torchrun started several processes, and `device` names one GPU for all.
    """
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        yield
        return
    if device.startswith("cuda:"):
        raise ValueError(f"--device {device} names one GPU; under torchrun each process takes its own: --device cuda")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0; process 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of a tensor of equal shape over all processes; gradients flow back to each."""
    if world_size() == 1:
        return x
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(x) / world_size()


def gather_shards(shard: Tensor) -> Tensor:
    """The whole [N,...], in order, from shards: process r holds the items r, r + size, r + 2 size, ..."""
    if world_size() == 1:
        return shard
    shards: list[Any] = [None] * world_size()
    dist.all_gather_object(shards, shard)
    whole = shard.new_empty((sum(map(len, shards)), *shard.shape[1:]))
    for r, part in enumerate(shards):
        whole[r :: world_size()] = part
    return whole


def is_first_on_machine() -> bool:
    """Whether this process is the first of those on its machine."""
    return world_size() == 1 or int(os.environ.get("LOCAL_RANK", 0)) == 0


def from_first_on_machine(value: Any) -> Any:
    """What the first process on this machine gives; all processes call it together."""
    if world_size() == 1:
        return value
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values[rank() - int(os.environ.get("LOCAL_RANK", 0))]  # torchrun numbers those of a machine in a row


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation by the statistics of all processes' batches, which must be equally large.

    torch.nn.SyncBatchNorm runs on GPUs only; this one is the same on every device.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        dims = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        y = x.float()
        mean = mean_over_processes(y.mean(dims))
        centred = y - mean.view(shape)  # first the mean: E[x^2] - E[x]^2 loses all digits where the mean is large
        var = mean_over_processes(centred.square().mean(dims))
        assert self.running_mean is not None and self.running_var is not None  # those of nn.BatchNorm
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            n = x.numel() // x.shape[1] * world_size()
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (n / (n - 1)), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _check_input_dim(self, x: Tensor) -> None:
        pass


def synchronise_batch_norm(module: nn.Module) -> None:
    """Let every batch normalisation in `module` use the statistics of all processes; its state keeps its names.

    timm's fused normalisation-and-activation layers are left alone.
    """
    for child in module.modules():
        if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d):
            child.__class__ = SyncBatchNorm
