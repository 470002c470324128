"""Each formula against a naive reference written from the paper, image by image."""

import math

import numpy as np
import pytest
import torch

from fer.losses import DANLoss, affinity_loss, outside_loss, partition_loss, soft_cross_entropy, va_loss
from fer.models.attention import attention_overlap
from fer.models.dan import DANOutput

rng = np.random.default_rng(0)


def random_target(n: int, c: int, hard: bool) -> np.ndarray:
    return np.eye(c)[rng.integers(c, size=n)] if hard else rng.dirichlet(np.ones(c), n)


@pytest.mark.parametrize("hard", [True, False])
def test_soft_cross_entropy(hard):
    logits, target = rng.normal(size=(5, 4)), random_target(5, 4, hard)
    expected = 0.0
    for row, t in zip(logits, target):
        probs = [math.exp(v) / sum(math.exp(u) for u in row) for v in row]
        expected -= sum(ti * math.log(p) for ti, p in zip(t, probs)) / 5
    assert soft_cross_entropy(torch.tensor(logits), torch.tensor(target)).item() == pytest.approx(expected)


def test_class_weights_are_those_of_torch():
    """Of torch's own cross-entropy with probabilities as targets."""
    logits, target = torch.randn(6, 3), torch.rand(6, 3).softmax(1)
    weights = torch.tensor([0.5, 2.0, 0.0])
    expected = torch.nn.functional.cross_entropy(logits, target, weights)
    torch.testing.assert_close(soft_cross_entropy(logits, target, weights), expected)
    loss = DANLoss(3, 4, affinity=0.0, partition=0.0, class_weights=weights)
    out = DANOutput(logits, torch.zeros(6, 4, 1, 1), torch.zeros(6, 2, 4), torch.zeros(6, 2, 1, 1), torch.zeros(6, 4))
    torch.testing.assert_close(loss(out, target)["cross_entropy"], expected)
    assert "class_weights" not in loss.state_dict()


@pytest.mark.parametrize("hard", [True, False])
def test_affinity_loss(hard):
    features, centres = rng.normal(size=(5, 6, 2, 3)), rng.normal(size=(4, 6))
    target = random_target(5, 4, hard)
    spread = sum(np.var(centres[:, d], ddof=1) for d in range(6))
    expected = 0.0
    for x, t in zip(features, target):
        pooled = [np.mean(x[d]) for d in range(6)]
        for c in range(4):
            expected += t[c] * sum((pooled[d] - centres[c, d]) ** 2 for d in range(6)) / spread / 5
    actual = affinity_loss(torch.tensor(features), torch.tensor(target), torch.tensor(centres))
    assert actual.item() == pytest.approx(expected)


def test_partition_loss():
    heads = rng.normal(size=(5, 3, 6))
    variances = [np.var([heads[n, k, d] for k in range(3)], ddof=1) for n in range(5) for d in range(6)]
    expected = math.log(1 + 3 / np.mean(variances))
    assert partition_loss(torch.tensor(heads)).item() == pytest.approx(expected)


def test_partition_loss_falls_as_the_heads_spread():
    heads = torch.randn(4, 4, 16, generator=torch.Generator().manual_seed(0))
    losses = [partition_loss(spread * heads).item() for spread in (0.1, 0.3, 1, 3, 10)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] > 0


@pytest.mark.parametrize(
    ("heads", "finite"),
    [
        (torch.zeros(2, 1, 4), 0.0),  # one head has nothing to part from
        (torch.zeros(2, 3, 4), math.log1p(3 / 1e-12)),  # equal heads: large, not infinite
    ],
)
def test_partition_loss_at_its_edges(heads, finite):
    assert partition_loss(heads).item() == pytest.approx(finite)


def output(n=5, c=4, d=6, k=3) -> DANOutput:
    make = torch.Generator().manual_seed(1)
    return DANOutput(
        *(
            torch.randn(shape, generator=make, requires_grad=True)
            for shape in ((n, c), (n, d, 2, 2), (n, k, d), (n, k, 2, 2), (n, d))
        )
    )


