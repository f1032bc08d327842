"""The convolution kernels against sums written as plain loops over the taps, in float64."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

from minigrad.kernels import _chunks, _correlate, _product, _threads, _winograd, lowering
from minigrad.kernels.conv import conv, conv_bias, conv_input, conv_weight, output_size

# name: (N, C, spatial, K, kernel, stride, padding, dilation, groups)
CASES = {
    "1d": (2, 3, (9,), 4, (3,), (1,), (1,), (1,), 1),
    "1d-valid": (3, 2, (9,), 4, (3,), (1,), (0,), (1,), 1),
    "1d-strided": (3, 2, (11,), 2, (4,), (3,), (2,), (2,), 2),
    "1d-pointwise": (2, 3, (5,), 4, (1,), (1,), (0,), (1,), 1),
    "2d": (3, 4, (6, 7), 5, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "no-padding": (2, 3, (6, 5), 4, (3, 2), (1, 1), (0, 0), (1, 1), 1),
    "one-sided-padding": (2, 3, (6, 5), 4, (3, 1), (1, 1), (1, 0), (1, 1), 1),
    "column-kernel": (2, 3, (6, 5), 4, (3, 1), (1, 1), (0, 0), (1, 1), 1),
    "row-kernel": (2, 3, (6, 5), 4, (1, 4), (1, 1), (0, 2), (1, 1), 1),
    "pointwise": (3, 4, (5, 3), 6, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointwise-padded": (3, 4, (5, 3), 6, (1, 1), (1, 1), (1, 2), (1, 1), 1),
    "pointwise-strided": (3, 4, (5, 6), 6, (1, 1), (2, 2), (0, 0), (1, 1), 2),
    "stride-2": (2, 4, (8, 8), 3, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "stride-2-odd": (2, 4, (7, 9), 3, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "stride-is-kernel": (2, 3, (8, 6), 4, (2, 2), (2, 2), (0, 0), (1, 1), 1),
    "stride-is-kernel-cut-off": (2, 3, (9, 8), 4, (2, 3), (2, 3), (0, 0), (1, 1), 1),
    "1d-stride-is-kernel": (2, 4, (10,), 4, (3,), (3,), (0,), (1,), 2),
    "stride-over-kernel": (2, 3, (11, 10), 4, (2, 3), (3, 4), (1, 0), (1, 1), 1),
    "unequal-strides": (2, 3, (9, 8), 2, (3, 4), (1, 3), (2, 1), (1, 1), 1),
    "dilation": (2, 3, (9, 8), 2, (3, 3), (1, 1), (2, 2), (2, 2), 1),
    "dilation-and-stride": (2, 2, (12, 13), 4, (3, 2), (2, 3), (3, 1), (3, 2), 2),
    "padding-over-kernel": (2, 3, (3, 4), 2, (2, 2), (1, 1), (3, 5), (1, 1), 1),
    "padding-over-kernel-strided": (2, 3, (3, 4), 2, (3, 3), (2, 2), (4, 5), (1, 1), 1),
    "kernel-over-image": (2, 3, (2, 3), 2, (4, 5), (1, 1), (1, 2), (1, 1), 1),
    "one-position": (3, 2, (4, 4), 5, (4, 4), (1, 1), (0, 0), (1, 1), 1),
    "groups": (2, 6, (5, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "groups-strided": (2, 6, (5, 6), 9, (3, 3), (2, 2), (1, 1), (1, 1), 3),
    "depthwise": (2, 5, (6, 5), 5, (3, 3), (1, 1), (1, 1), (1, 1), 5),
    "depthwise-multiplier": (2, 3, (6, 5), 6, (3, 3), (1, 1), (1, 1), (1, 1), 3),
    "depthwise-strided": (2, 3, (7, 6), 3, (3, 3), (2, 2), (1, 1), (1, 1), 3),
    "3d": (2, 3, (4, 5, 6), 4, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
    "3d-general": (2, 4, (6, 7, 5), 2, (2, 3, 2), (2, 1, 3), (1, 2, 0), (2, 2, 1), 2),
    "3d-stride-is-kernel": (2, 2, (4, 6, 4), 3, (2, 3, 2), (2, 3, 2), (0, 0, 0), (1, 1, 1), 1),
    "one-image": (1, 3, (7, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "one-image-strided": (1, 4, (11, 7), 6, (3, 2), (2, 3), (2, 1), (2, 1), 2),
    "one-image-pointwise": (1, 3, (7, 6), 4, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "one-image-depthwise": (1, 3, (9, 6), 3, (3, 3), (1, 1), (1, 1), (1, 1), 3),
    "one-image-patches": (1, 3, (9, 6), 4, (3, 2), (3, 2), (0, 0), (1, 1), 1),
    "one-image-padded-patches": (1, 3, (4,), 2, (3,), (3,), (3,), (1,), 1),
    "one-image-3d": (1, 2, (5, 4, 3), 3, (3, 3, 2), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
    "no-images": (0, 3, (5, 5), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "no-outputs": (2, 3, (5, 5), 0, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "no-inputs": (2, 0, (5, 5), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "many-images": (37, 3, (6, 5), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
}


def tap_slices(case):
    """Yield for every tap the slices of the padded input that it reads."""
    _, _, spatial, _, kernel, stride, padding, dilation, _ = case
    out = output_size(spatial, kernel, stride, padding, dilation)
    for tap in product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        yield tap, tuple(
            slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, out, stride, strict=True)
        )


def pad(x, padding):
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])


def group_slices(case, which):
    """Return the channel slices of each group: of the input (1) or of the output (3)."""
    size = case[which] // case[8]
    return [slice(i * size, (i + 1) * size) for i in range(case[8])]


def direct_conv(case, x, w):
    N, _, spatial, K, kernel, stride, padding, dilation, _ = case
    y = np.zeros((N, K, *output_size(spatial, kernel, stride, padding, dilation)))
    padded = pad(x.astype(float), padding)
    for (tap, where), (cs, ks) in product(
        tap_slices(case), zip(group_slices(case, 1), group_slices(case, 3), strict=True)
    ):
        y[:, ks] += np.einsum("nc...,kc->nk...", padded[:, cs][..., *where], w[ks][..., *tap])
    return y


def direct_conv_input(case, g, w):
    N, C, spatial, _, _, _, padding, _, _ = case
    dx = pad(np.zeros((N, C, *spatial)), padding)
    for (tap, where), (cs, ks) in product(
        tap_slices(case), zip(group_slices(case, 1), group_slices(case, 3), strict=True)
    ):
        dx[:, cs][..., *where] += np.einsum("nk...,kc->nc...", g[:, ks], w[ks][..., *tap])
    inner = (slice(p, p + n) for p, n in zip(padding, spatial, strict=True))
    return dx[..., *inner]


def direct_conv_weight(case, g, x):
    _, C, _, K, kernel, _, padding, _, groups = case
    dw = np.zeros((K, C // groups, *kernel))
    positions = int(np.prod(g.shape[2:]))
    padded = pad(x.astype(float), padding)
    for (tap, where), (cs, ks) in product(
        tap_slices(case), zip(group_slices(case, 1), group_slices(case, 3), strict=True)
    ):
        read = padded[:, cs][..., *where].reshape(g.shape[0], C // groups, positions)
        grad = g[:, ks].reshape(g.shape[0], K // groups, positions)
        dw[ks][..., *tap] = np.einsum("ncl,nkl->kc", read, grad)
    return dw


def samples(case, dtype=np.float64, seed=0):
    """Return x, w and g of small integers: every sum is exact, so results must be equal."""
    N, C, spatial, K, kernel, stride, padding, dilation, groups = case
    rng = np.random.default_rng(seed)
    out = output_size(spatial, kernel, stride, padding, dilation)
    shapes = (N, C, *spatial), (K, C // groups, *kernel), (N, K, *out)
    return [rng.integers(-4, 5, shape).astype(dtype) for shape in shapes]


def all_three(case, x, w, g):
    _, _, spatial, _, kernel, *options = case
    return (
        conv(x, w, *options),
        conv_input(g, w, spatial, *options),
        conv_weight(g, x, kernel, *options),
    )


def all_three_direct(case, x, w, g):
    return (
        direct_conv(case, x, w),
        direct_conv_input(case, g, w),
        direct_conv_weight(case, g, x),
    )


def check(case, arrays):
    for got, want in zip(all_three(case, *arrays), all_three_direct(case, *arrays), strict=True):
        np.testing.assert_array_equal(got, want.astype(got.dtype), strict=True)
        assert got.flags.c_contiguous


# What the choice by shape may pick, forced for every case: module, {name: value}.
PATHS = {
    "chosen": {},
    "sum": {(_correlate, "method"): "sum"},
    "stack": {(_correlate, "method"): "stack"},
    "one-image-a-chunk": {(_chunks, "CHUNK_BYTES"): 1},
    "wide": {(_chunks, "NARROW"): 10**9},
    "wide-and-stack": {(_chunks, "NARROW"): 10**9, (_correlate, "method"): "stack"},
    "never-wide": {(_chunks, "NARROW"): 0},
    "bands": {(_chunks, "PIECE"): 1},
    "bands-and-stack": {(_chunks, "PIECE"): 1, (_correlate, "method"): "stack"},
    "short-rows-only": {(lowering, "LONG"): 0},
    "winograd": {(_winograd, "CHANNELS"): 1, (_winograd, "SMALLEST"): 1},
    "winograd-one-image-a-chunk": {
        (_winograd, "CHANNELS"): 1,
        (_winograd, "SMALLEST"): 1,
        (_winograd, "CHUNK_BYTES"): 1,
    },
    "tiles": {(_product, "tiling"): True, (_product, "VOLUME"): 400},
    "no-tiles": {(_product, "tiling"): False},
}


@pytest.fixture
def force(monkeypatch):
    """Return a function that forces a path of PATHS until the test ends."""

    def apply(name):
        for (module, attribute), value in PATHS[name].items():
            monkeypatch.setattr(module, attribute, value)
        clear()

    def clear():
        _product._tile.cache_clear()
        lowering.lowering.cache_clear()

    yield apply
    monkeypatch.undo()
    clear()


@pytest.fixture
def threads():
    """Restore the number of threads."""
    before = _threads.get_num_threads()
    yield _threads.set_num_threads
    _threads.set_num_threads(before)


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


def test_forced_paths_differ(force):
    """The paths are not the same computation: their float32 roundings are not equal."""
    case = (3, 16, (12, 12), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    x, w, _ = large_samples(case)
    results = []
    for path in ("sum", "stack", "winograd"):
        force(path)
        results.append(conv(x, w, *case[5:]))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert (results[i] != results[j]).any()
        np.testing.assert_allclose(results[i], results[j], rtol=0, atol=1e-4)


def test_float16_is_rounded_once():
    # 2048 + 1 + 1 + 1 + 1 needs a partial sum that float16 cannot hold
    x = np.array([[[2048, 1, 1, 1, 1]]], np.float16)
    w = np.ones((1, 1, 5), np.float16)
    assert conv(x, w, (1,), (0,), (1,), 1).item() == 2052
    assert conv_weight(np.ones((1, 1, 5), np.float16), x, (1,), (1,), (0,), (1,), 1).item() == 2052


STRIDED = ["1d", "1d-valid", "2d", "stride-2", "stride-is-kernel", "groups", "depthwise", "3d"]


@pytest.mark.parametrize("name", [*STRIDED, "pointwise", "column-kernel", "one-image"])
@pytest.mark.parametrize("path", ["chosen", "stack", "sum", "bands", "wide", "winograd"])
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
@pytest.mark.parametrize("path", ["chosen", "sum", "stack", "bands", "winograd"])
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


# Large enough for several chunks, threads and tiles; rounding differs from the reference's.
LARGE = {
    "thick": (9, 16, (32, 32), 32, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "thin": (16, 3, (32, 32), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "small-maps": (16, 48, (8, 8), 64, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "strided": (10, 24, (17, 16), 32, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "depthwise": (8, 32, (24, 24), 32, (3, 3), (1, 1), (1, 1), (1, 1), 32),
    "pointwise": (8, 32, (16, 16), 64, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "many-channels": (5, 64, (13, 16), 72, (3, 3), (1, 1), (2, 1), (1, 1), 1),
    "one-image": (1, 32, (40, 40), 48, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "3d": (5, 8, (8, 9, 10), 16, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
}


def large_samples(case):
    rng = np.random.default_rng(2)
    return [rng.standard_normal(a.shape).astype(np.float32) for a in samples(case)]


@pytest.mark.parametrize("name", LARGE)
def test_large_float32(name):
    case = LARGE[name]
    arrays = large_samples(case)
    wants = all_three_direct(case, *(a.astype(float) for a in arrays))
    for got, want in zip(all_three(case, *arrays), wants, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=3e-6 * np.abs(want).max())


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_the_number_of_threads(name, threads):
    case = LARGE[name]
    arrays = large_samples(case)
    threads(1)
    wants = all_three(case, *arrays)
    for count in (2, 3, 5):
        threads(count)
        for got, want in zip(all_three(case, *arrays), wants, strict=True):
            np.testing.assert_array_equal(got, want)


def test_calls_from_several_threads(threads):
    threads(2)
    cases = [LARGE["thick"], LARGE["thin"], LARGE["strided"], LARGE["small-maps"]]
    inputs = [large_samples(case) for case in cases]
    wants = [all_three(case, *a) for case, a in zip(cases, inputs, strict=True)]

    def user(i):
        return [all_three(cases[i], *inputs[i]) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for results, want in zip(pool.map(user, range(4)), wants, strict=True):
            for result in results:
                for a, b in zip(result, want, strict=True):
                    np.testing.assert_array_equal(a, b)


def test_results_do_not_share_scratch_memory():
    case = LARGE["small-maps"]
    first = all_three(case, *large_samples(case))
    copies = [a.copy() for a in first]
    all_three(case, *(a + 1 for a in large_samples(case)))
    for a, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(a, copy)
