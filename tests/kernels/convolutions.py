"""Convolutions to test: shapes, sums written as plain loops over taps, how to force paths."""

from itertools import product

import numpy as np

from minigrad.kernels import (
    _chunks,
    _correlate,
    _folded,
    _lines,
    _product,
    _small_conv,
    _winograd,
    lowering,
)
from minigrad.kernels import conv as kernels
from minigrad.kernels.conv import conv, conv_backward, conv_input, conv_weight, output_size

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
    "stride-over-kernel-unpadded": (2, 3, (11, 11), 4, (2, 3), (3, 4), (0, 0), (1, 1), 1),
    "pointwise-strided-odd": (3, 4, (7, 9), 6, (1, 1), (2, 2), (0, 0), (3, 1), 1),
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
    "images-of-4096-bytes": (18, 8, (8, 8), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
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


def backward(case, x, w, g, needs=(True, True, True)):
    return conv_backward(g, x, w, *case[5:], needs)


def check(case, arrays):
    wants = all_three_direct(case, *arrays)
    for got, want in zip(all_three(case, *arrays), wants, strict=True):
        np.testing.assert_array_equal(got, want.astype(got.dtype), strict=True)
        assert got.flags.c_contiguous
    g = arrays[2]
    wants = (*wants[1:], g.astype(float).sum(axis=(0, *range(2, g.ndim))))
    for got, want in zip(backward(case, *arrays), wants, strict=True):
        np.testing.assert_array_equal(got, want.astype(got.dtype), strict=True)
        assert got.flags.c_contiguous


LARGE = {(_small_conv, "COLUMNS"): 0, (_small_conv, "WIDE"): 10**9}  # nothing counts as small
SHARED = {(kernels, "SHARED"): -1, (kernels, "FOLDED"): 10**9}
FOLDED = {(kernels, "SHARED"): 10**9, (kernels, "FOLDED"): -(10**9)}
APART = {(kernels, "SHARED"): 10**9, (kernels, "FOLDED"): 10**9}
WINOGRAD = {(_winograd, name): 1 for name in ("CHANNELS", "SMALLEST", "SPAN")}
LINES = APART | {(_lines, "SHORT"): 1, (_lines, "LEAST"): 1, (_product, "tiling"): True}
# What the choice by shape may pick for what is not small, forced for every case.
PATHS = {
    "never-small": {},
    "one-image-a-chunk": {(_chunks, "CHUNK_BYTES"): 1},
    "wide": {(_correlate, "NARROW"): 10**9, (_correlate, "SLIM"): 10**9},
    "never-wide": {(_correlate, "NARROW"): 0, (_correlate, "SLIM"): 0},
    "bands": {(_chunks, "PIECE"): 1},
    "bands-of-a-batch": {(_chunks, "PIECE"): 1, (_chunks, "CHUNK_BYTES"): 64},
    "lines": {(lowering, "use_runs"): False},
    "lines-and-wide": {(lowering, "use_runs"): False, (_correlate, "NARROW"): 10**9},
    "always-shared": SHARED,
    "shared-and-never-wide": SHARED | {(_correlate, "NARROW"): 0},
    "always-folded": FOLDED,
    "folded-and-wide": FOLDED | {(_folded, "NARROW"): 10**9},
    "folded-and-never-wide": FOLDED | {(_folded, "NARROW"): 0},
    "folded-in-chunks": FOLDED | {(_chunks, "PIECE"): 1, (_chunks, "CHUNK_BYTES"): 64},
    "scatter": APART | {(kernels, "ADD"): -(10**9)},
    "scatter-lines-and-wide": {
        (kernels, "ADD"): -(10**9),
        (lowering, "use_runs"): False,
        (_correlate, "SLIM"): 10**9,
    },
    "never-scatter": {(kernels, "ADD"): 10**9},
    "never-shared": APART,
    "line-products": LINES,
    "line-products-one-image-a-chunk": LINES | {(_chunks, "CHUNK_BYTES"): 1},
    "line-products-on-threads": LINES | {(_chunks, "PIECE"): 1},
    "winograd": WINOGRAD,
    "winograd-one-image-a-chunk": WINOGRAD | {(_winograd, "CHUNK_BYTES"): 1},
    "tiles": {(_product, "tiling"): True, (_product, "VOLUME"): 400},
    "no-tiles": {(_product, "tiling"): False},
}
PATHS = {
    "chosen": {},
    "small": {(_small_conv, "COLUMNS"): 10**7, (_small_conv, "WIDE"): 10**9},
    "single": {(_small_conv, name): 0 for name in ("COLUMNS", "WIDE_COLUMNS", "WIDE")},
    "small-and-tiles": {
        (_small_conv, "VOLUME"): 1,
        (_small_conv, "ALONE"): 1,
        (_product, "tiling"): True,
        (_product, "VOLUME"): 400,
    },
    **{name: LARGE | forced for name, forced in PATHS.items()},
}


def clear_choices():
    """Forget what was chosen by shape, so that a forced path is taken."""
    _product._tile.cache_clear()
    _chunks.cut.cache_clear()
    lowering.lowering.cache_clear()
    _small_conv._kept.__init__()
    kernels._way.cache_clear()
