"""The multi-head cross attention of DAN (MAN in the paper): every head looks at the face on its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
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
        self.reduce = nn.Sequential(nn.Conv2d(dim, k * hidden, 1), nn.BatchNorm2d(k * hidden))
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
            if isinstance(m, nn.Conv2d):
                fan_out = m.out_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]
                fan_out = fan_out if m.groups > 1 else fan_out // self.num_heads  # each head counts alone
                nn.init.normal_(m.weight, std=(2 / fan_out) ** 0.5)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Conv1d):
                nn.init.normal_(m.weight, std=0.001)
                nn.init.zeros_(m.bias)

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
        self.reduce = fuse_conv_bn_eval(*self.reduce)
        parts = [fuse_conv_bn_eval(*branch) for branch in self.branches]
        one = parts[0]  # 3x3; the others are padded to it
        kernels = []
        for part in parts:
            h, w = ((3 - n) // 2 for n in part.kernel_size)
            kernels.append(pad(part.weight, (w, w, h, h)))
        one.weight = nn.Parameter(sum(kernels))
        one.bias = nn.Parameter(sum(p.bias for p in parts))
        self.branches = nn.ModuleList([one])
