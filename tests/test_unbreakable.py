"""The engine under load: nothing overflows or leaks; threads and forked processes agree."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
import threading
import tracemalloc

import pytest

import minigrad as torch
from minigrad import nn


# ---------------------------------------------------------------------------------- size and depth
def test_higher_derivatives_and_copies_of_a_long_chain():
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    (g,) = torch.autograd.grad(y * y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    assert h.item() == pytest.approx(2 * 1.0001**40_000)
    assert copy.deepcopy(y.detach()).item() == y.item()
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(y)
    del y, g


def test_a_sum_of_50000_leaves():
    leaves = [torch.ones(1, requires_grad=True) for _ in range(50_000)]
    torch.cat(leaves).sum().backward()
    assert all(leaf.grad.item() == 1 for leaf in leaves[::5000])
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf
    total.backward()
    assert leaves[0].grad.item() == leaves[-1].grad.item() == 2


@pytest.mark.parametrize("create", [False, True])
def test_a_diamond_chain_of_depth_60(create):
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    (g,) = torch.autograd.grad(y, x, create_graph=create)
    assert g.item() == 2.0**60


def test_1000_nested_modules():
    net = nn.Linear(1, 1)
    for _ in range(150):  # Python's own limit on nested calls ends a deeper forward, as in torch
        net = nn.Sequential(net)
    net(torch.ones(2, 1)).sum().backward()
    for _ in range(850):
        net = nn.Sequential(net)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        assert len(list(net.parameters())) == 2 and len(list(net.modules())) == 1001
        assert net.state_dict().keys() == {"0." * 1000 + "weight", "0." * 1000 + "bias"}
        net.zero_grad()
    finally:
        sys.setrecursionlimit(limit)


def train(seed, steps=30):
    """Train a small net from a seed; return its parameters."""
    g = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.rand(p.shape, generator=g) - 0.5)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        x = torch.rand(16, 4, generator=g)
        opt.zero_grad()
        nn.functional.mse_loss(net(x), x.sum(1, keepdim=True)).backward()
        opt.step()
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.slow
def test_memory_is_flat_over_10000_steps():
    train(0, 100)
    gc.disable()
    tracemalloc.start()
    try:
        train(0, 500)
        before = tracemalloc.get_traced_memory()[0]
        train(0, 10_000)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 50_000


# ---------------------------------------------------------------------------- threads and processes
def test_threads_train_as_one():
    wanted = {seed: train(seed) for seed in (1, 2)}
    found = {}
    threads = [threading.Thread(target=lambda s=s: found.update({s: train(s)})) for s in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, values in wanted.items():
        assert all(map(torch.equal, found[seed], values))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_trains_as_its_parent():
    wanted = train(3)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            same = all(map(torch.equal, train(3), wanted))
            os.write(writing, b"same" if same else b"different")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"same"
    os.waitpid(child, 0)


def test_pickled_tensors_and_modules():
    x = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    again = pickle.loads(pickle.dumps(x))
    assert torch.equal(again, x) and again.requires_grad and again.is_leaf
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    twin = pickle.loads(pickle.dumps(net))
    assert all(map(torch.equal, net.state_dict().values(), twin.state_dict().values()))
