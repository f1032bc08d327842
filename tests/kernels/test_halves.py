"""Pooling by halves against the general way: sizes, dtypes, ties, nan, planes, threads."""

import numpy as np
import pytest

from minigrad.kernels import _average, _halves, _planes, _threads, _winners
from minigrad.kernels._windows import axes, output_size
from minigrad.kernels.pool import avg_pool, avg_pool_backward, max_pool, max_pool_backward

SHAPES = [(2, 3, 2), (2, 3, 9), (1, 1, 8), (2, 3, 6, 8), (2, 3, 7, 9), (3, 1, 2, 2), (2, 2, 3, 2),
          (1, 2, 28, 28), (1, 2, 4, 512), (1, 1, 4, 8, 66), (2, 2, 4, 6, 10), (2, 1, 5, 3, 7),
          (1, 1, 2, 2, 2), (0, 3, 4, 4)]
DTYPES = [np.float32, np.float64, np.float16, np.int64, np.uint8]


def options(shape):
    n = len(shape) - 2
    return (2,) * n, (2,) * n, (0,) * n, (1,) * n


def ties(shape, dtype, seed=0):
    """Return small integers, which tie often and add up exactly."""
    return np.random.default_rng(seed).integers(0, 4, shape).astype(dtype)


@pytest.fixture
def general(monkeypatch):
    """Return a function that runs another one without the way by halves."""
    def call(function, *args):
        with monkeypatch.context() as patch:
            for module in (_average, _winners):
                patch.setattr(module, "is_halving", lambda plan: False)
            _winners.winners_of.cache_clear()
            _winners.winners_to_find.cache_clear()
            found = function(*args)
        _winners.winners_of.cache_clear()
        _winners.winners_to_find.cache_clear()
        return found
    return call


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max(shape, dtype, general):
    x = ties(shape, dtype)
    for found, expected in zip(max_pool(x, *options(shape)),
                               general(max_pool, x, *options(shape)), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_with_nan_and_infinity(shape, general):
    x = ties(shape, np.float32)
    chance = np.random.default_rng(1).random(shape)
    x[chance < 0.2], x[chance > 0.8], x[chance > 0.9] = np.nan, -np.inf, np.inf
    for found, expected in zip(max_pool(x, *options(shape)),
                               general(max_pool, x, *options(shape)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_of_zeros_of_both_signs_the_first_wins():
    x = np.array([0.0, -0.0, -0.0, 0.0, 0.0, 0.0, -0.0, -0.0], np.float32).reshape(1, 1, 2, 4)
    _, distance = max_pool(x, *options(x.shape))
    assert not distance.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("override", [None, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_average(shape, override, dtype, general):
    kernel, stride, padding, _ = options(shape)
    settings = kernel, stride, padding, False, True, override
    x = ties(shape, dtype)
    found = avg_pool(x, *settings)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, general(avg_pool, x, *settings))
    g = ties(found.shape, dtype, 1)
    if g.dtype.kind == "f":
        found = avg_pool_backward(g, shape[2:], *settings)
        assert found.dtype == dtype
        assert found.shape == shape
        np.testing.assert_array_equal(found, general(avg_pool_backward, g, shape[2:], *settings))


def test_averages_of_minus_zero_are_zero_and_infinity_stays_in_its_window():
    x = np.full((1, 1, 2, 6), -0.0, np.float32)
    x[0, 0, 1, 2], x[0, 0, 0, 4] = np.inf, np.nan
    y = avg_pool(x, (2, 2), (2, 2), (0, 0))
    np.testing.assert_array_equal(y, [[[[0, np.inf, np.nan]]]])
    assert not np.signbit(y[0, 0, 0, 0])


def test_strided_input_and_gradients():
    x = np.random.default_rng(0).standard_normal((3, 4, 8, 6)).astype(np.float32)
    whole = np.broadcast_to(x[:1], x.shape)
    for view in (x.transpose(1, 0, 3, 2), x[::2, :, ::-1], x[:, :1], whole):
        settings = options(view.shape)
        for found, expected in zip(max_pool(view, *settings),
                                   max_pool(view.copy("C"), *settings), strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(avg_pool(view, *settings[:3]),
                                      avg_pool(view.copy("C"), *settings[:3]))
        g = np.broadcast_to(np.float32(3), (2, 3, 2, 4)).transpose(1, 0, 3, 2)
        np.testing.assert_array_equal(avg_pool_backward(g, (8, 4), *settings[:3]),
                                      np.full((3, 2, 8, 4), 0.75))


@pytest.mark.parametrize("shape", [(5, 3, 9), (7, 5, 12, 9), (3, 4, 4, 6, 8)], ids=str)
def test_neither_cuts_nor_threads_change_the_bits(shape, monkeypatch):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    settings = options(shape)
    before, results = _threads.get_num_threads(), []
    try:
        for block, count in ((1 << 19, 1), (300, 1), (300, 2), (1, 3)):
            monkeypatch.setattr(_planes, "BLOCK", block)
            _threads.set_num_threads(count)
            y, distance = max_pool(x, *settings)
            results.append([a.tobytes() for a in (
                y, distance, max_pool_backward(y, distance, shape[2:], *settings),
                avg_pool(x, *settings[:3]), avg_pool_backward(y, shape[2:], *settings[:3]))])
    finally:
        _threads.set_num_threads(before)
    assert all(result == results[0] for result in results)


def test_which_windows_are_halves():
    def halving(spatial, kernel=2, stride=2, padding=0, dilation=1, ceil=False):
        n = len(spatial)
        given = (kernel,) * n, (stride,) * n, (padding,) * n, (dilation,) * n
        return _halves.is_halving(axes(spatial, *given, output_size(spatial, *given, ceil)))

    assert halving((4, 6)) and halving((5, 7)) and halving((2,)) and halving((4, 4), ceil=True)
    assert not halving((5, 7), ceil=True) and not halving((4, 6), padding=1)
    assert not halving((4, 6), stride=1) and not halving((4, 6), kernel=1)
    assert not halving((9, 9), dilation=2)
