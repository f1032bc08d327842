"""Pooling: ties, nan, indices, errors."""

from __future__ import annotations

import math

import pytest

import minigrad as torch
import minigrad.nn.functional as F

INPUTS = {1: (2, 3, 6), 2: (2, 3, 6, 6), 3: (2, 3, 6, 6, 6)}
DIMS = pytest.mark.parametrize("n", INPUTS)


def test_the_first_of_equal_elements_gets_the_gradient():
    x = torch.tensor([[[2.0, 2.0, 1.0, 1.0]]], requires_grad=True)
    F.max_pool1d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1, 0, 1, 0]]]


def test_overlapping_windows_add_up():
    x = torch.tensor([[[0.0, 5.0, 1.0]]], requires_grad=True)
    F.max_pool1d(x, 2, 1).sum().backward()
    assert x.grad.tolist() == [[[0, 2, 0]]]


def test_nan_wins():
    y, i = F.max_pool1d(torch.tensor([[1.0, math.nan, 3.0, 2.0]]), 2, return_indices=True)
    assert math.isnan(y[0, 0])
    assert (y[0, 1].item(), i.tolist()) == (3, [[1, 2]])


def test_average_leaves_out_the_padding():
    x = torch.ones(1, 1, 3)
    assert F.avg_pool1d(x, 3, 1, 1, count_include_pad=False).tolist() == [[[1, 1, 1]]]
    assert F.avg_pool1d(x, 2, 1, 1).tolist() == [[[0.5, 1, 1, 0.5]]]


@DIMS
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_errors(n, kind):
    x = torch.randn(*INPUTS[n])
    pool = getattr(F, f"{kind}_pool{n}d")
    with pytest.raises(RuntimeError, match="kernel_size must be at least 1"):
        pool(x, 0)
    with pytest.raises(RuntimeError, match="stride must be at least 1"):
        pool(x, 2, 0)
    with pytest.raises(RuntimeError, match="at most half of the window"):
        pool(x, 2, padding=2)
    with pytest.raises(RuntimeError, match="padding must be at least 0"):
        pool(x, 2, padding=-1)
    with pytest.raises(RuntimeError, match="the output size would be"):
        pool(x, 9)
    with pytest.raises(RuntimeError, match="batch mode"):
        pool(x[0, 0], 2)
    with pytest.raises(RuntimeError, match="batch mode"):
        pool(x[:, :0], 2)
    with pytest.raises(RuntimeError, match=f"kernel_size to be one int or {n}"):
        pool(x, (2,) * (n + 2))
    with pytest.raises(TypeError, match="kernel_size"):
        pool(x, 1.5)
    with pytest.raises(NotImplementedError, match="bool"):
        pool(x > 0, 2)
    assert pool(x[:0], 2).shape == (0, 3, *(3,) * n)


def test_divisor_override():
    x = torch.ones(1, 1, 2, 2)
    assert F.avg_pool2d(x, 2, divisor_override=-2).item() == -2
    with pytest.raises(RuntimeError, match="must not be zero"):
        F.avg_pool2d(x, 2, divisor_override=0)


@DIMS
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_adaptive_errors(n, kind):
    x = torch.randn(*INPUTS[n])
    pool = getattr(F, f"adaptive_{kind}_pool{n}d")
    assert pool(x, 0).shape == (2, 3, *(0,) * n)
    assert pool(x, 8).shape == (2, 3, *(8,) * n)
    with pytest.raises(RuntimeError, match="negative"):
        pool(x, -1)
    with pytest.raises(RuntimeError, match="output_size"):
        pool(x, (2,) * (n + 1))
    with pytest.raises(RuntimeError, match="batch mode"):
        pool(x[..., :0], 2)
    with pytest.raises(NotImplementedError, match="int64"):
        pool(x.long(), 2)
    with pytest.raises(TypeError, match="output_size"):
        pool(x, None)
