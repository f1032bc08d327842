"""Convolution and padding: named paddings, dtypes, empty batches, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

INPUTS = {1: (2, 3, 6), 2: (2, 3, 6, 6), 3: (2, 3, 6, 6, 6)}
DIMS = pytest.mark.parametrize("n", INPUTS)


def pair(n, filters=4, channels=3, kernel=3):
    return torch.randn(*INPUTS[n]), torch.randn(filters, channels, *(kernel,) * n)


@DIMS
def test_same_padding_keeps_the_size_and_puts_the_odd_zero_last(n):
    x, w = pair(n, kernel=4)
    y = getattr(F, f"conv{n}d")(x, w, padding="same")
    assert y.shape == (2, 4, *x.shape[2:])
    by_hand = getattr(F, f"conv{n}d")(F.pad(x, (1, 2) * n), w)
    np.testing.assert_allclose(y.numpy(), by_hand.numpy(), rtol=1e-4, atol=1e-5)
    valid = getattr(F, f"conv{n}d")(x, w, padding="valid")
    assert valid.shape == (2, 4, *(3,) * n)


@DIMS
def test_unbatched_equals_a_batch_of_one(n):
    x, w = pair(n)
    for name, weight in ((f"conv{n}d", w), (f"conv_transpose{n}d", w.transpose(0, 1))):
        one = getattr(F, name)(x[0], weight)
        assert torch.allclose(one, getattr(F, name)(x[:1], weight)[0])
        assert one.dim() == n + 1


@DIMS
def test_errors_name_the_dimension_and_both_numbers(n):
    x, w = pair(n)
    conv = getattr(F, f"conv{n}d")
    with pytest.raises(RuntimeError, match=rf"conv{n}d: expected 2 channels in dim 1 .* got 3"):
        conv(x, w[:, :2])
    with pytest.raises(RuntimeError, match=rf"{n + 2}-d, or unbatched"):
        conv(x[0, 0], w)
    with pytest.raises(RuntimeError, match="weight of"):
        conv(x, w[0])
    with pytest.raises(RuntimeError, match="larger than the input"):
        conv(x, torch.randn(4, 3, *(9,) * n))
    with pytest.raises(RuntimeError, match=r"bias of shape \(4,\)"):
        conv(x, w, torch.ones(3))
    with pytest.raises(RuntimeError, match="groups=3 must divide"):
        conv(x, w[:, :1], groups=3)
    with pytest.raises(RuntimeError, match="groups must be at least 1"):
        conv(x, w, groups=0)
    with pytest.raises(RuntimeError, match="stride must be at least 1"):
        conv(x, w, stride=0)
    with pytest.raises(RuntimeError, match="dilation must be at least 1"):
        conv(x, w, dilation=0)
    with pytest.raises(RuntimeError, match="padding must be at least 0"):
        conv(x, w, padding=-1)
    with pytest.raises(RuntimeError, match="strided"):
        conv(x, w, stride=2, padding="same")
    with pytest.raises(RuntimeError, match="'full'"):
        conv(x, w, padding="full")
    with pytest.raises(RuntimeError, match=r"input and weight .*float64 and torch\.float32"):
        conv(x.double(), w)
    with pytest.raises(RuntimeError, match="input and bias"):
        conv(x, w, torch.ones(4, dtype=torch.float64))
    with pytest.raises(RuntimeError, match=f"one int or {n}"):
        conv(x, w, stride=(1,) * (n + 1))
    with pytest.raises(TypeError, match="stride"):
        conv(x, w, stride=1.5)
    with pytest.raises(NotImplementedError, match="bool"):
        conv(x > 0, w > 0)


@DIMS
def test_transposed_errors(n):
    x, w = pair(n, filters=3, channels=2)
    conv = getattr(F, f"conv_transpose{n}d")
    with pytest.raises(RuntimeError, match=r"expected 4 channels in dim 1 .* got 3"):
        conv(x, torch.randn(4, 2, *(3,) * n))
    with pytest.raises(RuntimeError, match="output_padding must be smaller"):
        conv(x, w, output_padding=1)
    with pytest.raises(RuntimeError, match=r"bias of shape \(2,\)"):
        conv(x, w, torch.ones(3))
    with pytest.raises(RuntimeError, match="groups=2 must divide"):
        conv(x, w, groups=2)
    with pytest.raises(RuntimeError, match="use less padding"):
        conv(x, w, padding=5)
    with pytest.raises(TypeError, match="padding"):
        conv(x, w, padding="same")


def test_other_dtypes_and_empty_batches():
    x, w = pair(2)
    assert F.conv2d(x.half(), w.half()).dtype is torch.float16
    assert F.conv2d(torch.ones(1, 1, 2, 2, dtype=torch.int64),
                    torch.ones(1, 1, 2, 2, dtype=torch.int64)).tolist() == [[[[4]]]]
    empty = x[:0].clone().requires_grad_()
    weight = w.requires_grad_()
    y = F.conv2d(empty, weight)
    assert y.shape == (0, 4, 4, 4)
    y.sum().backward()
    assert not weight.grad.any()


def test_pad_errors():
    x = torch.randn(2, 3, 4)
    with pytest.raises(RuntimeError, match="divisible by 2"):
        F.pad(x, (1, 1, 1))
    with pytest.raises(RuntimeError, match="at most 6"):
        F.pad(x, (1,) * 8)
    with pytest.raises(NotImplementedError, match="unknown mode 'mirror'"):
        F.pad(x, (1, 1), "mirror")
    with pytest.raises(RuntimeError, match="no meaning"):
        F.pad(x, (1, 1), "reflect", 1.0)
    for mode in ("reflect", "replicate", "circular"):
        with pytest.raises(NotImplementedError, match="got 2 for input"):
            F.pad(torch.zeros(3), (1, 1), mode)
        with pytest.raises(NotImplementedError, match="got 6 for input"):
            F.pad(x, (1,) * 6, mode)
    with pytest.raises(RuntimeError, match="at most 3 at either end of dimension 2 of size 4"):
        F.pad(x, (4, 4), "reflect")
    with pytest.raises(RuntimeError, match="at most 4 at either end"):
        F.pad(x, (5, 0), "circular")
    with pytest.raises(RuntimeError, match="cut off less"):
        F.pad(x, (-3, -3))
    with pytest.raises(TypeError, match="tuple of ints"):
        F.pad(x, 1)
    with pytest.raises(TypeError, match="tuple of ints"):
        F.pad(x, (1.5, 1))


def test_pad_never_returns_the_input_itself():
    x = torch.zeros(2)
    y = F.pad(x, (0, 0))
    y += 1
    assert not x.any()


@pytest.mark.parametrize("name", ["stride", "padding", "dilation"])
def test_options_that_equal_known_ones_are_still_checked(name):
    x, w = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2)
    for good in (1, (1, 1), [1, 1]):
        for _ in range(2):
            F.conv2d(x, w, **{name: good})
    for bad in (1.0, (1.0, 1), [1, 1.0]):
        with pytest.raises(TypeError, match=name):
            F.conv2d(x, w, **{name: bad})
    with pytest.raises(RuntimeError, match=name):
        F.conv2d(x, w, **{name: [1, 1, 1]})


def test_known_options_of_other_tensors():
    x, w, b, one = torch.ones(1, 1, 4, 4), torch.ones(2, 1, 2, 2), torch.ones(2), (1, 1)
    assert F.conv2d(x, w, b, one, one).shape == F.conv2d(x, w, None, one, one).shape
    with pytest.raises(RuntimeError, match="bias"):
        F.conv2d(x, w, torch.ones(3), one, one)
    with pytest.raises(RuntimeError, match="dtype"):
        F.conv2d(x, w, b.double(), one, one)
    with pytest.raises(RuntimeError, match="dtype"):
        F.conv2d(x, w.double(), b, one, one)
    with pytest.raises(RuntimeError, match="channels"):
        F.conv2d(torch.ones(1, 2, 4, 4), w, b, one, one)
    sizes = [1, 1]
    assert F.conv2d(x, w, stride=sizes).shape == (1, 2, 3, 3)
    sizes[:] = 2, 3
    assert F.conv2d(x, w, stride=sizes).shape == (1, 2, 2, 1)
    layer = torch.nn.Conv2d(1, 2, 2)
    assert layer(x).shape == (1, 2, 3, 3) and layer(x[0]).shape == (2, 3, 3)
    layer.stride, layer.padding = (2, 2), "valid"
    assert layer(x).shape == (1, 2, 2, 2) and layer(x[0]).shape == (2, 2, 2)
