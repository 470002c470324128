"""Attention heads against naive ones: a Python loop over heads, each written from the paper's formulas."""

import pytest
import torch
from torch.nn import functional as F

from fer.models.attention import CrossAttentionHeads, QueryHeads, attention_overlap
from naive_heads import naive_head, trained


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


def test_each_head_starts_as_the_authors_do():
    torch.manual_seed(0)
    heads = CrossAttentionHeads(256, 4)
    assert heads.reduce[0].weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert heads.branches[0][0].weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert heads.branches[1][0].weight.std().item() == pytest.approx((2 / (256 * 3)) ** 0.5, rel=0.02)
    assert heads.channel[0].weight.std().item() == pytest.approx(0.001, rel=0.02)


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
