"""The multi-head cross attention of DAN (MAN in the paper): every head looks at the face on its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval


class CrossAttentionHeads(nn.Module):
    """K attention heads as one grouped computation (Wen et al. 2021, arXiv:2109.07270, section 3.2).

    Head k weighs the positions of the features x (spatial attention), averages them and weighs the channels:
    y = BN(conv1x1 x); a = sum over channels of ReLU(BN(conv3x3 y) + BN(conv1x3 y) + BN(conv3x1 y));
    z = mean over positions of x * a; head = z * sigmoid(W2 ReLU(BN(W1 z))).

    Args:
        dim: channels D of the features.
        num_heads: K.
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
        """As the authors do: He (fan out) for spatial convolutions, N(0, 0.001) for the channel weights."""
        for m in self.modules():
            if isinstance(m, (nn.Conv1d, nn.Conv2d)) and m.bias is not None:
                nn.init.zeros_(m.bias)
            if isinstance(m, nn.Conv2d):
                fan_out = m.out_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]
                fan_out = fan_out if m.groups > 1 else fan_out // self.num_heads  # each head counts alone
                nn.init.normal_(m.weight, std=(2 / fan_out) ** 0.5)
            elif isinstance(m, nn.Conv1d):
                nn.init.normal_(m.weight, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features [N,D,h,w] -> heads [N,K,D], attention [N,K,h,w]."""
        n, d, h, w = features.shape
        y = self.reduce(features)
        y = torch.relu(sum(branch(y) for branch in self.branches))  # [N,K*D,h,w]
        attention = y.view(n, self.num_heads, d, h, w).sum(2, dtype=torch.float32)  # [N,K,h,w]
        z = torch.einsum("ndp,nkp->nkd", features.flatten(2), attention.flatten(2).to(features.dtype)) / (h * w)
        gate = self.channel(z.reshape(n, -1, 1)).view_as(z)
        return z * gate, attention

    def fold(self) -> None:
        """For inference: batch normalisation into its convolution, the three branches into one 3x3 convolution; exact."""
        self.reduce = _fuse(self.reduce)
        parts = [_fuse(branch) for branch in self.branches]
        one = parts[0]  # 3x3; the others are padded to it
        kernels = []
        for part in parts:
            h, w = ((3 - n) // 2 for n in part.kernel_size)
            kernels.append(pad(part.weight, (w, w, h, h)))
        one.weight = nn.Parameter(torch.stack(kernels).sum(0))
        one.bias = nn.Parameter(torch.stack([p.bias for p in parts if p.bias is not None]).sum(0))
        self.branches = nn.ModuleList([one])


def _fuse(layers: nn.Module) -> nn.Conv2d:
    """A convolution followed by batch normalisation -> one convolution."""
    convolution, norm = layers.children()
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm)


class QueryHeads(nn.Module):
    """K learnt queries attend to the positions of the features: cross-attention in the sense of Vaswani et al. 2017.

    The same outputs as `CrossAttentionHeads`. The softmax is written out because its weights are an output too.

    Args:
        dim: channels D of the features.
        num_heads: K, the queries.
        parts: groups of D / parts channels in which each query attends by itself ("heads" in Vaswani et al.).

    Raises:
        ValueError: `dim` is not a multiple of `parts`.
    """

    def __init__(self, dim: int, num_heads: int, parts: int = 4):
        super().__init__()
        if dim % parts:
            raise ValueError(
                f"attention qkv needs a multiple of {parts} channels, and this backbone has {dim}; choose attention paper, or "
                "another backbone"
            )
        self.num_heads, self.parts = num_heads, parts
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Parameter(torch.randn(num_heads, dim))
        self.keys, self.values, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features [N,D,h,w] -> heads [N,K,D], attention [N,K,h,w], which sums to 1 over the positions."""
        n, d, h, w = features.shape
        tokens = self.norm(features.flatten(2).transpose(1, 2))  # [N,h*w,D]
        keys = self.keys(tokens).view(n, h * w, self.parts, -1)  # [N,h*w,P,D/P]
        values = self.values(tokens).view(n, h * w, self.parts, -1)
        queries = self.queries.view(self.num_heads, self.parts, -1)  # [K,P,D/P]
        scores = torch.einsum("kpd,nspd->nkps", queries.to(keys.dtype), keys) / keys.shape[-1] ** 0.5
        weights = scores.softmax(3)  # [N,K,P,h*w]
        heads = torch.einsum("nkps,nspd->nkpd", weights.to(values.dtype), values).reshape(n, self.num_heads, d)
        return self.out(heads), weights.float().mean(2).view(n, self.num_heads, h, w)


ATTENTIONS = {"paper": CrossAttentionHeads, "qkv": QueryHeads}


def attention_overlap(attention: Tensor) -> Tensor:
    """How much the heads look at the same places: mean cosine of all pairs of maps [N,K,h,w] -> [N]. Zero for K = 1.

    0 when no two heads share a position, 1 when all maps are alike. The partition loss wants the same of the pooled
    heads, but their scale alone can satisfy it; a cosine has no scale. As a loss, its mean over the batch.
    """
    n, k = attention.shape[:2]
    if k == 1:
        return attention.new_zeros(n)
    maps = normalize(attention.flatten(2), dim=2)  # [N,K,h*w]
    cosines = maps @ maps.transpose(1, 2)  # [N,K,K]
    return (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (k * (k - 1))
