"""What processes of one training share."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from fer.distributed import SyncBatchNorm, from_first_on_machine, synchronise_batch_norm


@pytest.mark.parametrize(("process", "local", "first"), [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 1, 2)])
def test_what_processes_of_a_machine_share(monkeypatch, process, local, first):
    """Two machines of two processes each."""

    def gather(values: list, value: object) -> None:
        values[:] = range(4)

    monkeypatch.setattr("fer.distributed.world_size", lambda: 4)
    monkeypatch.setattr("fer.distributed.rank", lambda: process)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    monkeypatch.setenv("LOCAL_RANK", str(local))
    assert from_first_on_machine(process) == first


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4), (6, 5, 4, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_synchronised_batch_norm_alone_is_batch_norm(shape, training):
    kind = torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d
    torch.manual_seed(0)
    ours, theirs = kind(shape[1], eps=1e-3), kind(shape[1], eps=1e-3)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        torch.nn.init.normal_(p)
        q.data.copy_(p)
    synchronise_batch_norm(torch.nn.Sequential(ours))
    assert isinstance(ours, SyncBatchNorm)
    ours.train(training), theirs.train(training)
    x = torch.from_numpy(np.random.default_rng(0).normal(3, 2, shape)).float()
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    (ours(a) ** 3).sum().backward()
    (theirs(b) ** 3).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))


def share_of_batch_norm(rank: int, rendezvous: str, x: torch.Tensor, results) -> None:
    """One of two processes: its half of the batch -> output and running variance."""
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    norm = torch.nn.BatchNorm2d(x.shape[1])
    synchronise_batch_norm(norm)
    results[rank] = (norm(x[rank::2]).detach(), norm.running_var)
    dist.destroy_process_group()


@pytest.mark.parametrize(("processes", "ratio"), [(1, 0), (1, 1000), (1, 10_000), (2, 10_000)])
def test_the_variance_is_right_where_the_mean_is_large(tmp_path, processes, ratio):
    """In float32, against batch normalisation of the whole batch in float64."""
    x = (torch.from_numpy(np.random.default_rng(0).normal(0, 1, (16, 3, 4, 4))) + ratio).float()
    whole = torch.nn.BatchNorm2d(3).double()
    expected = whole(x.double()).float()
    if processes == 1:
        norm = torch.nn.BatchNorm2d(3)
        synchronise_batch_norm(norm)
        found, variances = norm(x).detach(), [norm.running_var]
    else:
        with mp.Manager() as manager:
            results = manager.dict()
            mp.spawn(share_of_batch_norm, (str(tmp_path / "rendezvous"), x, results), 2)
            found = torch.empty_like(x)
            found[0::2], found[1::2] = results[0][0], results[1][0]
            variances = [results[0][1], results[1][1]]
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    for variance in variances:
        torch.testing.assert_close(variance, whole.running_var.float(), rtol=1e-3, atol=0)
