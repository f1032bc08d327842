"""The normalisation kernels against textbook formulas in exact or float64 arithmetic."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from minigrad.kernels import _blocks, _groups, _moments, norm
from minigrad.kernels._threads import get_num_threads, set_num_threads

ALL = (True, True, True)


def draw(shape, seed, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def textbook(x, axes, eps, weight, bias):
    """Return (y, xhat, 1 / sqrt(var + eps)) in float64."""
    x = x.astype(np.float64)
    centred = x - x.mean(axes, keepdims=True)
    centred -= centred.mean(axes, keepdims=True)  # the digits that the mean has lost
    s = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
    return centred * s * weight + bias, centred * s, s


def textbook_dx(g, xhat, s, weight, axes):
    wg = g.astype(np.float64) * weight
    return s * (wg - wg.mean(axes, keepdims=True)
                - xhat * (wg * xhat).mean(axes, keepdims=True))


def close(actual, expected, units=8):
    """Compare to a few units in the last place of the larger values."""
    scale = np.sqrt(np.mean(expected**2)) if expected.size else 1
    tolerance = units * np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=tolerance,
                               atol=tolerance * scale)


def run_norm(kind, x, g, weight, bias, eps):
    """Return y and the gradients for 'batch', ('group', groups) or 'layer'."""
    if kind == "batch":
        y, found, _, _ = norm.batch_norm(x, weight, bias, eps)
        return y, *norm.batch_norm_backward(g, x, found, weight, ALL)
    if kind == "layer":
        y, mean, s = norm.layer_norm(x, weight, bias, eps)
        return y, *norm.layer_norm_backward(g, x, mean, s, weight, ALL)
    y, found = norm.group_norm(x, kind[1], weight, bias, eps)
    return y, *norm.group_norm_backward(g, x, kind[1], found, weight, ALL)


def expected_norm(kind, x, g, weight, bias, eps):
    x, g = x.astype(np.float64), g.astype(np.float64)
    if kind == "layer":
        y, xhat, s = textbook(x, (1,), eps, weight, bias)
        return y, textbook_dx(g, xhat, s, weight, (1,)), (g * xhat).sum(0), g.sum(0)
    column = (1, -1) + (1,) * (x.ndim - 2)
    wide = np.broadcast_to(np.reshape(weight, column), x.shape)
    wide_bias = np.broadcast_to(np.reshape(bias, column), x.shape)
    rest = (0,) + tuple(range(2, x.ndim))
    if kind == "batch":
        y, xhat, s = textbook(x, rest, eps, wide, wide_bias)
        dx = textbook_dx(g, xhat, s, wide, rest)
    else:
        grouped = (len(x), kind[1], -1)
        y, xhat, s = textbook(x.reshape(grouped), (2,), eps, wide.reshape(grouped),
                              wide_bias.reshape(grouped))
        dx = textbook_dx(g.reshape(grouped), xhat, s, wide.reshape(grouped), (2,))
        y, xhat, dx = y.reshape(x.shape), xhat.reshape(x.shape), dx.reshape(x.shape)
    return y, dx, (g * xhat).sum(rest), g.sum(rest)


SHAPES = {
    "batch": [(8, 6), (4, 6, 5), (3, 5, 7, 9), (2, 3, 4, 3, 5), (2, 3, 41, 61), (1, 2, 70),
              (5, 3, 255), (5, 3, 256)],
    ("group", 2): [(8, 6), (4, 6, 5), (3, 4, 7, 9), (2, 2, 40, 60)],
    ("group", 1): [(4, 6, 5), (300, 3, 17, 19)],
    ("group", 6): [(4, 6, 5), (2, 6, 4, 3, 5)],
    "layer": [(8, 6), (1, 5), (70, 33), (3, 3000), (600, 257), (131, 16), (129, 1023), (8000, 70)],
}
CASES = [(kind, shape) for kind, shapes in SHAPES.items() for shape in shapes]


@pytest.mark.parametrize(("kind", "shape"), CASES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 3, 40])
def test_results_and_gradients_are_the_textbook_s(kind, shape, dtype, offset):
    x = (draw(shape, 0) + offset).astype(dtype)
    g = draw(shape, 1, dtype)
    weight = (1 + 0.2 * draw(shape[1], 2)).astype(dtype)
    bias = draw(shape[1], 3, dtype)
    before = x.copy(), g.copy()
    results = run_norm(kind, x, g, weight, bias, 1e-5)
    expected = expected_norm(kind, x, g, weight.astype(float), bias.astype(float), 1e-5)
    units = 60 if dtype == np.float64 else 8  # the reference is float64, too
    for actual, wanted in zip(results, expected, strict=True):
        assert actual.dtype == dtype and actual.flags.c_contiguous
        close(actual, wanted, units)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(g, before[1])


@pytest.mark.parametrize("kind", ["batch", ("group", 3), "layer"])
def test_without_weight_and_bias_they_count_as_one_and_zero(kind):
    shape = (9, 6) if kind == "layer" else (4, 6, 5)
    x, g = draw(shape, 4, np.float32), draw(shape, 5, np.float32)
    ones, zeros = np.ones(6, np.float32), np.zeros(6, np.float32)
    plain = run_norm(kind, x, g, None, None, 1e-5)
    for a, b in zip(plain, run_norm(kind, x, g, ones, zeros, 1e-5), strict=True):
        close(a, b.astype(np.float64), 4)


@pytest.mark.parametrize("kind", ["batch", ("group", 3), "layer"])
def test_any_strides_give_the_same_bits(kind):
    shape = (9, 6) if kind == "layer" else (4, 6, 5, 3)
    x, g = draw(shape, 6, np.float32), draw(shape, 7, np.float32)
    weight, bias = draw(6, 8, np.float32), draw(6, 9, np.float32)
    turned = [np.asfortranarray(a) for a in (x, g)]
    assert not turned[0].flags.c_contiguous
    expected = run_norm(kind, x, g, weight, bias, 1e-5)
    for a, b in zip(run_norm(kind, *turned, weight, bias, 1e-5), expected, strict=True):
        assert a.flags.c_contiguous
        close(a, b.astype(np.float64), 2)


@pytest.mark.parametrize("kind", ["batch", ("group", 3), "layer"])
def test_the_number_of_threads_changes_no_bit(kind, monkeypatch):
    monkeypatch.setattr(_blocks, "ROWS", 5000)
    for file in (_moments, _groups):
        monkeypatch.setattr(file, "SMALL", 0)
    monkeypatch.setattr(_moments, "SHARED", 0)
    shape = (130, 150) if kind == "layer" else (20, 6, 150)
    x, g = draw(shape, 6, np.float32), draw(shape, 7, np.float32)
    weight, bias = draw(shape[1], 8, np.float32), draw(shape[1], 9, np.float32)
    before = get_num_threads()
    try:
        set_num_threads(1)
        one = run_norm(kind, x, g, weight, bias, 1e-5)
        set_num_threads(2)
        for a, b in zip(run_norm(kind, x, g, weight, bias, 1e-5), one, strict=True):
            np.testing.assert_array_equal(a, b)
    finally:
        set_num_threads(before)


@pytest.mark.parametrize("kind", ["batch", ("group", 3), "layer"])
def test_no_images_give_empty_results_and_zero_sums(kind):
    shape = (0, 6) if kind == "layer" else (0, 6, 5)
    empty, weight = np.empty(shape, np.float32), np.ones(6, np.float32)
    y, dx, dw, db = run_norm(kind, empty, empty, weight, weight, 1e-5)
    assert y.shape == dx.shape == shape
    assert not dw.any() and not db.any() and dw.shape == db.shape == (6,)


def test_needs_choose_what_is_computed():
    x, g = draw((4, 3, 5), 10), draw((4, 3, 5), 11)
    found = norm.batch_norm(x, None, None, 1e-5)[1]
    dx, dw, db = norm.batch_norm_backward(g, x, found, None, (False, True, False))
    assert dx is None and db is None and dw.shape == (3,)


def test_batch_statistics_are_exact_to_float64():
    x = draw((5, 2, 7), 12) * 3 + 2
    _, kept, mean, var = norm.batch_norm(x, None, None, 1e-3)
    s = kept[1]
    for c in range(2):
        values = [Fraction(v) for v in x[:, c].reshape(-1).tolist()]
        m = sum(values) / len(values)
        v = sum((value - m) ** 2 for value in values) / len(values)
        assert mean[c] == pytest.approx(float(m), rel=1e-15)
        assert var[c] == pytest.approx(float(v), rel=1e-14)
        assert s[c] == pytest.approx(1 / sqrt(v + Fraction(1, 1000)), rel=1e-14)


HARD = {
    "float64, mean 1e6, deviation 1e-3": (np.float64, 1e6, 1e-3, 1e-5, 4),
    "float32, mean 1e3, deviation 1e-2": (np.float32, 1e3, 1e-2, 1e-5, 4),
    "float32, mean -1e6": (np.float32, -1e6, 3, 1e-5, 4),
    "float32, 1e36": (np.float32, 0, 1e36, 1e-5, 4),
    "float32, 1e-22 with a tiny eps": (np.float32, 0, 1e-22, 1e-40, 4),
    "float16, large": (np.float16, 100, 1e4, 1e-5, 4),
}


@pytest.mark.parametrize(("dtype", "mean", "deviation", "eps", "units"), HARD.values(),
                         ids=HARD.keys())
@pytest.mark.parametrize("kind", ["batch", ("group", 2), "layer"])
def test_hard_inputs_keep_their_digits(kind, dtype, mean, deviation, eps, units):
    shape = (3, 40) if kind == "layer" else (3, 2, 40)
    x = (draw(shape, 13) * deviation + mean).astype(dtype)
    y = run_norm(kind, x, np.zeros_like(x), None, None, eps)[0]
    groups = x.swapaxes(0, 1) if kind == "batch" else x
    groups = groups.reshape(-1, 120 if kind == "batch" else 40)
    actual = (y.swapaxes(0, 1) if kind == "batch" else y).reshape(groups.shape)
    for row, result in zip(groups.tolist(), actual, strict=True):
        values = [Fraction(v) for v in row]
        m = sum(values) / len(values)
        v = sum((value - m) ** 2 for value in values) / len(values) + Fraction(eps)
        scale = 10**40 if v < 1e-30 else 1  # the square root of a float that does not underflow
        s = sqrt(v * scale * scale) / scale
        close(result, np.array([float(value - m) / s for value in values]), units)


@pytest.mark.parametrize("kind", ["batch", ("group", 2), "layer"])
@pytest.mark.parametrize("value", [0.0, 0.3, -1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_inputs_give_the_bias(kind, value, dtype):
    shape = (3, 6) if kind == "layer" else (3, 6, 50)
    x = np.full(shape, value, dtype)
    bias = draw(6, 14, dtype)
    y, dx, dw, _ = run_norm(kind, x, draw(shape, 15, dtype), np.ones(6, dtype), bias, 1e-5)
    wanted = bias if kind == "layer" else bias[:, None]
    np.testing.assert_allclose(y, np.broadcast_to(wanted, shape), rtol=1e-6, atol=1e-6)
    assert np.isfinite(dx).all()
    np.testing.assert_allclose(dw, 0, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_value_spoils_its_own_group_alone(bad):
    x = draw((2, 3, 20), 16, np.float32)
    clean = norm.group_norm(x, 3, None, None, 1e-5)[0]
    x[1, 2, 5] = bad
    y = norm.group_norm(x, 3, None, None, 1e-5)[0]
    assert np.isnan(y[1, 2]).any()
    y[1, 2] = clean[1, 2]
    close(y, clean.astype(np.float64), 4)


def test_frozen_norm_uses_the_statistics_it_is_given():
    x, g = draw((4, 3, 5), 17), draw((4, 3, 5), 18)
    mean, var = np.array([1.0, 50, 0]), np.array([2.0, 0.1, 1])
    weight, bias = draw(3, 19), draw(3, 20)
    y = norm.frozen_norm(x, mean, var, weight, bias, 1e-3)
    s = (1 / np.sqrt(var + 1e-3))[:, None]
    xhat = (x - mean[:, None]) * s
    np.testing.assert_allclose(y, xhat * weight[:, None] + bias[:, None], rtol=1e-12)
    dx, dw, db = norm.frozen_norm_backward(g, x, mean, var, weight, 1e-3, ALL)
    np.testing.assert_allclose(dx, g * s * weight[:, None], rtol=1e-13)
    np.testing.assert_allclose(dw, (g * xhat).sum((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(db, g.sum((0, 2)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 6), (300, 257), (2, 5000), (0, 4)])
@pytest.mark.parametrize("scale", [1, 1e-3, 30])
def test_rms_norm_and_its_gradients(dtype, shape, scale):
    x, g = (draw(shape, 21) * scale).astype(dtype), draw(shape, 22, dtype)
    weight = draw(shape[1], 23, dtype)
    y, s = norm.rms_norm(x, weight, 1e-6)
    dx, dw = norm.rms_norm_backward(g, x, s, weight, (True, True))
    wide, wg = x.astype(np.float64), g.astype(np.float64) * weight
    invrms = 1 / np.sqrt((wide**2).mean(1, keepdims=True) + 1e-6)
    xhat = wide * invrms
    close(y, xhat * weight)
    close(dx, invrms * (wg - xhat * (wg * xhat).mean(1, keepdims=True)))
    close(dw, (g.astype(np.float64) * xhat).sum(0))


def test_rms_norm_of_huge_float32_values():
    x = draw((3, 50), 24, np.float32) * np.float32(1e36)
    wide = x.astype(np.float64)
    close(norm.rms_norm(x, None, 1e-6)[0], wide / np.sqrt((wide**2).mean(1, keepdims=True)))


@pytest.mark.parametrize("kind", ["batch", ("group", 2), "layer"])
def test_the_cut_into_blocks_changes_nothing_but_rounding(kind, monkeypatch):
    shape = (40, 30) if kind == "layer" else (6, 8, 30)
    x, g = draw(shape, 25), draw(shape, 26)
    weight, bias = draw(shape[1], 27), draw(shape[1], 28)
    whole = run_norm(kind, x, g, weight, bias, 1e-5)
    monkeypatch.setattr(_blocks, "ROWS", 200)
    for file in (_moments, _groups):
        monkeypatch.setattr(file, "SMALL", 0)
    monkeypatch.setattr(_moments, "SHARED", 0)
    for a, b in zip(run_norm(kind, x, g, weight, bias, 1e-5), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
