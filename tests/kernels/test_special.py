"""erf, its inverse and GELU against series and the standard library's erf."""

import math
from fractions import Fraction

import numpy as np
import pytest

from minigrad.kernels.normal import gelu, gelu_slope
from minigrad.kernels.special import erf, erfinv

RNG = np.random.default_rng(0)
POINTS = np.concatenate([
    RNG.uniform(-7, 7, 20000), RNG.standard_normal(9000), 10.0 ** RNG.uniform(-30, 0, 2000),
    np.linspace(-1.01, 1.01, 999), np.linspace(3.8, 6.2, 999),
])


def spacing(values, dtype):
    return np.spacing(np.abs(values).astype(dtype)).astype(np.float64)


@pytest.mark.parametrize(("dtype", "units"), [(np.float32, 6), (np.float64, 2)])
def test_erf_is_right_to_a_few_units_in_the_last_place(dtype, units):
    x = POINTS.astype(dtype)
    expected = np.array([math.erf(v) for v in x.tolist()])
    y = erf(x)
    assert y.dtype == dtype
    assert (np.abs(y - expected) / spacing(expected, dtype)).max() <= units
    assert np.abs(y).max() == 1
    np.testing.assert_array_equal(erf(-x), -y)


def test_erf_by_its_series_in_exact_arithmetic():
    for x in (0.1, 0.5, 0.9375, 1.5, 2.25):
        term, total = Fraction(x), Fraction(0)
        for n in range(120):
            total += term / (2 * n + 1)
            term *= -Fraction(x) ** 2 / (n + 1)
        assert abs(erf(np.array([x]))[0] - float(total) * 2 / math.sqrt(math.pi)) <= 3e-16


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_values(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 30], dtype)
    np.testing.assert_array_equal(erf(x), np.array([0, 0, 1, -1, np.nan, 1], dtype))
    assert np.signbit(erf(x)[1])
    y = np.array([0.0, -0.0, 1, -1, np.nan, 1.5], dtype)
    np.testing.assert_array_equal(erfinv(y), np.array([0, 0, np.inf, -np.inf, np.nan, np.nan]))
    assert np.signbit(erfinv(y)[1]) and erfinv(y).dtype == dtype


def test_erfinv_inverts_erf():
    x = np.concatenate([RNG.uniform(-3, 3, 5000), 10.0 ** RNG.uniform(-200, 0, 500)])
    y = np.array([math.erf(v) for v in x.tolist()])
    # A unit in y is worth 1 / erf'(x) units of x.
    slope = 2 / math.sqrt(math.pi) * np.exp(-x * x)
    tolerance = 6 * spacing(x, np.float64) + spacing(y, np.float64) / slope
    assert (np.abs(erfinv(y) - x) <= tolerance).all()


def test_erfinv_close_to_one():
    x = np.linspace(1, 5.8, 500)
    rest = np.array([math.erfc(v) for v in x.tolist()])
    y = 1 - rest
    exact_rest = 1 - y  # what is left of rest after rounding
    keep = exact_rest > 0
    slope = 2 / math.sqrt(math.pi) * np.exp(-x * x)
    # Newton's step, with its second-order term, corrects x for the rounding of y.
    step = (rest - exact_rest) / slope
    corrected = x + step * (1 + x * step)
    near = keep & (np.abs(step) < 1e-3)
    assert near.sum() > 300
    np.testing.assert_allclose(erfinv(y)[near], corrected[near], rtol=5e-8)
    assert np.isfinite(erfinv(y)[keep]).all()


def test_float32_erfinv_is_the_rounded_float64_one():
    y = RNG.uniform(-1, 1, 3000).astype(np.float32)
    np.testing.assert_array_equal(erfinv(y), erfinv(y.astype(np.float64)).astype(np.float32))


@pytest.mark.parametrize(("dtype", "error"), [(np.float16, 4e-3), (np.float32, 1e-6),
                                              (np.float64, 2e-15)])
def test_gelu_and_its_slope(dtype, error):
    x = POINTS.astype(dtype)
    wide = x.astype(np.float64)
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in wide.tolist()])
    density = np.exp(-wide**2 / 2) / math.sqrt(2 * math.pi)
    assert np.abs(gelu(x) - wide * cdf).max() <= error
    assert np.abs(gelu_slope(x) - (cdf + wide * density)).max() <= error
    assert gelu(x).dtype == gelu_slope(x).dtype == dtype


@pytest.mark.parametrize("function", [erf, erfinv, gelu, gelu_slope])
def test_shapes_strides_and_unchanged_inputs(function):
    x = RNG.uniform(-0.9, 0.9, (40, 60, 50))
    before = x.copy()
    y = function(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(function(x[::3, :, ::-7]), y[::3, :, ::-7])
    assert function(x.T).flags.c_contiguous
    np.testing.assert_array_equal(function(x.T), y.T)
    assert function(x[0, 0, 0:0]).shape == (0,)
    assert function(np.array(0.25)).shape == ()
