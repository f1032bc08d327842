"""Convolutions of small images: what is chosen, accuracy in float32, infinities, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad.kernels import _small_conv
from minigrad.kernels._small_conv import Back, Fold, Forward, Weight, find
from minigrad.kernels.conv import conv, conv_backward, conv_input, conv_weight
from tests.kernels.convolutions import (
    CASES,
    all_three,
    all_three_direct,
    backward,
    clear_choices,
    samples,
)

GRID = [
    (n, c, (size, size), k, (3, 3), (stride, stride), (padding, padding), (1, 1), 1)
    for n, c, k in [(1, 1, 4), (1, 8, 8), (5, 3, 7), (32, 1, 8), (32, 8, 16)]
    for size, stride, padding in [(3, 1, 1), (4, 1, 1), (5, 2, 0), (7, 1, 2), (8, 1, 1), (8, 2, 1)]
]


def found(case, kind, dtype=np.float32):
    x, w, _ = samples(case, dtype)
    return find((kind,), x.shape, w.shape, *case[5:], x.dtype, w.dtype)


@pytest.fixture
def up_to(monkeypatch):
    """Return a function that sets how many bytes are small."""

    def switch(size):
        monkeypatch.setattr(_small_conv, "COLUMNS", size)
        monkeypatch.setattr(_small_conv, "WIDE", 10**9)
        clear_choices()

    yield switch
    monkeypatch.undo()
    clear_choices()


def test_what_is_small():
    net = (32, 8, (4, 4), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    for kind in (Forward, Weight, Back):
        plan = found(net, kind)
        assert type(plan) is kind and found(net, kind) is plan
        assert found((32, 8, (16, 16), *net[3:]), kind) is None
        assert found(net, kind, np.float16) is None
    strided = (*net[:5], (2, 2), *net[6:])
    assert found(strided, Back) is None and type(found(strided, Fold)) is Fold
    wide_margins = (2, 1, (4, 4), 1, (1, 1), (300, 300), (600, 600), (1, 1), 1)
    assert found(wide_margins, Forward) is None


@pytest.mark.parametrize("case", GRID, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("forced", [True, False])
def test_accuracy(case, dtype, forced, up_to):
    if forced:
        up_to(10**7)
        assert found(case, Weight, dtype) is not None
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(a.shape).astype(dtype) for a in samples(case)]
    wants = all_three_direct(case, *(a.astype(float) for a in arrays))
    bias = arrays[2].sum((0, 2, 3), dtype=float)
    results = *all_three(case, *arrays), *backward(case, *arrays)
    for got, want in zip(results, (*wants, *wants[1:], bias), strict=True):
        scale = np.abs(want).max() + 1
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=0, atol=64 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("name", ["2d", "stride-2-odd", "padding-over-kernel", "groups", "3d"])
@pytest.mark.parametrize("small", [0, 10**7])
def test_infinities_stay_where_they_are(name, small, up_to):
    up_to(small)
    case = CASES[name]
    x, w, g = samples(case)
    for array, where, value in [(x, 0, np.inf), (x, -1, np.nan), (g, 5, -np.inf), (w, 3, 0)]:
        array.flat[where] = value
    # not the weight's gradient by columns of g: of an infinite x, what these margins read is NaN
    with np.errstate(all="ignore"):
        got = *all_three(case, x, w, g), *backward(case, x, w, g)[::2]
        want = *all_three_direct(case, x, w, g), g.sum((0, *range(2, g.ndim)))
    for a, b in zip(got, (*want[:3], want[1], want[3]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_dtypes_and_sizes_go_elsewhere():
    x, w, g = samples(CASES["2d"], np.float32)
    options = CASES["2d"][5:]
    want = conv(x, w, *options)
    for other in (x.astype(">f4"), x.astype(np.float16), x.astype(float)):
        np.testing.assert_array_equal(conv(other, w, *options), want)
    # more positions than `conv` gives for that size, as with an output_padding
    longer = np.pad(g, [(0, 0), (0, 0), (0, 1), (0, 0)])
    dx = conv_input(longer, w, x.shape[2:], *options)
    np.testing.assert_array_equal(dx, conv_input(g, w, x.shape[2:], *options))
    dw = conv_weight(longer, x, w.shape[2:], *options)
    np.testing.assert_array_equal(dw, conv_weight(g, x, w.shape[2:], *options))


def test_results_are_arrays_of_their_own():
    case = CASES["2d"]
    arrays = samples(case)
    first = *all_three(case, *arrays), *backward(case, *arrays)
    copies = [a.copy() for a in first]
    others = [a + 1 for a in arrays]
    second = *all_three(case, *others), *backward(case, *others)
    for a, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(a, copy)
    every = [*arrays, *first, *second]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(every) for b in every[:i])


def test_several_threads():
    names = ["2d", "stride-2", "groups", "3d"]
    wants = [all_three_direct(CASES[name], *samples(CASES[name])) for name in names]

    def user(i):
        return [all_three(CASES[names[i]], *samples(CASES[names[i]])) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for results, want in zip(pool.map(user, range(4)), wants, strict=True):
            for got, expected in ((g, w) for r in results for g, w in zip(r, want, strict=True)):
                np.testing.assert_array_equal(got, expected)


def test_plans_are_forgotten(monkeypatch):
    clear_choices()
    monkeypatch.setattr(_small_conv, "PLANS", 4)
    for size in range(3, 12):
        x, w = np.ones((1, 1, size)), np.ones((1, 1, 3))
        np.testing.assert_array_equal(conv(x, w, (1,), (0,), (1,), 1), np.full((1, 1, size - 2), 3))
        assert 0 < len(_small_conv._kept.plans) <= 4
    monkeypatch.setattr(_small_conv, "KEEP", 100)
    for size in range(3, 12):
        conv(np.ones((1, 1, size)), w, (1,), (0,), (1,), 1)
        assert _small_conv._kept.bytes <= 100


def test_backward_without_weight_or_bias():
    case = CASES["2d"]
    x, w, g = samples(case)
    dx, dw, db = conv_backward(g, x, w, *case[5:], (True, False, True))
    np.testing.assert_array_equal(dx, conv_input(g, w, x.shape[2:], *case[5:]))
    np.testing.assert_array_equal(db, g.sum((0, 2, 3)))
    assert dw is None


@pytest.mark.parametrize("n, length", [(1971, 60), (657, 174)])
def test_pieces_of_the_memory_that_just_fit(n, length):
    # columns and gradient take all of it but for the line that aligning the second piece skips
    x, g = np.ones((n, 1, length), np.float32), np.ones((n, 3, length - 3), np.float32)
    dw = conv_weight(g, x, (4,), (1,), (0,), (1,), 1)
    np.testing.assert_array_equal(dw, np.full((3, 1, 4), n * (length - 3), np.float32))
