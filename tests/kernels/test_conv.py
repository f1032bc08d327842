"""The convolution kernels, on every path, against sums written as plain loops, in float64."""

from itertools import product

import numpy as np
import pytest

from minigrad.kernels import _chunks, lowering
from minigrad.kernels.conv import conv, conv_bias, conv_input, conv_weight
from tests.kernels.convolutions import (
    CASES,
    PATHS,
    all_three,
    all_three_direct,
    backward,
    check,
    clear_choices,
    direct_conv,
    samples,
)


@pytest.fixture
def force(monkeypatch):
    """Return a function that forces a path of PATHS until the test ends."""

    def apply(name):
        for (module, attribute), value in PATHS[name].items():
            monkeypatch.setattr(module, attribute, value)
        clear_choices()

    yield apply
    monkeypatch.undo()
    clear_choices()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("path", PATHS)
def test_equals_plain_loops(name, path, force):
    force(path)
    arrays = samples(CASES[name])
    copies = [a.copy() for a in arrays]
    check(CASES[name], arrays)
    for a, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


@pytest.mark.parametrize("name", ["2d", "stride-2-odd", "depthwise", "3d-general", "pointwise"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8"])
def test_dtypes(name, dtype):
    arrays = samples(CASES[name])
    arrays = [(np.abs(a) if dtype == "uint8" else a).astype(dtype) for a in arrays]
    for got, want in zip(
        all_three(CASES[name], *arrays), all_three_direct(CASES[name], *arrays), strict=True
    ):
        assert got.dtype == dtype
        with np.errstate(all="ignore"):
            want = want.astype(np.int64).astype(dtype) if dtype == "uint8" else want.astype(dtype)
        np.testing.assert_array_equal(got, want)


def test_paths_are_forced(force):
    shapes = (12, 12), (3, 3), (1, 1), (1, 1), (1, 1), (12, 12)
    assert lowering.lowering(*shapes).runs
    force("lines")
    assert not lowering.lowering(*shapes).runs
    assert len(_chunks.cut(lowering.lowering(*shapes), 4, 9, 8, 4)) == 1
    force("bands-of-a-batch")
    cut = _chunks.cut(lowering.lowering(*shapes), 4, 9, 8, 4)
    assert len(cut) == 48 and {(c.last - c.first, c.bottom - c.top) for c in cut} == {(1, 1)}
    case = (3, 16, *shapes[:1], 16, *shapes[1:-1], 1)
    x, w, _ = (a / 7 for a in samples(case, np.float32))
    exact = conv(x, w, *case[5:])
    force("winograd")  # rounds differently
    assert (conv(x, w, *case[5:]) != exact).any()


@pytest.mark.parametrize("name", ["2d", "stride-2", "pointwise", "stride-is-kernel", "no-images"])
def test_backward_computes_what_is_needed(name):
    case = CASES[name]
    arrays = samples(case)
    whole = backward(case, *arrays)
    for needs in product((False, True), repeat=3):
        for got, want, needed in zip(backward(case, *arrays, needs), whole, needs, strict=True):
            if needed:
                np.testing.assert_array_equal(got, want, strict=True)
            else:
                assert got is None


def test_float16_is_rounded_once():
    # 2048 + 1 + 1 + 1 + 1 needs a partial sum that float16 cannot hold
    x = np.array([[[2048, 1, 1, 1, 1]]], np.float16)
    w = np.ones((1, 1, 5), np.float16)
    assert conv(x, w, (1,), (0,), (1,), 1).item() == 2052
    assert conv_weight(np.ones((1, 1, 5), np.float16), x, (1,), (1,), (0,), (1,), 1).item() == 2052


STRIDED = ["1d", "1d-valid", "2d", "stride-2", "stride-is-kernel", "groups", "depthwise", "3d"]


@pytest.mark.parametrize("name", [*STRIDED, "pointwise", "column-kernel", "one-image"])
@pytest.mark.parametrize("path", ["chosen", "bands", "lines", "wide", "winograd"])
def test_any_strides(name, path, force):
    force(path)
    case = CASES[name]
    arrays = samples(case)
    variants = (
        lambda a: np.asfortranarray(a),
        lambda a: np.flip(np.ascontiguousarray(np.flip(a))),
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1),
        lambda a: np.stack([a, a])[1].swapaxes(0, 1).copy().swapaxes(0, 1),
    )
    for variant in variants:
        check(case, [variant(a) for a in arrays])


def test_broadcast_and_read_only_inputs():
    case = CASES["2d"]
    x, w, _ = samples(case)
    g = np.broadcast_to(1.0, samples(case)[2].shape)
    check(case, [np.broadcast_to(x[:1], x.shape), w, g])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("path", ["chosen", "bands", "wide", "winograd"])
def test_bias(name, path, force):
    force(path)
    case = CASES[name]
    x, w, _ = samples(case)
    _, _, spatial, filters, _, *options = case
    bias = np.arange(1.0, filters + 1)
    want = direct_conv(case, x, w) + bias.reshape(-1, *(1 for _ in spatial))
    np.testing.assert_array_equal(conv(x, w, *options, bias=bias), want, strict=True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 3, 7), (0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_bias_gradient(shape, dtype):
    g = np.random.default_rng(0).integers(-4, 5, shape).astype(dtype)
    want = g.astype(float).sum(axis=(0, *range(2, len(shape)))).astype(dtype)
    np.testing.assert_array_equal(conv_bias(g), want, strict=True)
    np.testing.assert_array_equal(conv_bias(np.flip(g)), np.flip(want), strict=True)


@pytest.mark.parametrize("name", CASES)
def test_the_three_are_adjoint(name):
    case = CASES[name]
    x, w, g = samples(case, seed=1)
    y, dx, dw = all_three(case, x, w, g)
    assert np.vdot(g, y) == np.vdot(dx, x) == np.vdot(dw, w)


def test_input_gradient_of_cut_off_rows():
    # stride 2 over 8 rows with kernel 3 never reads the last row: its gradient is zero
    g = np.ones((1, 1, 3, 3))
    dx = conv_input(g, np.ones((1, 1, 3, 3)), (8, 8), (2, 2), (0, 0), (1, 1), 1)
    assert dx.shape == (1, 1, 8, 8)
    assert (dx[..., 7:, :] == 0).all() and (dx[..., :7, :7] > 0).all()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 4])
