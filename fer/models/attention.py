"""Attention heads: those of DAN (the multi-head cross attention network, MAN, of the paper) and learnt queries.

Heads are modules made from the number of channels D and of heads K. They map features [N,D,h,w] to heads [N,K,D] and
attention maps [N,K,h,w], which are float32 and not negative. `fer.registry.ATTENTIONS` has their names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval


class CrossAttentionHeads(nn.Module):
    """K attention heads as one grouped computation (Wen et al. 2021, arXiv:2109.07270, section 3.2).

    Each head weighs the positions of the features x (spatial attention), averages over them, and weighs the channels
    (channel attention):
    y = BN(conv1x1 x); a = sum over channels of ReLU(BN(conv3x3 y) + BN(conv1x3 y) + BN(conv3x1 y));
    z = mean over positions of x * a; head = z * sigmoid(W2 ReLU(BN(W1 z))).

    Args:
        dim: number of channels D of the features.
        num_heads: number of heads K.
    """

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        k, hidden, squeeze = num_heads, dim // 2, dim // 16
        self.reduce: nn.Module = nn.Sequential(nn.Conv2d(dim, k * hidden, 1), nn.BatchNorm2d(k * hidden))
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(k * hidden, k * dim, (h, w), padding=(h // 2, w // 2), groups=k), nn.BatchNorm2d(k * dim)
            )
            for h, w in ((3, 3), (1, 3), (3, 1))
        )
        self.channel = nn.Sequential(  # a Linear per head is a grouped convolution over one position
            nn.Conv1d(k * dim, k * squeeze, 1, groups=k),
            nn.BatchNorm1d(k * squeeze),
            nn.ReLU(inplace=True),
            nn.Conv1d(k * squeeze, k * dim, 1, groups=k),
            nn.Sigmoid(),
        )
        self._initialise()

    def _initialise(self) -> None:
        """Initialise as the authors do: He (fan-out) for 2-D convolutions, N(0, 0.001) for channel attention."""
        for m in self.modules():
            if isinstance(m, (nn.Conv1d, nn.Conv2d)) and m.bias is not None:
                nn.init.zeros_(m.bias)
            if isinstance(m, nn.Conv2d):
                fan_out = m.out_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]
                fan_out = fan_out if m.groups > 1 else fan_out // self.num_heads  # the fan-out of one head
                nn.init.normal_(m.weight, std=(2 / fan_out) ** 0.5)
            elif isinstance(m, nn.Conv1d):
                nn.init.normal_(m.weight, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N,D,h,w] -> heads [N,K,D] and attention maps [N,K,h,w] (float32)."""
        n, d, h, w = features.shape
        y = self.reduce(features)
        y = torch.relu(sum(branch(y) for branch in self.branches))  # [N,K*D,h,w]
        attention = y.view(n, self.num_heads, d, h, w).sum(2, dtype=torch.float32)  # [N,K,h,w]
        z = torch.einsum("ndp,nkp->nkd", features.flatten(2), attention.flatten(2).to(features.dtype)) / (h * w)
        gate = self.channel(z.reshape(n, -1, 1)).view_as(z)
        return z * gate, attention

    def fold(self) -> None:
        """Fold each batch normalisation into its convolution, and the three branches into one 3x3 convolution.

        For inference. The outputs in eval mode stay the same.
        """
        self.reduce = _fuse(self.reduce)
        convolutions = [_fuse(branch) for branch in self.branches]
        merged = convolutions[0]  # 3x3; the kernels of the others are padded to this size
        kernels = []
        for convolution in convolutions:
            h, w = ((3 - n) // 2 for n in convolution.kernel_size)
            kernels.append(pad(convolution.weight, (w, w, h, h)))
        merged.weight = nn.Parameter(torch.stack(kernels).sum(0))
        merged.bias = nn.Parameter(torch.stack([c.bias for c in convolutions if c.bias is not None]).sum(0))
        self.branches = nn.ModuleList([merged])


def _fuse(layers: nn.Module) -> nn.Conv2d:
    """Fuse a convolution and the batch normalisation after it into one convolution."""
    convolution, norm = layers.children()
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm)


class QueryHeads(nn.Module):
    """K learnt queries that attend to the positions of the features: cross-attention as in Vaswani et al. 2017.

    The outputs are those of `CrossAttentionHeads`. The softmax is written out because its weights are an output.

    Args:
        dim: number of channels D of the features.
        num_heads: number of queries K.
        parts: number of channel groups; each query has a separate attention in each ("heads" in Vaswani et al.).

    Raises:
        ValueError: `dim` is not a multiple of `parts`.
    """

    def __init__(self, dim: int, num_heads: int, parts: int = 4):
        super().__init__()
        if dim % parts:
            raise ValueError(
                f"attention qkv needs a multiple of {parts} channels, and this backbone has {dim}; "
                "choose attention paper or another backbone"
            )
        self.num_heads, self.parts = num_heads, parts
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Parameter(torch.randn(num_heads, dim))
        self.keys, self.values, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N,D,h,w] -> heads [N,K,D] and attention maps [N,K,h,w] (float32), each of which sums to 1."""
        n, d, h, w = features.shape
        tokens = self.norm(features.flatten(2).transpose(1, 2))  # [N,h*w,D]
        keys = self.keys(tokens).view(n, h * w, self.parts, -1)  # [N,h*w,P,D/P]
        values = self.values(tokens).view(n, h * w, self.parts, -1)
        queries = self.queries.view(self.num_heads, self.parts, -1)  # [K,P,D/P]
        scores = torch.einsum("kpd,nspd->nkps", queries.to(keys.dtype), keys) / keys.shape[-1] ** 0.5
        weights = scores.softmax(3)  # [N,K,P,h*w]
        heads = torch.einsum("nkps,nspd->nkpd", weights.to(values.dtype), values).reshape(n, self.num_heads, d)
        return self.out(heads), weights.float().mean(2).view(n, self.num_heads, h, w)


def attention_overlap(attention: Tensor) -> Tensor:
    """Overlap of the attention maps [N,K,h,w]: the mean cosine similarity over all pairs of heads, [N].

    It is 0 where no two heads share a position, 1 where all maps are equal up to their scale, and 0 for K = 1. Its mean
    over the batch is the overlap loss. The partition loss, too, separates the heads, but larger heads alone lower it;
    the cosine does not depend on the scale.
    """
    n, k = attention.shape[:2]
    if k == 1:
        return attention.new_zeros(n)
    maps = normalize(attention.flatten(2), dim=2)  # [N,K,h*w]
    cosines = maps @ maps.transpose(1, 2)  # [N,K,K]
    return (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (k * (k - 1))
