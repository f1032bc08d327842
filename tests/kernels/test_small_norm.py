"""Layer norm of small float32 arrays: rounded once or twice, whatever the mean, at any strides."""

import numpy as np
import pytest

import minigrad as torch
from minigrad.kernels import _small_norm as small

EPS = np.finfo(np.float32).eps


def draw(shape, seed, offset=0.0):
    return (np.random.default_rng(seed).standard_normal(shape) + offset).astype(np.float32)


def textbook(x, g, weight, bias, eps):
    """Return y, dx, dw and db in float64."""
    x, g = x.astype(np.float64), g.astype(np.float64)
    x = x - x[:, :1]  # exact or nearly so: the digits that a large mean would lose
    centred = x - x.mean(1, keepdims=True)
    s = 1 / np.sqrt((centred**2).mean(1, keepdims=True) + eps)
    xhat, wg = centred * s, g * weight
    dx = s * (wg - wg.mean(1, keepdims=True) - xhat * (wg * xhat).mean(1, keepdims=True))
    return xhat * weight + bias, dx, (g * xhat).sum(0), g.sum(0)


def close(actual, expected, units):
    scale = max(np.abs(expected).max(initial=0), 1e-30)
    assert actual.dtype == np.float32 and actual.shape == expected.shape
    assert np.abs(actual - expected).max(initial=0) <= units * EPS * scale


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (64, 16), (9, 24), (9, 25), (16, 512),
                                   (3, 2730), (7, 33), (8192, 1)])
@pytest.mark.parametrize("offset", [0, 3, 1e4])
@pytest.mark.parametrize("affine", [True, False])
def test_results_and_gradients_are_the_textbook_s(shape, offset, affine):
    x, g = draw(shape, 0, offset), draw(shape, 1)
    assert small.is_small(x)
    weight, bias = (draw(shape[1], k, 1) for k in (2, 3)) if affine else (None, None)
    kept = x.copy(), g.copy()
    y, xhat, s = small.layer_norm(x, weight, bias, 1e-5)
    found = small.layer_norm_backward(g, xhat, s, weight, (True, True, True))
    plain = (np.ones(shape[1]), np.zeros(shape[1])) if weight is None else (weight, bias)
    for actual, expected in zip((y, *found), textbook(x, g, *plain, 1e-5), strict=True):
        close(actual, expected, 2)
    for chosen in ((True, False, False), (False, True, False), (False, False, True)):
        some = small.layer_norm_backward(g, xhat, s, weight, chosen)
        for need, one, full in zip(chosen, some, found, strict=True):
            assert np.array_equal(one, full) if need else one is None
    assert np.array_equal(x, kept[0]) and np.array_equal(g, kept[1])


@pytest.mark.parametrize("length", [8, 23, 100])
def test_extremes_and_what_is_not_finite_stay_in_their_row(length):
    x = draw((6, length), 4)
    x[0], x[1], x[2], x[3, 2], x[4, 5] = 3e38 * np.sign(x[0]), 1e-40 * x[1], 0.1, np.nan, np.inf
    with np.errstate(invalid="ignore"):
        y = small.layer_norm(x, None, None, 1e-12)[0]
    assert np.isnan(y[3]).all() and np.isnan(y[4]).any()
    assert np.isfinite(y[[0, 1, 2, 5]]).all() and not y[2].any()
    assert np.abs(y[0]).max() > 0.5


@pytest.mark.parametrize("turn", [lambda x: x.t(), lambda x: x[::2], lambda x: x[:, ::3]])
def test_results_are_row_major_at_any_strides(turn):
    x = torch.from_numpy(draw((12, 12), 5)).requires_grad_()
    turned = turn(x)
    weight = torch.ones(turned.shape[1], requires_grad=True)
    y = torch.nn.functional.layer_norm(turned, (turned.shape[1],), weight)
    assert y.is_contiguous()
    same = torch.nn.functional.layer_norm(turned.detach().contiguous(), (turned.shape[1],), weight)
    assert torch.equal(y, same)
    (y * y).sum().backward()
    assert x.grad.shape == x.shape and weight.grad.shape == weight.shape


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 30])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_not_hidden(rows, length, value):
    x = torch.ones(rows, length)
    x[0, 0] = value
    y = torch.nn.functional.layer_norm(x.requires_grad_(), (length,))
    y.sum().backward()
    for found in (y, x.grad):
        assert found[0].isnan().all() and (found[1:] == 0).all()
