"""The engine under load: nothing overflows or leaks; threads and forked processes agree."""

from __future__ import annotations

import os
import pickle
import threading

import pytest

import minigrad as torch
from minigrad import nn


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
