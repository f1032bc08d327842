"""GELU and its slope in one pass: bounds of the float32 formula, ends of the range, threads."""

import math

import numpy as np
import pytest

from minigrad.kernels import _blocks, normal
from minigrad.kernels._threads import get_num_threads, set_num_threads


@pytest.fixture(params=[True, False], ids=["exp2", "exp"])
def base2(request, monkeypatch):
    """Both forms of the float32 formula, whichever this machine prefers."""
    monkeypatch.setattr(normal, "_single_form", normal._Single(request.param))


def exact(x):
    """Return x Phi(x) and its slope in float64."""
    wide = x.astype(np.float64)
    cdf = np.array([0.5 * math.erfc(-v * math.sqrt(0.5)) for v in wide.tolist()])
    density = np.exp(-wide * wide / 2) / math.sqrt(2 * math.pi)
    return wide * cdf, cdf + wide * density


@pytest.mark.usefixtures("base2")
def test_the_bounds_of_float32():
    x = np.linspace(-7, 9, 40_001).astype(np.float32)
    y, slope = normal.gelu_and_slope(x)
    right, right_slope = exact(x)
    error = np.abs(y - right)
    assert error[x < 0].max() <= 1.2e-7
    assert error[(x < -2.5) & (x > -5.5)].max() <= 6e-8
    assert (error <= 3e-7 * right)[x > 0].all()
    assert np.abs(slope - right_slope).max() <= 3e-7
    tail = x < -5.5
    np.testing.assert_allclose(y[tail], right[tail], rtol=3e-7)
    np.testing.assert_allclose(slope[tail], right_slope[tail], rtol=3e-7)


@pytest.mark.usefixtures("base2")
@pytest.mark.parametrize("company", [[], [np.nan], [1e30], [-1e30]])
def test_the_ends_of_the_range(company):
    """Whatever else is in the block: far elements are found behind a NaN, too."""
    x = np.array([0, 1e-45, 1e-30, -1e-30, -30, -1e6, -3e38, 20, 1e6, 1e10, 3e38, np.inf, -np.inf,
                  *company], np.float32)
    y, slope = normal.gelu_and_slope(x)
    expected = [0, 0, 5e-31, -5e-31, 0, 0, 0, 20, 1e6, 1e10, 3e38, np.inf, 0]
    np.testing.assert_allclose(y[:13], np.float32(expected), rtol=1e-6)
    np.testing.assert_allclose(slope[:11], [0.5] * 4 + [0] * 3 + [1] * 4, rtol=1e-6)
    assert np.isnan(y[13:]).tolist() == np.isnan(company).tolist()
    assert np.isnan(slope[13:]).tolist() == np.isnan(company).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_both_results_are_those_of_one_at_a_time(dtype):
    x = (np.random.default_rng(0).standard_normal((3, 1000)) * 4).astype(dtype)
    y, slope = normal.gelu_and_slope(x)
    tolerance = 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, normal.gelu(x), rtol=tolerance)
    np.testing.assert_array_equal(slope, normal.gelu_slope(x))
    assert y.dtype == slope.dtype == dtype and y.shape == slope.shape == x.shape


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (70_001,), (150_001,), (5, 7, 20_011)])
def test_threads_and_blocks_do_not_show(shape):
    x = np.asarray(np.random.default_rng(1).standard_normal(shape)).astype(np.float32)
    before = get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            y, slope = normal.gelu_and_slope(x)
            found.append((y, slope, _blocks.product(x, slope)))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    strided = np.asfortranarray(x)[::-1] if x.ndim > 1 else x
    order = slice(None, None, -1) if x.ndim > 1 else ...
    np.testing.assert_allclose(normal.gelu(strided), found[0][0][order], rtol=1e-6, atol=1e-7)


def test_large_products_of_any_layout():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 1100, 1001))
    np.testing.assert_array_equal(_blocks.product(a, b), a * b)
    np.testing.assert_array_equal(_blocks.product(a.T, b.T), a.T * b.T)
    np.testing.assert_array_equal(_blocks.product(np.broadcast_to(a[0], a.shape), b), a[0] * b)
