"""The arrays of recurrent layers: accuracy over sizes, and memory that later runs use again."""

from __future__ import annotations

import copy
import gc
import threading

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import recurrent_backward
from minigrad.kernels import recurrent_memory as memory

LAYERS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {}),
          ("LSTM", {"proj_size": 2}), ("LSTM", {"bidirectional": True}), ("GRU", {"bias": False})]
every_layer = pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)


@pytest.fixture(autouse=True)
def nothing_kept():
    """Begin each test without memory of former runs."""
    memory.forget()


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def make(name, inputs, hidden, options, seed=0):
    return getattr(nn, name)(inputs, hidden, dtype=torch.float64, **options,
                             generator=torch.Generator().manual_seed(seed))


def run(layer, x):
    """Return all results and gradients of a layer, of a loss that takes all results."""
    y, last = layer(x)
    last = last if isinstance(last, tuple) else (last,)
    loss = y.sin().sum() + sum((state * 0.5).sin().sum() for state in last)
    return [y.detach(), *(state.detach() for state in last),
            *torch.autograd.grad(loss, [x, *layer.parameters()])]


def same(results, others):
    assert all(map(torch.equal, results, others))


# ---- accuracy
@every_layer
@pytest.mark.parametrize(("steps", "batch", "hidden"), [
    (1, 1, 3), (2, 5, 4), (7, 1, 33), (3, 33, 33), (5, 0, 3), (4, 17, 64)])
def test_against_float64(name, options, steps, batch, hidden):
    """Blocks below and above SMALL elements, odd sizes, one sample and none; strided input."""
    double = make(name, 5, hidden, options)
    single = copy.deepcopy(double).float()
    x = draw(steps, 5, batch).transpose(1, 2)
    assert batch < 2 or not x.is_contiguous()
    exact = run(double, x.requires_grad_())
    found = run(single, x.detach().float().requires_grad_())
    for one, other in zip(found, exact, strict=True):
        assert one.dtype is torch.float32 and one.shape == other.shape
        bound = 3e-6 * max(1.0, float(other.abs().max()) if other.numel() else 1.0)
        assert torch.allclose(one.double(), other, rtol=0, atol=bound)


@every_layer
def test_huge_input_and_nan(name, options):
    """Gates saturate without overflow; a NaN stays in its sample."""
    layer = make(name, 3, 4, options).float()
    x = (1e30 * draw(4, 3, 3)).float()
    if options != {"nonlinearity": "relu"}:
        for value in run(layer, x.requires_grad_()):
            assert torch.isfinite(value).all()
    x = draw(4, 3, 3).float()
    x[0, 1] = float("nan")
    y = layer(x)[0]
    assert y[:, 1, :layer.proj_size or 4].isnan().all()
    assert torch.allclose(y[:, ::2], layer(x[:, ::2])[0])


@every_layer
def test_parts_and_threads(name, options, monkeypatch):
    """Slopes computed for one step at a time, and products on BLAS's threads: the same results."""
    layer = make(name, 3, 4, options)
    x = draw(5, 2, 3).requires_grad_()
    results = run(layer, x)
    memory.forget()
    monkeypatch.setattr(recurrent_backward, "CACHED", 1)
    same(run(layer, x), results)
    monkeypatch.setattr(memory, "ALONE", 0)
    same(run(layer, x), results)
    monkeypatch.setattr(memory, "LARGE", 0)
    monkeypatch.setattr(recurrent_backward, "LARGE", 0)
    for one, other in zip(run(layer, x), results, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)


# ---- memory that is used again
@every_layer
def test_memory_is_used_again_with_equal_results(name, options):
    layer, other = make(name, 3, 4, options), make(name, 3, 4, options, seed=1)
    x = draw(5, 2, 3).requires_grad_()
    results = run(layer, x)
    assert sum(map(len, memory._kept.values())) == 1 + layer.bidirectional
    held = {id(m) for kept in memory._kept.values() for m in kept}
    run(other, draw(5, 2, 3, seed=1).requires_grad_())  # writes over it
    assert held == {id(m) for kept in memory._kept.values() for m in kept}
    same(run(layer, x), results)
    memory.forget()
    same(run(layer, x), results)


