"""Large parameters are updated on several threads, and infinities are no warnings."""

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn, optim
from minigrad.kernels import _threads
from minigrad.optim import _elementwise

MAKERS = [
    lambda p: optim.Adam(p, lr=0.05, weight_decay=0.1, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.05),
    lambda p: optim.SGD(p, lr=0.05, weight_decay=0.1),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    lambda p: optim.RMSprop(p, lr=0.05, momentum=0.5, centered=True),
    lambda p: optim.Adamax(p, lr=0.05),
]
SIZES = [7, 3000, 20_000, _elementwise.BLOCK + 3, _elementwise.SHARED + 1, 1]


@pytest.fixture(autouse=True)
def threads():
    """Restore the number of threads."""
    before = _threads.get_num_threads()
    yield _threads.set_num_threads
    _threads.set_num_threads(before)


def train(make, arrays, steps=3):
    params = [nn.Parameter(torch.from_numpy(a)) for a in arrays]
    optimizer = make(params)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        for p in params:
            p.grad = torch.from_numpy(rng.standard_normal(p.shape).astype(np.float32))
        optimizer.step()
    return [p.detach().numpy().copy() for p in params]


def starts(sizes=SIZES):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


@pytest.mark.parametrize("make", MAKERS)
def test_bits_do_not_depend_on_threads(make, threads, monkeypatch):
    calls = []
    real = _elementwise.run
    monkeypatch.setattr(_elementwise, "run", lambda *args: (calls.append(1), real(*args)))
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(train(make, starts()))
    assert len(calls) == 9  # three steps each
    monkeypatch.setattr(_elementwise, "SHARED", 1 << 60)
    found.append(train(make, starts()))
    for arrays in found[1:]:
        for a, b in zip(found[0], arrays, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_that_overlap_take_their_turns(make, threads, monkeypatch):
    """One sees what the update of the other wrote."""
    threads(2)
    size = _elementwise.SHARED
    found = []
    for shared in (size, 1 << 60):
        monkeypatch.setattr(_elementwise, "SHARED", shared)
        whole = starts([2 * size])[0]
        found.append(train(make, [whole[:size + 9], whole[size - 9:], whole]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gradient_may_be_another_parameter(threads, monkeypatch):
    threads(2)
    found, size = [], _elementwise.SHARED
    for shared in (size, 1 << 60):
        monkeypatch.setattr(_elementwise, "SHARED", shared)
        a, b = (nn.Parameter(torch.from_numpy(x)) for x in starts([size] * 2))
        optimizer = optim.SGD([a, b], lr=0.5)
        a.grad, b.grad = b.data, a.data
        optimizer.step()
        found.append([p.detach().numpy().copy() for p in (a, b)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("count", [1, 4])
def test_infinite_gradients_are_no_warnings(make, count):
    """Warnings are errors in these tests; PyTorch has none here."""
    params = [nn.Parameter(torch.ones(3)) for _ in range(count)]
    optimizer = make(params)
    for g in (1.0, 1e30, float("inf"), float("nan")):
        for p in params:
            p.grad = torch.tensor([1.0, g, -g])
        optimizer.step()
    for p in params:
        assert np.isfinite(p.detach().numpy()[0]) and np.isnan(p.detach().numpy()[1:]).all()
