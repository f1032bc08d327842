"""The softmax kernels against float64 formulas, and where exponentials overflow or vanish."""

import numpy as np
import pytest

from minigrad.kernels import softmax as kernel
from minigrad.kernels._threads import get_num_threads, set_num_threads
from minigrad.kernels.softmax import (
    log_softmax,
    log_softmax_backward,
    logsumexp,
    softmax,
    softmax_backward,
)

SHAPES = [((5,), 0), ((7, 10), 1), ((7, 10), 0), ((3, 4, 6), 1), ((3, 1, 6), 1), ((300, 700), -1),
          ((0, 4), 1), ((2, 3, 4, 5), -2), ((70, 513), 0)]


def draw(shape, seed, dtype=np.float64, scale=1):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)


def exact(x, axis):
    """Return softmax and its logarithm in float64."""
    x = x.astype(np.float64)
    shifted = x - x.max(axis, keepdims=True) if x.size else x
    total = np.exp(shifted).sum(axis, keepdims=True)
    return np.exp(shifted) / total, shifted - np.log(total)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 20])
def test_values_and_gradients(shape, axis, dtype, scale):
    x, g = draw(shape, 0, dtype, scale), draw(shape, 1, dtype)
    eps = np.finfo(dtype).eps
    p, log_p = exact(x, axis)
    wide = g.astype(np.float64)
    y, log_y = softmax(x, axis), log_softmax(x, axis)
    np.testing.assert_allclose(y, p, rtol=40 * eps, atol=np.finfo(dtype).tiny)
    np.testing.assert_allclose(log_y, log_p, rtol=8 * eps, atol=8 * eps)
    dx = p * (wide - (wide * p).sum(axis, keepdims=True))
    np.testing.assert_allclose(softmax_backward(g, y, axis), dx, rtol=20 * eps, atol=20 * eps)
    dx = wide - p * wide.sum(axis, keepdims=True)
    back = log_softmax_backward(g, log_y, axis)
    np.testing.assert_allclose(back, dx, rtol=200 * eps, atol=200 * eps)
    for result in (y, log_y, back, softmax_backward(g, y, axis)):
        assert result.dtype == dtype and result.flags.c_contiguous


@pytest.mark.parametrize("axis", [0, 1])
def test_any_strides_and_unchanged_inputs(axis):
    x, g = draw((6, 9), 2, np.float32), draw((6, 9), 3, np.float32)
    turned, before = np.asfortranarray(x), x.copy()
    y = softmax(x, axis)
    np.testing.assert_allclose(softmax(turned, axis), y, rtol=1e-6)
    assert softmax(turned, axis).flags.c_contiguous
    np.testing.assert_array_equal(turned, before)
    kept = g.copy(), y.copy()
    softmax_backward(g, y, axis), log_softmax_backward(g, y, axis)
    np.testing.assert_array_equal(g, kept[0])
    np.testing.assert_array_equal(y, kept[1])


def test_huge_and_masked_logits():
    inf = np.inf
    x = np.array([[1000, 0, -1000], [3e38, 3e38, -3e38], [0, -inf, 0], [-inf, -1e38, -inf]],
                 np.float32)
    y = softmax(x, 1)
    np.testing.assert_array_equal(y, [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 1, 0]])
    log_y = log_softmax(x, 1)
    half = np.float32(np.log(0.5))
    np.testing.assert_allclose(log_y, [[0, -1000, -2000], [half, half, -inf], [half, -inf, half],
                                       [-inf, 0, -inf]], rtol=1e-7)
    np.testing.assert_array_equal(logsumexp(x[2:], 1), np.float32([np.log(2), -1e38]))


def test_slices_without_any_mass():
    x = np.full((2, 3), -np.inf)
    assert np.isnan(softmax(x, 1)).all()
    assert np.isnan(log_softmax(x, 1)).all()
    assert (logsumexp(x, 1) == -np.inf).all()
    assert np.isnan(softmax(np.array([0.0, np.inf]), 0)[1])
    assert np.isnan(softmax(np.array([0.0, np.nan]), 0)).all()


def test_a_row_with_nan_leaves_the_others_alone():
    x = draw((4, 6), 4)
    x[1, 2] = np.nan
    y = softmax(x, 1)
    assert np.isnan(y[1]).all()
    np.testing.assert_allclose(y[[0, 2, 3]], exact(x[[0, 2, 3]], 1)[0], rtol=1e-14)


@pytest.mark.parametrize("axis", [0, 2, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("offset", [0, 5000])
def test_logsumexp(axis, keepdims, offset):
    x = draw((3, 4, 5), 5) + offset
    expected = np.log(np.exp(x - offset).sum(axis, keepdims=keepdims)) + offset
    np.testing.assert_allclose(logsumexp(x, axis, keepdims), expected, rtol=1e-13)


def test_logsumexp_of_infinities_and_of_nothing():
    assert logsumexp(np.array([0.0, np.inf]), 0) == np.inf
    assert logsumexp(np.empty((2, 0)), 1).tolist() == [-np.inf, -np.inf]
    assert logsumexp(np.array([1, 2], np.float16), 0).dtype == np.float16


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("low", "high"), [(-8, 8), (-40, 40), (-45, -41), (30, 41), (-9, 0)])
def test_moderate_logits_with_and_without_the_maximum(low, high, axis):
    """On both sides of where the maximum need not be subtracted; some numbers are masked."""
    x = np.random.default_rng(4).uniform(low, high, (60, 300)).astype(np.float32)
    x[::7, 3], x[5, ::11] = -np.inf, -np.inf
    p = exact(x, axis)[0]
    np.testing.assert_allclose(softmax(x, axis), p, rtol=8 * np.finfo(np.float32).eps)
    x[7, 7] = np.nan
    spoiled = np.isnan(softmax(x, axis))
    assert spoiled.sum() == x.shape[axis] and spoiled.take(7, 1 - axis).all()


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize(("shape", "axis"), [((40, 30), 1), ((40, 300), 1), ((9, 5, 300), 1)])
def test_blocks_and_threads_change_nothing(function, shape, axis, monkeypatch):
    x, g = draw(shape, 5, np.float32, 10), draw(shape, 6, np.float32)
    whole = function(x, axis)
    back = softmax_backward if function is softmax else log_softmax_backward
    kept = get_num_threads()
    monkeypatch.setattr(kernel, "ROWS", 2000)
    found = []
    try:
        for threads in (1, 2):
            set_num_threads(threads)
            found.append((function(x, axis), back(g, whole, axis)))
    finally:
        set_num_threads(kept)
    np.testing.assert_allclose(found[0][0], whole, rtol=2e-6, atol=5e-7)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
