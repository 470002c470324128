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
    out = DAN(TinyBackbone(), 5, 4, va=True)(torch.randn(3, 3, 16, 12))
    assert [tuple(t.shape) for t in out] == [(3, 5), (3, 32, 8, 6), (3, 4, 32), (3, 4, 8, 6), (3, 32), (3, 2)]


@pytest.mark.parametrize("fusion", ["paper", "sum"])
def test_valence_and_arousal_equal_their_formula(fusion):
    torch.manual_seed(0)
    x = torch.randn(8, 3, 16, 16)
    model = trained(DAN(TinyBackbone(), 5, 4, fusion=fusion, va=True), x)
    out, (linear, norm, _) = model(x), model.va
    expected = torch.tanh(batch_norm(out.embedding @ linear.weight.T + linear.bias, norm, slice(None)))
    torch.testing.assert_close(out.va, expected)


@pytest.mark.parametrize("fusion", ["paper", "sum"])
def test_valence_and_arousal_do_not_begin_at_their_ends(fusion):
    """Where tanh is flat, nothing would be learnt."""
    torch.manual_seed(0)
    va = DAN(create_backbone("mobilefacenet-128"), 5, 4, fusion=fusion, va=True)(torch.randn(16, 3, 32, 32)).va
    assert va.mean(0).abs().max() < 0.3 and va.std(0).min() > 0.4 and va.std(0).max() < 0.8


def test_without_their_head_the_network_is_as_before():
    """The same names and, for the same seed, the same values."""
    models = []
    for va in (False, True):
        torch.manual_seed(0)
        models.append(DAN(TinyBackbone(), 5, 4, va=va))
    without, with_head = (model.state_dict() for model in models)
    assert {name.partition(".")[0] for name in with_head.keys() - without.keys()} == {"va"}
    assert all(torch.equal(tensor, with_head[name]) for name, tensor in without.items())
    assert models[0](torch.randn(2, 3, 8, 8)).va is None


@pytest.mark.parametrize("backbone", [TinyBackbone, lambda: create_backbone("mobilefacenet")])
def test_gradients_flow_to_every_parameter(backbone):
    torch.manual_seed(0)
    model = DAN(backbone(), 5, 2, va=True)
    output = model(torch.randn(4, 3, 32, 32))
    (output.logits.square().mean() + (output.va * torch.randn(4, 2)).mean()).backward()
    model_gradients = {name: p.grad for name, p in model.named_parameters()}
    assert [name for name, g in model_gradients.items() if g is None] == []
    # a bias before a batch normalisation has no effect on the output
    assert [name for name, g in model_gradients.items() if g.abs().sum() == 0 and not name.endswith("bias")] == []


@pytest.mark.parametrize("backbone", [TinyBackbone, lambda: create_backbone("mobilefacenet")])
def test_folding_keeps_every_output(backbone):
    torch.manual_seed(0)
    x = torch.randn(4, 3, 48, 48)
    model = trained(DAN(backbone(), 5, 4, va=True), x)
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
    with pytest.raises(ValueError, match="unknown attention 'soft'; known: paper, qkv"):
        DAN(TinyBackbone(), 4, 2, "soft")
    with pytest.raises(ValueError, match="unknown fusion 'mean'; choose one of paper, sum"):
        DAN(TinyBackbone(), 4, 2, fusion="mean")
