"""The pooling kernels against plain loops over windows, in float64, and as adjoint pairs."""

from itertools import product

import numpy as np
import pytest

from minigrad.kernels import _planes
from minigrad.kernels.pool import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    adaptive_max_pool,
    avg_pool,
    avg_pool_backward,
    flat_indices,
    gather_flat,
    max_pool,
    max_pool_backward,
    max_pool_gather,
    output_size,
    scatter_flat,
)

# name: (N, C, spatial, kernel, stride, padding, dilation, ceil_mode)
CASES = {
    "1d": (2, 3, (9,), (2,), (2,), (0,), (1,), False),
    "1d-ceil": (2, 3, (9,), (2,), (2,), (0,), (1,), True),
    "1d-one-tap": (2, 3, (7,), (1,), (2,), (0,), (1,), False),
    "2d-halves": (2, 3, (6, 8), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "2d-halves-odd": (2, 3, (7, 9), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "2d-halves-odd-ceil": (2, 3, (7, 9), (2, 2), (2, 2), (0, 0), (1, 1), True),
    "2d-thirds": (2, 2, (9, 7), (3, 3), (3, 3), (1, 1), (1, 1), True),
    "2d-overlap": (2, 3, (8, 7), (3, 3), (2, 2), (1, 1), (1, 1), False),
    "2d-same": (2, 3, (5, 6), (3, 3), (1, 1), (1, 1), (1, 1), False),
    "2d-unequal": (2, 3, (9, 8), (3, 2), (1, 3), (1, 0), (1, 1), True),
    "2d-skipping": (2, 3, (11, 10), (2, 1), (3, 4), (1, 0), (1, 1), False),
    "2d-dilated": (2, 2, (9, 10), (3, 2), (2, 1), (1, 1), (2, 3), True),
    "2d-wide-kernel": (1, 2, (20, 21), (17, 18), (2, 1), (3, 0), (1, 1), False),
    "2d-row-kernel": (2, 2, (3, 300), (1, 256), (1, 4), (0, 5), (1, 1), False),
    "2d-whole": (2, 3, (4, 5), (4, 5), (4, 5), (0, 0), (1, 1), False),
    "3d-halves": (2, 2, (4, 6, 5), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), True),
    "3d": (2, 2, (5, 6, 7), (2, 3, 3), (1, 2, 3), (1, 0, 1), (2, 1, 1), False),
    "no-images": (0, 3, (6, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "2d-wide": (1, 2, (4, 400), (3, 3), (2, 2), (1, 1), (1, 1), False),
    "2d-halves-wide": (1, 2, (6, 300), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "3d-halves-wide": (1, 2, (4, 4, 70), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), False),
    "many-planes": (40, 9, (6, 5), (2, 2), (2, 2), (0, 0), (1, 1), False),
}
PLAIN = {name: case for name, case in CASES.items() if set(case[6]) == {1}}
ADAPTIVE = {
    "1d": ((7,), (3,)), "2d-divides": ((6, 8), (3, 2)), "2d": ((7, 5), (3, 4)),
    "2d-one": ((5, 6), (1, 1)), "2d-more-outputs": ((3, 2), (7, 5)), "3d": ((5, 4, 3), (2, 4, 5)),
    "no-outputs": ((4, 4), (0, 2)),
}


def names(cases):
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


def draw(shape, seed, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def steps(shape, seed, dtype=np.float32):
    """Return small integers, which tie often and add up exactly."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def windows(case):
    """Yield (output position, [input positions inside], elements within input and padding)."""
    _, _, spatial, kernel, stride, padding, dilation, ceil = case
    out = output_size(spatial, kernel, stride, padding, dilation, ceil)
    for o in product(*map(range, out)):
        corner = [i * s - p for i, s, p in zip(o, stride, padding, strict=True)]
        places = [
            tuple(c + t * d for c, t, d in zip(corner, taps, dilation, strict=True))
            for taps in product(*map(range, kernel))
        ]
        padded = sum(all(i < n + p for i, n, p in zip(at, spatial, padding, strict=True))
                     for at in places)
        yield o, [at for at in places
                  if all(0 <= i < n for i, n in zip(at, spatial, strict=True))], padded


def first_maximum(values):
    """Return the position of the last NaN, or else of the first maximum."""
    nans = np.flatnonzero(np.isnan(values))
    return nans[-1] if len(nans) else int(np.argmax(values))


def looped_max(x, case):
    """Return maxima and flat indices."""
    n, c, spatial, *options = case
    out = output_size(spatial, *options)
    y, indices = np.empty((n, c, *out), x.dtype), np.empty((n, c, *out), np.int64)
    for o, places, _ in windows(case):
        for i, j in product(range(n), range(c)):
            values = np.array([x[i, j][at] for at in places])
            at = places[first_maximum(values)]
            y[i, j][o] = x[i, j][at]
            indices[i, j][o] = np.ravel_multi_index(at, spatial)
    return y, indices


def test_output_sizes_leave_out_windows_that_begin_beyond_the_left_padding():
    assert output_size((5,), (2,), (3,), (1,), (1,), False) == (2,)
    assert output_size((4,), (2,), (3,), (1,), (1,), True) == (2,)
    assert output_size((5,), (2,), (2,), (0,), (1,), True) == (3,)
    assert output_size((1,), (1,), (3,), (0,), (1,), True) == (1,)
    assert output_size((6,), (3,), (4,), (1,), (2,), True) == (2,)


@names(CASES)
@pytest.mark.parametrize("content", ["ties", "nan", "mostly -inf", "float64", "strided"])
def test_max_pool_finds_the_first_maximum_or_the_last_nan(case, content):
    shape, options = case[:2] + case[2], case[3:]
    x = steps(shape, 0, np.float64 if content == "float64" else np.float32)
    rng = np.random.default_rng(1)
    if content == "nan":
        x[rng.random(shape) < 0.2] = np.nan
    if content == "mostly -inf":
        x[rng.random(shape) < 0.9] = -np.inf
    if content == "strided":
        x = np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    before = x.copy()
    y, distance = max_pool(x, *options)
    expected, indices = looped_max(x, case)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(flat_indices(distance, case[2], *options[:-1]), indices)
    np.testing.assert_array_equal(max_pool_gather(x, distance, *options[:-1]), expected)
    np.testing.assert_array_equal(x, before)
    assert y.dtype == x.dtype and y.flags.c_contiguous
    far = sum((k - 1) * d * int(np.prod(case[2][i + 1:]))
              for i, (k, d) in enumerate(zip(case[3], case[6], strict=True)))
    assert distance.dtype == (np.uint8 if far < 256 else np.uint16)


@names(CASES)
def test_max_pool_backward_adds_where_the_winners_are(case):
    shape, options = case[:2] + case[2], case[3:]
    y, distance = max_pool(steps(shape, 2), *options)
    g = steps(y.shape, 3)
    _, indices = looped_max(steps(shape, 2), case)
    expected = np.zeros((*shape[:2], int(np.prod(case[2]))), np.float32)
    for i, j in product(range(shape[0]), range(shape[1])):
        np.add.at(expected[i, j], indices[i, j].reshape(-1), g[i, j].reshape(-1))
    dx = max_pool_backward(g, distance, case[2], *options[:-1])
    np.testing.assert_array_equal(dx, expected.reshape(shape))
    x = steps(shape, 4)
    gathered = max_pool_gather(x, distance, *options[:-1])
    assert np.vdot(gathered, g) == np.vdot(x, dx)


def test_an_infinite_gradient_reaches_the_winner_alone():
    y, distance = max_pool(np.array([[[1.0, 2.0, 4.0, 3.0]]]), (2,), (2,), (0,), (1,))
    dx = max_pool_backward(np.full_like(y, np.inf), distance, (4,), (2,), (2,), (0,), (1,))
    np.testing.assert_array_equal(dx, [[[0, np.inf, np.inf, 0]]])


def test_a_window_that_steps_over_the_whole_input_gives_minus_infinity_and_no_gradient():
    options = (2,), (1,), (1,), (2,)
    y, distance = max_pool(np.array([[[5.0]]]), *options)
    assert y.tolist() == [[[-np.inf]]]
    assert flat_indices(distance, (1,), *options).tolist() == [[[1]]]
    assert max_pool_backward(np.ones((1, 1, 1)), distance, (1,), *options).tolist() == [[[0]]]
    assert max_pool_gather(np.ones((1, 1, 1)), distance, *options).tolist() == [[[0]]]


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.uint8])
def test_max_pool_keeps_the_dtype(dtype):
    x = np.arange(16).reshape(1, 1, 4, 4).astype(dtype)
    y, _ = max_pool(x, (2, 2), (2, 2), (0, 0), (1, 1))
    assert y.dtype == dtype
    assert y.tolist() == [[[[5, 7], [13, 15]]]]


def test_results_do_not_depend_on_the_cut_into_blocks(monkeypatch):
    x = draw((7, 5, 12, 9), 5, np.float32)
    options = (3, 3), (2, 2), (1, 1), (1, 1)
    whole = max_pool(x, *options)
    monkeypatch.setattr(_planes, "BLOCK", 300)
    for a, b in zip(max_pool(x, *options), whole, strict=True):
        np.testing.assert_array_equal(a, b)


@names(PLAIN)
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("override", [None, 3])
def test_avg_pool_divides_by_the_right_count(case, include, override):
    n, c, spatial, kernel, stride, padding, _, ceil = case
    x = draw((n, c, *spatial), 6)
    options = (kernel, stride, padding, ceil, include, override)
    y = avg_pool(x, *options)
    expected = np.empty_like(y)
    for o, places, padded in windows(case):
        total = sum(x[(slice(None), slice(None), *at)] for at in places)
        count = override or (padded if include else max(1, len(places)))
        expected[(slice(None), slice(None), *o)] = total / count
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)
    g = draw(y.shape, 7)
    dx = avg_pool_backward(g, spatial, *options)
    assert dx.shape == x.shape and dx.flags.c_contiguous
    np.testing.assert_allclose(np.vdot(dx, x), np.vdot(g, y), rtol=1e-11, atol=1e-12)


def test_avg_pool_confines_infinity_and_nan_to_their_windows():
    x = np.ones((1, 1, 8, 8), np.float32)
    x[0, 0, 0, 0], x[0, 0, 5, 5] = np.inf, np.nan
    y = avg_pool(x, (2, 2), (2, 2), (0, 0))[0, 0]
    assert y[0, 0] == np.inf and np.isnan(y[2, 2])
    y[0, 0] = y[2, 2] = 1
    assert (y == 1).all()


def test_infinities_of_both_signs_and_overflows_are_results_not_warnings():
    x = np.array([[[np.inf, -np.inf, 3e38, 3e38]]], np.float32)
    y = avg_pool(x, (2,), (2,), (0,))
    assert np.isnan(y[0, 0, 0]) and y[0, 0, 1] == np.inf
    assert np.isnan(adaptive_avg_pool(x, (1,))).all()
    y, distance = max_pool(x, (3,), (1,), (0,), (1,))
    dx = max_pool_backward(x[..., :2], distance, (4,), (3,), (1,), (0,), (1,))
    np.testing.assert_array_equal(dx, [[[np.inf, 0, -np.inf, 0]]])


def test_avg_pool_of_integers_divides_towards_zero_and_of_float16_rounds_once():
    x = np.array([[[3, -7, 2, 5, -7, -7]]])
    assert avg_pool(x, (2,), (2,), (0,)).tolist() == [[[-2, 3, -7]]]
    half = np.full((1, 1, 4, 4), 60000, np.float16)
    assert avg_pool(half, (4, 4), (4, 4), (0, 0)).tolist() == [[[[60000]]]]
    assert avg_pool_backward(half, (8, 8), (2, 2), (2, 2), (0, 0)).dtype == np.float16


def cells(spatial, out):
    """Yield (output position, slices of its window)."""
    for o in product(*map(range, out)):
        yield o, tuple(slice(i * n // m, -(-(i + 1) * n // m))
                       for i, n, m in zip(o, spatial, out, strict=True))


@names(ADAPTIVE)
def test_adaptive_avg_pool_covers_the_input(case):
    spatial, out = case
    x = draw((2, 3, *spatial), 8)
    y = adaptive_avg_pool(x, out)
    assert y.shape == (2, 3, *out)
    for o, window in cells(spatial, out):
        mean = x[(..., *window)].reshape(2, 3, -1).mean(2)
        np.testing.assert_allclose(y[(..., *o)], mean, rtol=1e-13, atol=1e-14)
    g = draw(y.shape, 9)
    dx = adaptive_avg_pool_backward(g, spatial)
    np.testing.assert_allclose(np.vdot(dx, x), np.vdot(g, y), rtol=1e-12, atol=1e-13)


@names(ADAPTIVE)
@pytest.mark.parametrize("share", [0, 0.3])
def test_adaptive_max_pool_finds_the_first_maximum_or_the_last_nan(case, share):
    spatial, out = case
    x = steps((2, 3, *spatial), 10)
    x[np.random.default_rng(11).random(x.shape) < share] = np.nan
    y, indices = adaptive_max_pool(x, out)
    places = np.arange(np.prod(spatial)).reshape(spatial)
    for o, window in cells(spatial, out):
        for i, j in product(range(2), range(3)):
            won = first_maximum(x[i, j][window].reshape(-1))
            assert indices[i, j][o] == places[window].reshape(-1)[won]
    np.testing.assert_array_equal(gather_flat(x, indices), y)
    g = steps(y.shape, 12)
    z = steps(x.shape, 13)
    assert np.vdot(scatter_flat(g, indices, spatial), z) == np.vdot(g, gather_flat(z, indices))
