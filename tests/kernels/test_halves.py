"""Pooling by halves against the general way: sizes, dtypes, ties, nan, planes, threads."""

import numpy as np
import pytest

from minigrad.kernels import _average, _halves, _planes, _threads, _winners
from minigrad.kernels._windows import axes, output_size
from minigrad.kernels.pool import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    avg_pool,
    avg_pool_backward,
    max_pool,
    max_pool_backward,
)

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
            patch.setattr(_average, "tiles_of", lambda plan: None)
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
    for width in (6, 40):
        x = np.full((1, 1, 2, width), -0.0, np.float32)
        assert not np.signbit(avg_pool(x, (2, 2), (2, 2), (0, 0))).any()
        x[0, 0, 1, 2], x[0, 0, 0, 4] = np.inf, np.nan
        y = avg_pool(x, (2, 2), (2, 2), (0, 0))
        np.testing.assert_array_equal(y[0, 0, 0, :3], [0, np.inf, np.nan])
        assert not np.signbit(y[..., 3:]).any() and not y[..., 3:].any()


TILES = {"1d": ((12,), (3,)), "1d wide": ((60,), (2,)), "rows": ((6, 8), (3, 2)),
         "whole rows": ((6, 8), (2, 8)), "seventh": ((14, 56), (7, 7)), "many": ((8, 64), (4, 2)),
         "3d": ((4, 4, 6), (2, 2, 3)), "3d wide": ((4, 8, 12), (2, 2, 2)),
         "long": ((60, 60), (30, 30))}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("spatial, kernel", TILES.values(), ids=TILES)
def test_tiles(spatial, kernel, dtype, general):
    """Averages of windows without overlap, and of an adaptive pooling to as many."""
    shape, out = (2, 3, *spatial), tuple(n // k for n, k in zip(spatial, kernel, strict=True))
    settings = kernel, kernel, (0,) * len(kernel)
    for x in (ties(shape, dtype), ties(shape, dtype).swapaxes(0, 1)[:, :1, ..., ::-1]):
        y = general(avg_pool, x, *settings)
        for found in (avg_pool(x, *settings), adaptive_avg_pool(x, out)):
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, y)
        g = ties(y.shape, dtype, 1)
        for infinite in (False, True):
            if infinite:
                g[0, 0, ..., -1] = np.inf
            dx = general(avg_pool_backward, g, spatial, *settings)
            for found in (avg_pool_backward(g, spatial, *settings),
                          adaptive_avg_pool_backward(g, spatial)):
                assert found.dtype == dtype and found.shape == x.shape
                np.testing.assert_array_equal(found, dx)
        x[0, 0, ..., -1] = np.nan
        np.testing.assert_array_equal(avg_pool(x, *settings), general(avg_pool, x, *settings))


def test_tiles_against_float64():
    x = np.random.default_rng(0).standard_normal((3, 5, 64, 16)).astype(np.float32) + 3
    y = avg_pool(x, (64, 4), (64, 4), (0, 0))
    expected = x.astype(np.float64).reshape(3, 5, 1, 64, 4, 4).mean((3, 5))
    np.testing.assert_allclose(y, expected, rtol=3e-7)


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
