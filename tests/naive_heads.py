"""Heads written plainly from the formulas of the paper, and networks that are not as they begin."""

import torch
from torch import nn
from torch.nn import functional as F

from fer.models.attention import CrossAttentionHeads


def trained(model: nn.Module, *inputs: torch.Tensor) -> nn.Module:
    """`model` with batch statistics and weights that are not the initial ones, in eval mode."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for _ in range(3):
            model(*inputs)
    return model.eval()


def batch_norm(x, norm, channels):
    return F.batch_norm(
        x, norm.running_mean[channels], norm.running_var[channels], norm.weight[channels], norm.bias[channels]
    )


def naive_head(heads: CrossAttentionHeads, k: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Head k alone: its slice of every grouped weight, through ordinary convolutions and matrix products."""
    d = x.shape[1]
    half, out, squeezed = (slice(k * n, (k + 1) * n) for n in (d // 2, d, d // 16))
    conv, norm = heads.reduce
    y = batch_norm(F.conv2d(x, conv.weight[half], conv.bias[half]), norm, half)
    total = 0
    for conv, norm in heads.branches:
        z = F.conv2d(y, conv.weight[out], conv.bias[out], padding=conv.padding)
        total = total + batch_norm(z, norm, out)
    attention = torch.relu(total).sum(1, keepdim=True)  # [N,1,h,w]
    pooled = (x * attention).mean((2, 3))
    first, norm, _, second, _ = heads.channel
    hidden = batch_norm(pooled @ first.weight[squeezed, :, 0].T + first.bias[squeezed], norm, squeezed)
    gate = torch.sigmoid(torch.relu(hidden) @ second.weight[out, :, 0].T + second.bias[out])
    return pooled * gate, attention[:, 0]