def test_terms_carry_their_weights_and_weight_zero_leaves_one_out():
    target = torch.full((5, 4), 0.25)
    torch.manual_seed(0)
    full = DANLoss(4, 6)
    part = DANLoss(4, 6, affinity=0.3, partition=0.0)
    part.load_state_dict(full.state_dict())
    all_terms, some = full(output(), target), part(output(), target)
    assert list(all_terms) == ["cross_entropy", "affinity", "partition"]
    assert list(some) == ["cross_entropy", "affinity"]
    assert some["affinity"].item() == pytest.approx(0.3 * all_terms["affinity"].item(), rel=1e-5)


def test_the_overlap_loss_drives_maps_apart():
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 4, 4, requires_grad=True)
    before = attention_overlap(maps).mean()
    criterion = DANLoss(4, 6, overlap=0.5)
    loss = criterion(output()._replace(attention=maps), torch.full((5, 4), 0.25))["overlap"]
    assert loss.item() == pytest.approx(0.5 * before.item())
    loss.backward()
    assert attention_overlap(maps.detach() - 0.5 * maps.grad).mean() < before


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_outside_loss(scale):
    maps, outside = scale * rng.random((5, 3, 4, 2)), rng.random((4, 2)) < 0.5
    shares = [m[outside].sum() / m.sum() for heads in maps for m in heads]
    assert outside_loss(torch.tensor(maps), torch.tensor(outside)).item() == pytest.approx(np.mean(shares))


@pytest.mark.parametrize(
    ("strength", "loss"),
    [
        (1.0, 0.0),
        (0.25, 0.0),  # 0.4 of the mean of the two
        (0.05, 0.5 * (1 - 0.05 * 5 / 0.525)),  # below a fifth of it
        (0.0, 0.5),
    ],
)
def test_a_head_that_fades_counts_as_outside(strength, loss):
    maps, outside = torch.ones(1, 2, 2, 2), torch.tensor([[True, True], [False, False]])
    maps[:, :, outside] = 0
    maps[:, 1] *= strength
    maps.requires_grad_()
    actual = outside_loss(maps, outside)
    assert actual.item() == pytest.approx(loss, abs=1e-6)
    actual.backward()
    assert maps.grad.isfinite().all() and (maps.grad[0, 1, 1].sum() < 0) == (strength < 0.2)


def test_maps_of_zeros_are_outside():
    assert outside_loss(torch.zeros(2, 3, 2, 2), torch.zeros(2, 2, dtype=torch.bool)).item() == 1


def test_the_outside_loss_draws_attention_into_the_face():
    maps = torch.ones(2, 3, 4, 4, requires_grad=True)
    outside = torch.ones(4, 4, dtype=torch.bool)
    outside[1:3, 1:3] = False
    criterion = DANLoss(4, 6, outside=0.5, outside_positions=outside)
    loss = criterion(output()._replace(attention=maps), torch.full((5, 4), 0.25))["outside"]
    assert loss.item() == pytest.approx(0.5 * 12 / 16)
    loss.backward()
    assert (maps.grad[..., outside] > 0).all() and (maps.grad[..., ~outside] < 0).all()


@pytest.mark.parametrize("t", [1.0, 2.0])
def test_distillation_against_its_formula(t):
    out, target, taught = output(), torch.full((5, 4), 0.25), torch.rand(5, 4).softmax(1)
    terms = DANLoss(4, 6, distill=0.7, temperature=t)(out, target, taught)
    soft = -(taught * torch.log_softmax(out.logits / t, 1)).sum(1).mean()
    assert terms["distillation"].item() == pytest.approx(0.7 * t * t * soft.item(), rel=1e-5)
    assert terms["cross_entropy"].item() == pytest.approx(0.3 * soft_cross_entropy(out.logits, target).item(), rel=1e-5)


