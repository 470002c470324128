"""Training in several processes (torchrun). In a single process these functions do nothing."""

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
    """Join the process group of torchrun, if there is one; leave it at the end.

    Args:
        device: cuda uses the GPU with the number LOCAL_RANK, and NCCL; other devices use gloo.

    Raises:
        ValueError: under torchrun, `device` names one GPU, which all processes would share.
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
    """The rank of this process, from 0. Process 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean over all processes of a tensor of the same shape. Gradients flow back to each process."""
    if world_size() == 1:
        return x
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(x) / world_size()


def gather_shards(shard: Tensor) -> Tensor:
    """All items [N,...] in order, from shards: process r holds the items r, r + size, r + 2 size, ..."""
    if world_size() == 1:
        return shard
    shards: list[Any] = [None] * world_size()
    dist.all_gather_object(shards, shard)
    whole = shard.new_empty((sum(map(len, shards)), *shard.shape[1:]))
    for r, part in enumerate(shards):
        whole[r :: world_size()] = part
    return whole


def is_first_on_machine() -> bool:
    """Whether this process is the first one on its machine."""
    return world_size() == 1 or int(os.environ.get("LOCAL_RANK", 0)) == 0


def from_first_on_machine(value: Any) -> Any:
    """The `value` of the first process on this machine. All processes must call it together."""
    if world_size() == 1:
        return value
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values[
        rank() - int(os.environ.get("LOCAL_RANK", 0))
    ]  # torchrun gives the processes of a machine consecutive ranks


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation by the statistics over all processes, whose batches must have the same size.

    torch.nn.SyncBatchNorm runs on GPUs only; this class runs on every device.
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
        centred = y - mean.view(shape)  # two passes: E[x^2] - E[x]^2 is inexact for a large mean
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
    """Let all batch normalisation layers of `module` use the statistics over all processes. State dicts do not change.

    timm's fused layers of normalisation and activation are not changed.
    """
    for child in module.modules():
        if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d):
            child.__class__ = SyncBatchNorm
