"""No false alarm at kinks, ties, edges, odd scales; and errors beside them are still found."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.testing import check_gradients

RNG = np.random.default_rng(0)


def normal(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


def zeros_between(n):
    x = np.random.default_rng(1).standard_normal(n)
    x[::5] = 0
    return torch.from_numpy(x)


KINKS = {
    "relu at 0": (torch.relu, torch.zeros(50).double()),
    "relu at some zeros": (torch.relu, zeros_between(300)),
    "relu in a sum": (lambda x: torch.relu(x).sum(), zeros_between(300)),
    "abs": (torch.abs, zeros_between(100)),
    "max of ties": (lambda x: x.max(), torch.ones(40).double()),
    "max along a dim": (lambda x: x.max(1)[0], torch.ones(10, 8).double()),
    "amax": (lambda x: x.amax(1), torch.round(normal(10, 8))),
    "clamp": (lambda x: x.clamp(-1, 1), torch.round(normal(100))),
    "max_pool": (lambda x: F.max_pool2d(x, 2), torch.round(normal(1, 2, 8, 8))),
    "sort": (lambda x: x.sort()[0], torch.ones(30).double()),
    "l1": (nn.L1Loss(), torch.zeros(5, 4).double(), torch.zeros(5, 4).double()),
    "norm at 0": (lambda x: x.norm(), torch.zeros(5).double()),
    "sqrt at 0": (torch.sqrt, torch.tensor([0.0, 1, 2, 3]).double()),
    "hinge": (lambda x: torch.relu(1 - x).sum(), torch.ones(300).double()),
    "floor": (torch.floor, normal(100)),
    "many near kinks": (torch.relu, normal(20000)),
}


@pytest.mark.parametrize("name", KINKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_kinks_are_no_failures(name, seed):
    function, *inputs = KINKS[name]
    report = check_gradients(function, *inputs, seed=seed)
    assert report.ok, str(report)


def test_a_valid_kink_is_noted():
    report = check_gradients(torch.relu, torch.tensor([1.0, 0.0, -1.0]))
    assert "input [1] sits on a kink: left 0, right 1, analytic 0 is a valid subgradient" in (
        report.notes)


SCALED = {
    "tanh": lambda s: torch.tanh, "sin": lambda s: torch.sin,
    "exp": lambda s: lambda x: (x / s).exp(),
    "square": lambda s: lambda x: (x * x).sum(), "norm": lambda s: lambda x: x.norm(),
    "plus": lambda s: lambda x: x + 1, "softmax": lambda s: lambda x: x.softmax(-1),
    "layer_norm": lambda s: lambda x: F.layer_norm(x, (6,)),
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
def test_any_scale(name, scale):
    report = check_gradients(SCALED[name](scale), normal(5, 6) * scale)
    assert report.ok, str(report)


@pytest.mark.parametrize("std", [1e-2, 1e-4, 1e-6, 1e-7, 0.0])
@pytest.mark.parametrize("mean", [0.0, 1.0, 100.0])
def test_ill_conditioned_norms(mean, std):
    for layer, shape in ((nn.LayerNorm(6), (5, 6)), (nn.BatchNorm1d(6), (40, 6))):
        report = check_gradients(layer.double(), mean + std * normal(*shape))
        assert report.ok, str(report)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_an_error_is_found_at_any_scale(scale):
    x = np.random.default_rng(0).standard_normal(300) * scale

    def wrong(x, g):
        made = g * np.exp(x / scale) / scale
        made[11] *= 1.01
        return (made,)

    report = check_gradients(lambda x: np.exp(x / scale), x, grad=wrong)
    assert [f.index for f in report.failures] == [(11,)]


def test_an_error_beside_kinks_is_found():
    x = zeros_between(300).numpy()
    largest = int(np.argmax(x))

    def wrong(x, g):
        made = g * (x > 0)
        made[largest] *= 1.01
        return (made,)

    report = check_gradients(lambda x: np.maximum(x, 0), x, grad=wrong)
    assert [f.index for f in report.failures] == [(largest,)]


def test_one_wrong_kink_among_many_valid_ones_is_found():
    x = zeros_between(300).numpy()

    def wrong(x, g):
        made = g * (x > 0)
        made[35] = g[35] * 3
        return (made,)

    report = check_gradients(lambda x: np.maximum(x, 0), x, grad=wrong)
    assert [(f.index, f.kind) for f in report.failures] == [((35,), "kink")]


def test_lower_precision():
    x = RNG.standard_normal(50).astype(np.float32)
    right = check_gradients(np.tanh, x, grad=lambda x, g: (g * (1 - np.tanh(x) ** 2),))
    assert right.ok and any("float64" in note for note in right.notes)

    def inside(x):
        return np.tanh(x.astype(np.float32))

    def wrong(x, g):
        made = g * (1 - np.tanh(x) ** 2)
        made[int(np.argmin(np.abs(x)))] *= 1.1
        return (made,)

    right = check_gradients(inside, x, grad=lambda x, g: (g * (1 - np.tanh(x) ** 2),))
    assert right.ok and any("imprecise" in note for note in right.notes)
    report = check_gradients(inside, x, grad=wrong)
    assert [f.index for f in report.failures] == [(int(np.argmin(np.abs(x))),)]


def test_every_call_is_counted():
    calls = [0]

    def counted(x, y):
        calls[0] += 1
        return np.sin(x) * y

    def gradient(x, y, g):
        made = g * np.cos(x) * y
        made[3] *= 2
        return made, g * np.sin(x)

    x, y = RNG.standard_normal((2, 40))
    report = check_gradients(counted, x, y, grad=gradient)
    assert not report.ok and report.evaluations == calls[0]
    calls[0] = 0

    def tensors(x):
        calls[0] += 1
        return torch.relu(x) * x.detach()

    report = check_gradients(tensors, torch.tensor([0.0, 1.0, 2.0]))
    assert report.evaluations == calls[0]
    calls[0] = 0
    report = check_gradients(lambda x: (calls.__setitem__(0, calls[0] + 1), x**3)[1],
                             torch.ones(3), order=2)
    assert report.evaluations == calls[0]


def test_outputs_that_are_not_finite_are_left_out():
    x = torch.tensor([2.0, -1.0, 3.0])
    report = check_gradients(torch.log, x)
    assert report.ok and report.not_checked["output [1]"] == "nan"
    assert check_gradients(lambda x: x.log().sum(), x).ok

    def wrong(x, g):
        return (g / x * np.array([1, 1, 2.0]),)

    with np.errstate(all="ignore"):
        report = check_gradients(np.log, x.numpy(), grad=wrong)
    assert [f.index for f in report.failures] == [(2,)]


def test_more_directions():
    few = check_gradients(torch.tanh, normal(30))
    many = check_gradients(torch.tanh, normal(30), directions=4)
    assert many.ok and many.evaluations > few.evaluations and many.directions == 5