def naive_va_loss(va: np.ndarray, target: np.ndarray) -> float:
    """By the correlation coefficient of NumPy; at least two known values of each."""
    total = 0.0
    for k in range(2):
        known = [i for i in range(len(va)) if not math.isnan(target[i, k])]
        x, y = va[known, k], target[known, k]
        pearson = np.corrcoef(x, y)[0, 1]
        ccc = 2 * pearson * np.std(x) * np.std(y) / (np.std(x) ** 2 + np.std(y) ** 2 + (np.mean(x) - np.mean(y)) ** 2)
        total += (1 - ccc + np.mean([(a - b) ** 2 for a, b in zip(x, y)])) / 2
    return total


NAN = math.nan
VA = [[0.5, -0.2], [-0.7, 0.1], [0.3, 0.9], [0.0, -0.6]]


@pytest.mark.parametrize(
    "unknown",
    [[], [(0, 0), (0, 1)], [(0, 0), (1, 0), (3, 1)]],  # none, a row, some of either
)
def test_va_loss(unknown):
    va, target = rng.uniform(-1, 1, (4, 2)), np.array(VA)
    for place in unknown:
        target[place] = NAN
    assert va_loss(torch.tensor(va), torch.tensor(target)).item() == pytest.approx(naive_va_loss(va, target))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([[NAN, NAN]] * 2, 0.0),  # nothing is known
        ([[0.5, NAN], [NAN, NAN]], 0.25 / 2),  # one value: the squared error alone
        ([[0.5, 0.0], [NAN, NAN]], 0.25 / 2),  # one row
        ([[0.0, 0.0], [0.0, 0.0]], 1.0),  # no variance: CCC is 0
    ],
)
def test_va_loss_at_its_edges(target, expected):
    va = torch.zeros(2, 2, requires_grad=True)
    loss = va_loss(va, torch.tensor(target))
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert va.grad.isfinite().all()
    assert (va.grad[torch.tensor(target).isnan()] == 0).all()


def test_equal_values_have_no_va_loss():
    assert va_loss(torch.tensor(VA), torch.tensor(VA)).item() == pytest.approx(0, abs=1e-6)


def test_valence_and_arousal_follow_the_classes_in_the_target():
    out, va = output()._replace(va=torch.rand(5, 2)), torch.rand(5, 2)
    target = torch.full((5, 4), 0.25)
    with_va = DANLoss(4, 6, affinity=0.0, va=0.5)(out, torch.hstack([target, va]))
    without = DANLoss(4, 6, affinity=0.0)(out, target)
    assert with_va["va"].item() == pytest.approx(0.5 * va_loss(out.va, va).item())
    assert {name: with_va[name] for name in without} == without and list(with_va) == [*without, "va"]


def test_without_the_affinity_loss_there_are_no_centres():
    """A parameter that is never used would stop training on several GPUs."""
    assert list(DANLoss(4, 6, affinity=0.0).parameters()) == []


def test_the_loss_is_computed_in_float32_under_autocast():
    half = DANOutput(*(t.bfloat16() for t in output()[:5]))
    with torch.autocast("cpu", torch.bfloat16):
        terms = DANLoss(4, 6)(half, torch.full((5, 4), 0.25))
    assert {t.dtype for t in terms.values()} == {torch.float32}


def test_gradients_reach_features_heads_logits_and_centres():
    out, criterion = output(), DANLoss(4, 6)
    sum(criterion(out, torch.full((5, 4), 0.25)).values()).backward()
    for tensor in (out.logits, out.features, out.heads, criterion.centres):
        assert tensor.grad.abs().sum() > 0


def test_label_smoothing_is_that_of_torch():
    logits, target = torch.randn(6, 3), torch.rand(6, 3).softmax(1)
    expected = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.2)
    torch.testing.assert_close(soft_cross_entropy(logits, target, label_smoothing=0.2), expected)
