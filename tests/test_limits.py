"""Sizes at which a recursive or quadratic engine would stop: depth, width, nesting, long runs."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import tracemalloc

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.func import grad, vmap
from minigrad.utils.checkpoint import checkpoint
from tests.cycles import no_cycles

LONG = 200_000


def chain(length):
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(length):
        y = y * 1.00001
    return x, y


# ---------------------------------------------------------------------------------- size and depth
@pytest.mark.slow
def test_a_long_chain_goes_forward_backward_and_away():
    x, y = chain(LONG)
    y.backward()
    assert x.grad.item() == pytest.approx(1.00001**LONG)
    del y
    assert not gc.collect()


@pytest.mark.slow
def test_a_long_chain_has_higher_derivatives():
    x, y = chain(LONG)
    (g,) = torch.autograd.grad(y * y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    assert h.item() == pytest.approx(2 * 1.00001 ** (2 * LONG))
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(y)
    del y, g


@pytest.mark.slow
def test_a_long_chain_with_hooks_and_kept_gradients():
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    y, calls, kept = x, [0], []

    def count(g):
        calls[0] += 1

    for k in range(LONG):
        y = y * 1.00001
        y.register_hook(count)
        if k % 2:
            y.retain_grad()
            kept.append(y)
    y.backward()
    assert calls[0] == LONG and kept[-1].grad.item() == 1
    assert kept[0].grad.item() == pytest.approx(1.00001 ** (LONG - 2))
    kept.clear()
    del y


@pytest.mark.slow
def test_a_long_chain_of_writes_in_place():
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    y = x * 1
    for k in range(20_000):
        y[k % 3] = y[(k + 1) % 3] * 1.0001
    y.sum().backward()
    assert torch.isfinite(x.grad).all()
    del y


@pytest.mark.slow
@pytest.mark.parametrize("join", ["cat", "stack", "sum"])
def test_50000_leaves(join):
    leaves = [torch.ones(1, requires_grad=True) for _ in range(50_000)]
    if join == "sum":
        total = leaves[0]
        for leaf in leaves[1:]:
            total = total + leaf
    else:
        total = getattr(torch, join)(leaves).sum()
    total.backward()
    assert all(leaf.grad.item() == 1 for leaf in leaves[::5000])


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", ["add", "nonlinear"])
def test_a_diamond_chain_of_depth_60(name, create):
    """A walk over all paths would take 2^60 steps."""
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y if name == "add" else (y * 0.5).sin() + (y * 0.5)
    (g,) = torch.autograd.grad(y, x, create_graph=create)
    if name == "add":
        assert g.item() == 2.0**60
    elif create:
        (h,) = torch.autograd.grad(g, x, create_graph=True)
        step = 1e-5
        ends = []
        for start in (1 + step, 1 - step):
            t = torch.tensor(start, dtype=torch.float64, requires_grad=True)
            z = t
            for _ in range(60):
                z = (z * 0.5).sin() + (z * 0.5)
            ends.append(torch.autograd.grad(z, t)[0].item())
        assert h.item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


# ------------------------------------------------------------------------------------- deep nesting
def nested(depth):
    net = nn.Linear(1, 1)
    for _ in range(depth):
        net = nn.Sequential(net)
    return net


NESTED = {  # depths that PyTorch manages under Python's limit of 1000 calls, less what pytest uses
    "forward": (180, lambda net: net(torch.ones(2, 1)).sum().backward()),
    "repr": (250, repr), "state_dict": (850, lambda net: net.state_dict()),
    "load_state_dict": (850, lambda net: net.load_state_dict(net.state_dict())),
    "apply": (850, lambda net: net.apply(lambda m: None)),
    "named_modules": (850, lambda net: list(net.named_modules())),
    "parameters": (850, lambda net: list(net.parameters())), "double": (850, nn.Module.double),
    "train": (850, nn.Module.train), "zero_grad": (850, nn.Module.zero_grad),
    "requires_grad_": (850, nn.Module.requires_grad_), "deepcopy": (140, copy.deepcopy),
    "pickle": (160, lambda net: pickle.loads(pickle.dumps(net))),
    "children": (1000, lambda net: list(net.named_children())),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_modules(name):
    depth, use = NESTED[name]
    use(nested(depth))


@pytest.mark.slow
def test_nesting_beyond_the_limit_is_pythons_error_and_harms_nothing():
    net, x = nested(2000), torch.ones(2, 1)
    with pytest.raises(RecursionError):
        net(x)
    assert torch.is_grad_enabled()
    inner = nn.Linear(1, 1)
    inner(x).sum().backward()
    assert inner.weight.grad is not None


# ---------------------------------------------------------------------------------------- long runs
def convolutional():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.2),
                         nn.Flatten(), nn.Linear(8, 1)), torch.randn(2, 1, 4, 4)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM(2, 3), nn.Linear(3, 1)

    def forward(self, x):
        return self.last(self.lstm(x)[0][-1])


RUNS = {"convolutional": convolutional, "recurrent": lambda: (Recurrent(), torch.randn(3, 2, 2)),
        "attention": lambda: (nn.TransformerEncoderLayer(4, 2, 8), torch.randn(3, 2, 4))}


def resident():
    """Return the process's resident memory in bytes, 0 where there is no /proc."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_memory_is_flat_over_10000_steps(name):
    net, x = RUNS[name]()
    opt = torch.optim.Adam(net.parameters(), lr=1e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 100, 0.99)

    def steps(count):
        for _ in range(count):
            opt.zero_grad()
            net(x).square().mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            scheduler.step()

    steps(100)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        steps(1200)  # Python keeps a bounded number of freed objects of each kind
        before, before_all = tracemalloc.get_traced_memory()[0], resident()
        steps(800)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    try:
        steps(8000)
        assert resident() - before_all < 8_000_000
    finally:
        gc.enable()
    assert after - before < 10_000


