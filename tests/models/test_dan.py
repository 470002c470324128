"""The network against a naive one: a Python loop over heads, each written from the paper's formulas."""

import pytest
import torch
from torch import nn

from fer.models.backbone import create_backbone
from fer.models.dan import DAN
from naive_heads import batch_norm, naive_head, trained


class TinyBackbone(nn.Module):
    def __init__(self, dim: int = 32):
        super().__init__()
        self.num_features = dim
        self.conv = nn.Conv2d(3, dim, 3, 2, 1)

    def features(self, x):
        return torch.relu(self.conv(x))


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
    torch.testing.assert_close(out.embedding, summed)
    torch.testing.assert_close(out.logits, batch_norm(logits, model.norm, slice(None)))


def test_shapes():
    out = DAN(TinyBackbone(), 5, 4)(torch.randn(3, 3, 16, 12))
    assert [tuple(t.shape) for t in out] == [(3, 5), (3, 32, 8, 6), (3, 4, 32), (3, 4, 8, 6), (3, 32)]


@pytest.mark.parametrize("backbone", [TinyBackbone, lambda: create_backbone("mobilefacenet")])
def test_gradients_flow_to_every_parameter(backbone):
    torch.manual_seed(0)
    model = DAN(backbone(), 5, 2)
    model(torch.randn(4, 3, 32, 32)).logits.square().mean().backward()
    model_gradients = {name: p.grad for name, p in model.named_parameters()}
    assert [name for name, g in model_gradients.items() if g is None] == []
    # a bias before a batch normalisation has no effect on the output
    assert [name for name, g in model_gradients.items() if g.abs().sum() == 0 and not name.endswith("bias")] == []


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


def test_an_unknown_attention():
    with pytest.raises(ValueError, match="unknown attention 'soft'; choose one of paper, qkv"):
        DAN(TinyBackbone(), 4, 2, "soft")
    with pytest.raises(ValueError, match="unknown fusion 'mean'; choose one of paper, sum"):
        DAN(TinyBackbone(), 4, 2, fusion="mean")