def test_transposed_convolution_with_output_padding(stride, groups):
    # rows beyond those that `conv` would read for g: as if g went on with zeros
    rng = np.random.default_rng(0)
    g = rng.integers(-4, 5, (2, 4, 5, 6)).astype(float)
    w = rng.integers(-4, 5, (4, 4 // groups, 3, 3)).astype(float)
    options = (stride, stride), (1, 1), (4, 4), groups
    longer = np.pad(g, [(0, 0), (0, 0), (0, 3), (0, 3)])
    spatial = tuple((n - 1) * stride - 2 + 4 * 2 + 1 for n in longer.shape[2:])
    want = conv_input(longer, w, spatial, *options)
    for extra in range(4):
        sizes = tuple((n - 1) * stride - 2 + 4 * 2 + 1 + extra for n in g.shape[2:])
        got = conv_input(g, w, sizes, *options)
        np.testing.assert_array_equal(got, want[:, :, : sizes[0], : sizes[1]], strict=True)


def test_windows_that_all_lie_in_the_padding():
    # stride 4 and padding 2 around one element: taps at -2 and 2 only
    g, w = np.ones((2, 3, 2, 5)), np.ones((3, 1, 1, 2))
    dx = conv_input(g, w, (1, 6), (4, 1), (2, 0), (1, 1), 1)
    np.testing.assert_array_equal(dx, np.zeros((2, 1, 1, 6)), strict=True)