@every_layer
def test_runs_that_live_together_do_not_share(name, options):
    """Backward in any order, twice, and runs in between: each as alone."""
    layer = make(name, 3, 4, options)
    inputs = [draw(5, 2, 3, seed=k).requires_grad_() for k in range(3)]
    expected = [run(layer, x)[-1] for x in inputs]

    def loss(x):
        y, last = layer(x)
        last = last if isinstance(last, tuple) else (last,)
        return y.sin().sum() + sum((state * 0.5).sin().sum() for state in last)

    last = [*layer.parameters()][-1]
    losses = [loss(x) for x in inputs]
    for k in (1, 0, 2, 1):
        (grad,) = torch.autograd.grad(losses[k], [last], retain_graph=True)
        assert torch.equal(grad, expected[k])
        layer(inputs[0].detach())
    first = losses[0]
    del losses
    run(layer, inputs[2])
    assert torch.equal(torch.autograd.grad(first, [last])[0], expected[0])


def test_results_are_not_memory_of_later_runs():
    layer = make("LSTM", 3, 4, {})
    x = draw(5, 2, 3).requires_grad_()
    h0, c0 = (draw(1, 2, 4, seed=k).requires_grad_() for k in range(2))
    y, (h, c) = layer(x, (h0, c0))
    results = [y.detach(), h.detach(), c.detach(),
               *torch.autograd.grad(y.sum(), [x, h0, c0, *layer.parameters()])]
    copies = [t.clone() for t in results]
    del y, h, c
    run(layer, draw(5, 2, 3, seed=1).requires_grad_())
    same(results, copies)


def test_without_states_after_states():
    """Zeros are written again where a run before had states; so is the bias where there is none."""
    layer = make("GRU", 3, 4, {})
    x = draw(5, 2, 3)
    expected = layer(x)[0].detach()
    layer(x, draw(1, 2, 4))
    assert torch.equal(layer(x)[0], expected)
    weights = [w.detach() for w in layer._flat_weights]
    step = draw(2, 3), draw(2, 4)
    one_bias = torch.gru_cell(*step, *weights[:2], None, weights[3])
    torch.gru_cell(*step, *weights)
    assert torch.equal(torch.gru_cell(*step, *weights[:2], None, weights[3]), one_bias)
    zeros = torch.zeros_like(weights[2])
    assert torch.equal(torch.gru_cell(*step, *weights[:2], zeros, weights[3]), one_bias)


@every_layer
def test_what_is_not_kept_is_freed_at_once(name, options, monkeypatch):
    """A run and what its backward needed hold no reference to each other."""
    monkeypatch.setattr(memory, "KEPT", 0)
    gc.collect()
    gc.disable()
    try:
        layer = make(name, 3, 4, options)
        y = layer(draw(5, 2, 3))[0]
        y.sum().backward(retain_graph=True)
        alive = sum(isinstance(each, memory.Memory) for each in gc.get_objects())
        assert alive == 1 + layer.bidirectional
        del y
        assert not any(isinstance(each, memory.Memory) for each in gc.get_objects())
    finally:
        gc.enable()


def test_what_is_kept_is_bounded():
    """Not more than KEPT bytes of a size, nor more than SIZES sizes, nor large or packed ones."""
    for steps in range(1, 3 * memory.SIZES):
        make("LSTM", 3, 4, {})(draw(steps, 2, 3))
        assert len(memory._kept) <= memory.SIZES
    layer, x = make("LSTM", 8, 32, {}), draw(20, 16, 8)
    runs = [layer(x)[0].requires_grad_() for _ in range(8)]
    del runs
    for kept in memory._kept.values():
        assert sum(m.bytes for m in kept) <= memory.KEPT
    memory.forget()
    make("LSTM", 8, 64, {})(draw(100, 32, 8))
    packed = nn.utils.rnn.pack_padded_sequence(draw(5, 2, 3), [5, 3])
    make("LSTM", 3, 4, {})(packed)
    assert not memory._kept


def test_two_threads_train_as_one_after_the_other():
    def train(seed):
        layer = make("LSTM", 3, 8, {}, seed)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for k in range(30):
            optimizer.zero_grad()
            layer(draw(6, 4, 3, seed=k))[0].sin().sum().backward()
            optimizer.step()
        return [p.detach() for p in layer.parameters()]

    expected = [train(seed) for seed in range(4)]
    found: list = [None] * 4

    def work(seed):
        found[seed] = train(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        same(one, other)
