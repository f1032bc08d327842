"""Activations and softmax: special values, kinks, dtypes, in-place forms, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

INF, NAN = math.inf, math.nan
# name: value and slope at nan, inf, -inf (recorded from torch 2.13)
SPECIAL = {
    "relu": ([NAN, INF, 0], [1, 1, 0]),
    "relu6": ([NAN, 6, 0], [1, 0, 0]),
    "leaky_relu": ([NAN, INF, -INF], [0.01, 1, 0.01]),
    "elu": ([NAN, INF, -1], [1, 1, 0]),
    "hardtanh": ([NAN, 1, -1], [1, 0, 0]),
    "hardsigmoid": ([NAN, 1, 0], [0, 0, 0]),
    "hardswish": ([NAN, INF, NAN], [1, 1, 0]),
    "softshrink": ([NAN, INF, -INF], [1, 1, 1]),
    "hardshrink": ([NAN, INF, -INF], [1, 1, 1]),
    "softplus": ([NAN, INF, 0], [NAN, 1, 0]),
    "logsigmoid": ([NAN, 0, -INF], [NAN, 0, 1]),
    "sigmoid": ([NAN, 1, 0], [NAN, 0, 0]),
    "silu": ([NAN, INF, NAN], [NAN, NAN, NAN]),
    "mish": ([NAN, INF, NAN], [NAN, NAN, NAN]),
}
# name: where the kinks are, and the slope there
KINKS = {
    "relu": ([0], [0]), "relu6": ([0, 6], [0, 0]), "hardtanh": ([-1, 1], [0, 0]),
    "leaky_relu": ([0], [0.01]), "elu": ([0], [1]), "hardswish": ([-3, 3], [0, 1]),
    "hardsigmoid": ([-3, 3], [0, 0]), "hardshrink": ([-0.5, 0.5], [0, 0]),
    "softshrink": ([-0.5, 0.5], [0, 0]), "softplus": ([20], [1]), "selu": ([0], [1.7580993]),
}
FLOATS_ONLY = ("leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "logsigmoid",
               "softplus", "softshrink", "hardshrink", "hardsigmoid", "hardswish", "rrelu", "glu")
INPLACE = ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "silu", "mish", "hardtanh",
           "hardsigmoid", "hardswish", "rrelu")


def slope(function, x):
    x = x.clone().requires_grad_()
    y = function(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    return y.tolist(), g.tolist()


@pytest.mark.parametrize("name", SPECIAL)
def test_nan_and_infinity(name):
    values, slopes = SPECIAL[name]
    y, g = slope(getattr(F, name), torch.tensor([NAN, INF, -INF]))
    np.testing.assert_allclose(y, values)
    np.testing.assert_allclose(g, slopes, rtol=1e-6)


@pytest.mark.parametrize("name", KINKS)
def test_slopes_at_kinks(name):
    points, slopes = KINKS[name]
    _, g = slope(getattr(F, name), torch.tensor([float(p) for p in points]))
    np.testing.assert_allclose(g, slopes, rtol=1e-6)


def test_relu_stops_infinite_gradients():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    (g,) = torch.autograd.grad(F.relu(x), x, torch.tensor([INF, 1.0]))
    assert g.tolist() == [0, 1]


@pytest.mark.parametrize("name", INPLACE)
def test_inplace_forms_write_and_differentiate(name):
    start = torch.tensor([-1.5, -0.5, 0.5, 1.5], requires_grad=True)
    want, slopes = slope(getattr(F, name), start.detach())
    x = start * 1
    assert getattr(F, name)(x, inplace=True) is x
    assert x._version == 1
    (g,) = torch.autograd.grad(x.sum(), start)
    np.testing.assert_allclose(x.tolist(), want)
    np.testing.assert_allclose(g.tolist(), slopes, rtol=1e-6)
    with pytest.raises(RuntimeError, match="leaf"):
        getattr(F, name)(start, inplace=True)


def test_inplace_argument_by_position_and_underscore_names():
    for change in (lambda x: F.relu(x, True), F.relu_, torch.Tensor.relu_,
                   lambda x: F.leaky_relu(x, 0.0, True), lambda x: F.threshold_(x, 0, 0),
                   lambda x: F.hardtanh_(x, 0, 5), lambda x: F.leaky_relu_(x, 0.0)):
        x = torch.tensor([-1.0, 2.0])
        assert change(x) is x
        assert x.tolist() == [0, 2]
    for name in ("elu_", "celu_", "selu_", "rrelu_"):
        x = torch.tensor([2.0])
        assert getattr(F, name)(x) is x


def test_inplace_over_a_saved_result_is_refused():
    x = torch.tensor([1.0], requires_grad=True)
    y = torch.sigmoid(x)
    F.relu(y, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("name", FLOATS_ONLY)
def test_integers_are_refused(name):
    with pytest.raises(NotImplementedError, match="int64"):
        getattr(F, name)(torch.tensor([1, 2]))


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh"])
def test_bools_are_refused(name):
    with pytest.raises(RuntimeError, match="bool"):
        getattr(F, name)(torch.tensor([True]))


@pytest.mark.parametrize("name", (*FLOATS_ONLY, "relu", "hardtanh", "sigmoid", "softsign"))
def test_half_precision_stays_and_rounds_once(name):
    x = torch.tensor([-1.7, -0.3, 0.4, 2.1], dtype=torch.float16)
    y = getattr(F, name)(x)
    assert y.dtype is torch.float16
    single = getattr(F, name)(x.float())
    np.testing.assert_allclose(y.numpy(), single.numpy().astype(np.float16), rtol=1.1e-3)


def test_wrong_arguments():
    x = torch.zeros(2, 3)
    with pytest.raises(RuntimeError, match=r"dimension 1 has size 3"):
        F.glu(x)
    with pytest.raises(RuntimeError, match="0-d"):
        F.glu(torch.tensor(1.0))
    with pytest.raises(RuntimeError, match="approximate"):
        F.gelu(x, approximate="sigmoid")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        F.celu(x, 0)
    with pytest.raises(ValueError, match="min_val"):
        F.hardtanh(x, 1, -1)
    with pytest.raises(RuntimeError, match="unsigned"):
        F.hardtanh(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="lambd"):
        F.softshrink(x, -1)
    with pytest.raises(RuntimeError, match="lower"):
        F.rrelu(x, 0.5, 0.1)
    with pytest.raises(RuntimeError, match=r"1 per channel \(dim 1 of the input, size 3\), got 4"):
        F.prelu(x, torch.ones(4))
    with pytest.raises(RuntimeError, match="float64"):
        F.prelu(x, torch.ones(3, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="0 or 1 dimensions"):
        F.prelu(x, torch.ones(1, 1))


@pytest.mark.parametrize("weight", [[0.25], [1.5], 0.25])
@pytest.mark.parametrize("value", [-2.0, 3.0])
def test_prelu_of_a_number(value, weight):
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    w = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
    y = F.prelu(x, w)
    assert y.shape == () and y.item() == (value if value > 0 else value * w.item())
    assert torch.autograd.gradcheck(F.prelu, (x, w))
    assert torch.autograd.gradgradcheck(F.prelu, (x, w))


def test_rrelu_draws_slopes_from_its_interval():
    x = torch.full((1000,), -1.0)
    x[:10] = 3
    y = F.rrelu(x, 0.2, 0.4, training=True, generator=torch.Generator().manual_seed(1))
    assert (y[:10] == 3).all()
    slopes = -y[10:]
    assert 0.2 <= slopes.min() < 0.21
    assert 0.39 < slopes.max() <= 0.4


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax_without_dim_warns(name):
    for shape, dim in (((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((1, 2, 3, 4), 1)):
        x = torch.randn(shape)
        with pytest.warns(UserWarning, match=f"{name}.*dim={dim}") as caught:
            y = getattr(F, name)(x)
        assert caught[0].filename == __file__
        assert torch.equal(y, getattr(F, name)(x, dim))


def test_softmax_dtypes_and_errors():
    i = torch.tensor([1, 2])
    assert torch.softmax(i, 0, dtype=torch.float64).dtype is torch.float64
    assert F.log_softmax(i, 0, dtype=torch.float32).dtype is torch.float32
    with pytest.raises(NotImplementedError, match="int64"):
        torch.softmax(i, 0)
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.softmax(i.float(), 1)
    assert torch.softmax(torch.zeros(2, 0), 1).shape == (2, 0)


def test_gumbel_softmax():
    logits = torch.tensor([[0.0, 1.0, 2.0]]).expand(4000, 3).clone().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    assert torch.equal(hard.sum(1), torch.ones(4000))
    share = hard.mean(0)
    np.testing.assert_allclose(share.tolist(), torch.softmax(logits[0], 0).tolist(), atol=0.04)
    (g,) = torch.autograd.grad(hard[:, 0].sum(), logits)
    assert g.abs().sum() > 0
    with pytest.warns(UserWarning, match="eps"):
        F.gumbel_softmax(logits, eps=1e-3)
    with pytest.raises(RuntimeError, match="floating point"):
        F.gumbel_softmax(torch.tensor([1, 2]))
