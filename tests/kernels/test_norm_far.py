"""Batch and group norm of groups far from zero, on small and on large arrays, in float32."""

import numpy as np
import pytest

from minigrad.kernels import _moments, norm
from tests.kernels.test_norm import close, draw, expected_norm, run_norm

CASES = [("batch", (32, 8, 8, 8)), ("batch", (32, 16, 4, 4)), ("batch", (8, 4, 1)),
         ("batch", (9, 16, 17, 23)), ("batch", (4, 12, 1024)), ("batch", (2, 2, 33, 500)),
         (("group", 2), (16, 8, 8, 8)), (("group", 8), (16, 8, 8, 8)),
         (("group", 4), (4, 16, 33, 17)), (("group", 16), (4, 16, 32, 32)),
         (("group", 1), (2, 3, 131, 89))]


@pytest.mark.parametrize("ratio", [0, 1, 2, 2.9, 3.9, 4.1, 30, 1e3, 1e4, 1e6])
@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_errors_do_not_grow_with_the_mean(kind, shape, ratio):
    """At most 8 units of the results, 16 of sums: as in PyTorch up to 4, where it grows on."""
    x = (draw(shape, 0) + ratio).astype(np.float32)
    g = draw(shape, 1, np.float32)
    weight = (1 + 0.2 * draw(shape[1], 2)).astype(np.float32)
    bias = draw(shape[1], 3, np.float32)
    found = run_norm(kind, x, g, weight, bias, 1e-5)
    right = expected_norm(kind, x, g, weight.astype(float), bias.astype(float), 1e-5)
    for actual, expected, units in zip(found, right, (8, 8, 16, 8), strict=True):
        close(actual, expected, units)


@pytest.mark.parametrize(("kind", "shape"), CASES)
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e15, 1e30])
def test_tiny_and_huge_numbers(kind, shape, scale):
    """Squares of float32 numbers of these sizes underflow, lose digits or overflow."""
    x = (draw(shape, 4) * scale).astype(np.float32)
    g, weight = draw(shape, 5, np.float32), np.ones(shape[1], np.float32)
    eps = 1e-70
    found = run_norm(kind, x, g * np.float32(min(scale, 1e6)), weight, 0 * weight, eps)
    right = expected_norm(kind, x, g * np.float32(min(scale, 1e6)), weight.astype(float),
                          np.zeros(shape[1]), eps)
    for actual, expected in zip(found, right, strict=True):
        close(actual, expected, 16)


@pytest.mark.parametrize("shape", [(4, 3, 30), (4, 3, 20000)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_value_spoils_its_own_channel_alone(shape, bad):
    x, g = draw(shape, 6, np.float32), draw(shape, 7, np.float32)
    weight = np.ones(3, np.float32)
    clean = run_norm("batch", x, g, weight, weight, 1e-5)
    x[1, 2, 5] = bad
    for actual, expected in zip(run_norm("batch", x, g, weight, weight, 1e-5)[:2], clean,
                                strict=False):
        assert np.isnan(actual[1, 2, 5])
        close(actual[:, :2], expected[:, :2].astype(np.float64), 4)


def test_one_far_channel_among_near_ones():
    x = draw((6, 5, 40, 40), 8, np.float32)
    x[:, 3] += 1000
    g, weight = draw(x.shape, 9, np.float32), np.ones(5, np.float32)
    found = run_norm("batch", x, g, weight, weight, 1e-5)
    for actual, expected in zip(found, expected_norm("batch", x, g, np.ones(5), np.ones(5), 1e-5),
                                strict=True):
        close(actual, expected, 8)


def test_a_shift_is_handed_to_backward_only_where_it_is_needed():
    x = draw((8, 4, 16, 16), 10, np.float32)
    _, kept, mean, _ = norm.batch_norm(x, None, None, 1e-5)
    assert kept.shape == (2, 4)
    np.testing.assert_array_equal(kept[0], mean)
    _, kept, mean, _ = norm.batch_norm(x + np.float32(50), None, None, 1e-5)
    assert kept.shape == (3, 4)
    np.testing.assert_allclose(kept[0] + kept[2], mean, rtol=1e-15)


@pytest.mark.parametrize("shape", [(3, 5), (2, 64), (7, 1000), (40, 257), (4, 3, 130), (2, 20000),
                                   (1, 1), (5, 1), (2, 0), (0, 3), (1024, 16), (911, 63)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_and_dots_at_any_size_and_strides(shape, dtype):
    a, b = draw(shape, 11, dtype), draw(shape, 12, dtype)
    wide = np.empty((*shape[:-1], shape[-1] + 3), dtype)
    wide[..., :shape[-1]] = a
    turned = np.asfortranarray(a)
    for x in (a, wide[..., :shape[-1]], turned):
        found = _moments.sums(x)
        assert found.dtype == np.float64
        terms = np.abs(a).astype(np.float64).sum(-1).max(initial=1)
        tolerance = np.finfo(dtype).eps * terms
        np.testing.assert_allclose(found, a.astype(np.float64).sum(-1), rtol=0, atol=tolerance)
        np.testing.assert_allclose(_moments.dots(x, b), (a.astype(np.float64) * b).sum(-1), rtol=0,
                                   atol=2 * tolerance)
