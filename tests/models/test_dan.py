"""The network against a naive one: a Python loop over heads, each written from the paper's formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer.models.attention import CrossAttentionHeads, QueryHeads, attention_overlap
from fer.models.backbone import create_backbone
from fer.models.dan import DAN


class TinyBackbone(nn.Module):
    def __init__(self, dim: int = 32):
        super().__init__()
        self.num_features = dim
        self.conv = nn.Conv2d(3, dim, 3, 2, 1)

    def features(self, x):
        return torch.relu(self.conv(x))


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


@pytest.mark.parametrize("num_heads", [1, 2, 4])
def test_grouped_heads_equal_a_loop_over_heads(num_heads):
    torch.manual_seed(0)
    x = torch.randn(3, 32, 5, 4)
    heads = trained(CrossAttentionHeads(32, num_heads), x)
    actual, attention = heads(x)
    for k in range(num_heads):
        expected, looked = naive_head(heads, k, x)
        torch.testing.assert_close(actual[:, k], expected)
        torch.testing.assert_close(attention[:, k], looked)


@pytest.mark.parametrize("fusion", ["paper", "sum"])
@pytest.mark.parametrize("num_heads", [1, 4])
def test_fusion_equals_the_formula(num_heads, fusion):
    torch.manual_seed(0)
    x = torch.randn(3, 3, 16, 16)
    model = trained(DAN(TinyBackbone(), 5, num_heads, fusion=fusion), x)
    out = model(x)
    heads = raw = torch.stack([naive_head(model.attention, k, out.features)[0] for k in range(num_heads)], 1)
    if num_heads > 1:
        heads = heads - heads.exp().sum(1, keepdim=True).log()
    torch.testing.assert_close(out.heads, heads)
    summed = sum((heads if fusion == "paper" else raw)[:, k] for k in range(num_heads))
    logits = summed @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(out.logits, batch_norm(logits, model.norm, slice(None)))


def test_shapes():
    out = DAN(TinyBackbone(), 5, 4)(torch.randn(3, 3, 16, 12))
    assert [tuple(t.shape) for t in out] == [(3, 5), (3, 32, 8, 6), (3, 4, 32), (3, 4, 8, 6)]


@pytest.mark.parametrize("backbone", [TinyBackbone, lambda: create_backbone("mobilefacenet")])
def test_gradients_flow_to_every_parameter(backbone):
    torch.manual_seed(0)
    model = DAN(backbone(), 5, 2)
    model(torch.randn(4, 3, 32, 32)).logits.square().mean().backward()
    model_gradients = {name: p.grad for name, p in model.named_parameters()}
    assert [name for name, g in model_gradients.items() if g is None] == []
    # a bias before a batch normalisation has no effect on the output
    assert [name for name, g in model_gradients.items() if g.abs().sum() == 0 and not name.endswith("bias")] == []


def test_each_head_starts_as_the_authors_do():
    torch.manual_seed(0)
    heads = CrossAttentionHeads(256, 4)
    assert heads.reduce[0].weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert heads.branches[0][0].weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert heads.branches[1][0].weight.std().item() == pytest.approx((2 / (256 * 3)) ** 0.5, rel=0.02)
    assert heads.channel[0].weight.std().item() == pytest.approx(0.001, rel=0.02)


@pytest.mark.parametrize("backbone", [TinyBackbone, lambda: create_backbone("mobilefacenet")])
def test_folding_keeps_every_output(backbone):
    torch.manual_seed(0)
    x = torch.randn(4, 3, 48, 48)
    model = trained(DAN(backbone(), 5, 4), x)
    before, after = model(x), model.fold()(x)
    for name, a, b in zip(before._fields, before, after):
        scale = a.abs().max()
        assert (a - b).abs().max() <= 1e-5 * scale, name
    assert before.logits.std() > 0.01


def test_folding_leaves_the_model_itself_alone():
    model = DAN(TinyBackbone(), 5, 4)
    names = list(model.state_dict())
    folded = model.fold()
    assert list(model.state_dict()) == names
    assert len(folded.attention.branches) == 1
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("num_heads", "parts"), [(1, 4), (4, 4), (3, 1)])
def test_query_heads_equal_scaled_dot_product_attention(num_heads, parts):
    torch.manual_seed(0)
    heads, x = QueryHeads(32, num_heads, parts), torch.randn(3, 32, 5, 4)
    found, attention = heads(x)
    tokens = heads.norm(x.flatten(2).transpose(1, 2))
    q = heads.queries.expand(3, -1, -1).unflatten(2, (parts, -1)).transpose(1, 2)  # [N,P,K,D/P]
    k, v = (f(tokens).unflatten(2, (parts, -1)).transpose(1, 2) for f in (heads.keys, heads.values))
    expected = heads.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(found, expected)
    assert attention.shape == (3, num_heads, 5, 4)
    torch.testing.assert_close(attention.sum((2, 3)), torch.ones(3, num_heads))


def test_an_unknown_attention():
    with pytest.raises(ValueError, match="unknown attention 'soft'; choose one of paper, qkv"):
        DAN(TinyBackbone(), 4, 2, "soft")
    with pytest.raises(ValueError, match="unknown fusion 'mean'; choose one of paper, sum"):
        DAN(TinyBackbone(), 4, 2, fusion="mean")


@pytest.mark.parametrize(
    ("maps", "overlap"),
    [
        ([[1, 0, 0], [0, 2, 0], [0, 0, 3]], 0.0),  # no position is shared
        ([[1, 2, 3], [2, 4, 6]], 1.0),  # alike but for their scale
        ([[1, 0, 0], [1, 1, 0]], 0.5**0.5),
        ([[1, 0, 0], [1, 0, 0], [0, 1, 0]], 1 / 3),  # one pair of three
        ([[1, 2, 3]], 0.0),  # a single head
        ([[0, 0, 0], [1, 2, 3]], 0.0),  # a head that looks nowhere
    ],
)
def test_attention_overlap(maps, overlap):
    maps = torch.tensor(maps, dtype=torch.float)[None, :, :, None]
    assert attention_overlap(maps).tolist() == pytest.approx([overlap])


def test_query_heads_say_which_channels_they_take():
    with pytest.raises(
        ValueError, match="needs a multiple of 4 channels, and this backbone has 30; choose attention paper"
    ):
        QueryHeads(30, 2)