# ------------------------------------------------------------------------------- reference cycles
def layer(make, *shape, **options):
    def run():
        x = torch.randn(*shape, requires_grad=True)
        out = make()(x, **options)
        out = out[0] if isinstance(out, tuple) else out
        out.square().sum().backward()

    return run


def created_graph():
    x = torch.randn(3, requires_grad=True)
    (g,) = torch.autograd.grad(nn.Sequential(nn.Linear(3, 3), nn.GELU())(x).sum(), x,
                               create_graph=True)
    g.square().sum().backward()


def hooks():
    x = torch.randn(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    handle = x.register_post_accumulate_grad_hook(lambda t: None)
    y.sum().backward()
    handle.remove()


def module_hooks():
    net = nn.Linear(3, 3)
    net.register_forward_hook(lambda *args: None)
    net.register_full_backward_hook(lambda *args: None)
    net(torch.randn(2, 3, requires_grad=True)).sum().backward()


def saved_hooks():
    x = torch.randn(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = (x * x).exp()
    y.sum().backward()


def views():
    x = torch.randn(4, requires_grad=True)
    y = x * 2
    head, tail = y[:2], y[2:]
    tail.mul_(head.detach().clone())
    y[0] = 1.0
    (head.sum() + y.sum()).backward()


def failing():
    x = torch.randn(3, requires_grad=True)
    y = x.exp()

    def stop(g):
        raise ValueError("stop")

    y.register_hook(stop)
    with contextlib.suppress(ValueError):
        y.sum().backward()
    with contextlib.suppress(RuntimeError):
        torch.randn(2, 3) @ x[:1].reshape(1, 1)


def optimised():
    net = nn.Linear(3, 2)
    opt = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3)).sum().backward()
    opt.step()
    opt.zero_grad()


def checkpointed():
    x = torch.randn(3, requires_grad=True)
    checkpoint(lambda t: t.exp().sin(), x, use_reentrant=False).sum().backward()
    checkpoint(lambda t: t.exp().sin(), x, use_reentrant=True).sum().backward()


CYCLES = {
    "linear": layer(lambda: nn.Linear(3, 2), 4, 3),
    "conv": layer(lambda: nn.Conv2d(2, 3, 3), 1, 2, 5, 5),
    "transposed": layer(lambda: nn.ConvTranspose1d(2, 3, 3), 1, 2, 5),
    "batch norm": layer(lambda: nn.BatchNorm1d(3), 4, 3),
    "layer norm": layer(lambda: nn.LayerNorm(3), 4, 3),
    "group norm": layer(lambda: nn.GroupNorm(2, 4), 2, 4, 3),
    "dropout": layer(nn.Dropout, 4, 3), "max pool": layer(lambda: nn.MaxPool2d(2), 1, 1, 4, 4),
    "average pool": layer(lambda: nn.AvgPool1d(2), 1, 1, 4),
    "lstm": layer(lambda: nn.LSTM(3, 2), 4, 1, 3), "gru": layer(lambda: nn.GRU(3, 2), 4, 1, 3),
    "rnn": layer(lambda: nn.RNN(3, 2), 4, 1, 3), "gelu": layer(nn.GELU, 4, 3),
    "softmax": layer(lambda: nn.Softmax(1), 4, 3), "prelu": layer(nn.PReLU, 4, 3),
    "transformer": layer(lambda: nn.TransformerEncoderLayer(4, 2, 8), 3, 2, 4),
    "embedding": lambda: nn.Embedding(4, 2)(torch.tensor([1, 2])).sum().backward(),
    "cross entropy": lambda: nn.functional.cross_entropy(
        torch.randn(3, 4, requires_grad=True), torch.tensor([0, 1, 2])).backward(),
    "func.grad": lambda: grad(lambda t: t.exp().sum())(torch.randn(3)),
    "vmap": lambda: vmap(lambda t: t.exp().sum())(torch.randn(3, 2)),
    **{f.__name__: f for f in (created_graph, hooks, module_hooks, saved_hooks, views, failing,
                               optimised, checkpointed)},
}


@pytest.mark.parametrize("name", CYCLES)
def test_nothing_is_left_for_the_cycle_collector(name):
    run = CYCLES[name]
    run()
    with no_cycles():
        for _ in range(3):
            run()
