"""Convolution with 3x3 kernels in fewer multiplications, for many channels.

Winograd's F(2x2, 3x3) computes a tile of 2x2 results from 4x4 inputs d with 16 instead of 36
multiplications a channel (Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, 2015):

    y = A' [sum over channels of (G w G') * (B' d B)] A

    B' = 1  0 -1  0     G = 1    0    0     A' = 1  1  1  0
         0  1  1  0         1/2  1/2 1/2         0  1 -1 -1
         0 -1  1  0         1/2 -1/2 1/2
         0  1  0 -1         0    0    1

Each of the 16 entries is one matrix product (K, C) @ (C, tiles). Tiles overlap by two: stored by
the parities of row and column, entry i of a tile is phase i % 2 at the tile's number + i // 2. So
the transforms are sums of shifted arrays, in long runs. One column too many is carried along for
that; it holds what wraps around and is dropped at the end.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels._product import multiply
from minigrad.kernels._threads import one_blas_thread, run, scratch
from minigrad.kernels.lowering import Ints, inside

CHANNELS = 64  # below, the transforms cost more than the multiplications they save
SMALLEST = 12  # result; below, too much is carried along
SPAN = 1536  # channels times size of the result: with the fewest channels, 24 lines
CHUNK_BYTES = 1 << 21  # of the transformed images of a chunk
_PARITIES = ((0, 0), (0, 1), (1, 0), (1, 1))  # of row and column
_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def applies(x: np.ndarray, w: np.ndarray, strides: Ints, groups: int, out: Ints) -> bool:
    """Tell whether a convolution is computed this way; `strides` and dilations together."""
    return (
        w.shape[2:] == (3, 3)
        and set(strides) == {1}
        and groups == 1
        and min(w.shape[:2]) >= CHANNELS
        and min(out) >= SMALLEST
        and min(w.shape[:2]) * min(out) >= SPAN
        and len(x) > 1  # a single image is cut into bands instead, for two threads
        and x.dtype.kind == "f"
    )


def _weights(w: np.ndarray) -> np.ndarray:
    """Return G w G' (16, K, C)."""
    filters, channels = w.shape[:2]
    g = _G.astype(w.dtype)
    w = np.ascontiguousarray(w.transpose(2, 3, 0, 1)).reshape(3, -1)
    return (g @ (g @ w).reshape(4, 3, -1)).reshape(16, filters, channels)


def _transform(even: np.ndarray, odd: np.ndarray, step: int, out: np.ndarray) -> None:
    """out[0..3] = rows of B' over d = even, odd, even one tile on, odd one tile on."""
    size = out.shape[-1]
    even, even_on = even[..., :size], even[..., step : step + size]
    odd, odd_on = odd[..., :size], odd[..., step : step + size]
    np.subtract(even, even_on, out=out[0])
    np.add(odd, even_on, out=out[1])
    np.subtract(even_on, odd, out=out[2])
    np.subtract(odd, odd_on, out=out[3])


def _reduce(m: np.ndarray, out: np.ndarray) -> None:
    """out[0], out[1] = rows of A' over m[0..3]."""
    np.add(m[0], m[1], out=out[0])
    out[0] += m[2]
    np.subtract(m[1], m[2], out=out[1])
    out[1] -= m[3]


def correlate(
    x: np.ndarray, w: np.ndarray, padding: Ints, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """Write the convolution of x (N, C, H, W) and w (K, C, 3, 3), plus bias (K, 1, 1), into y."""
    images, channels = x.shape[:2]
    high, wide = (-(-n // 2) for n in y.shape[2:])  # tiles
    weights = _weights(w)
    step = CHUNK_BYTES // (16 * channels * high * (wide + 1) * x.itemsize)
    step = max(1, min(step, -(-images // 2)))
    starts = range(0, images, step)

    def chunk(index: int) -> None:
        a, b = starts[index], min(images, starts[index] + step)
        tiles = _tiles(x[a:b], padding, high, wide)
        products = scratch("products", (16, len(w), tiles.shape[-1]), x.dtype)
        multiply(weights, tiles, products)
        _untile(products, high, wide, y[a:b])
        if bias is not None:
            y[a:b] += bias

    one_blas_thread(run, chunk, len(starts))


def _tiles(x: np.ndarray, padding: Ints, high: int, wide: int) -> np.ndarray:
    """Return B' d B for the tiles of some images: (16, C, tiles and the column too many)."""
    images, channels = x.shape[:2]
    high_on, wide_on = high + 1, wide + 1
    phases = scratch("phases", (2, 2, channels, images, high_on, wide_on), x.dtype)
    phases.fill(0)
    for r, c in _PARITIES:
        to_rows, rows = inside(high_on, 2, r - padding[0], x.shape[2])
        to_columns, columns = inside(wide_on, 2, c - padding[1], x.shape[3])
        phases[r, c, :, :, to_rows, to_columns] = x[:, :, rows, columns].swapaxes(0, 1)
    phases = phases.reshape(2, 2, channels * images, high_on * wide_on)
    half = scratch("half", (4, 2, channels * images, high * wide_on), x.dtype)
    _transform(phases[0], phases[1], wide_on, half)
    half = half.reshape(4, 2, -1)
    tiles = scratch("tiles", (4, 4, half.shape[-1]), x.dtype)
    tiles[..., -1] = 0  # the only entry without a neighbour, in the column too many
    _transform(half[:, 0], half[:, 1], 1, tiles.swapaxes(0, 1)[..., :-1])
    return tiles.reshape(16, channels, -1)


def _untile(products: np.ndarray, high: int, wide: int, y: np.ndarray) -> None:
    """Write A' m A of the tiles of some images into y (N, K, H, W)."""
    images, filters = y.shape[:2]
    products = products.reshape(4, 4, -1)
    half = scratch("half", (2, 4, products.shape[-1]), y.dtype)
    _reduce(products, half)
    ends = scratch("phases", (2, 2, products.shape[-1]), y.dtype)
    _reduce(half.swapaxes(0, 1), ends.swapaxes(0, 1))
    ends = ends.reshape(2, 2, filters, images, high, wide + 1).swapaxes(2, 3)
    for r, c in _PARITIES:
        target = y[:, :, r::2, c::2]
        target[...] = ends[r, c, :, :, : target.shape[2], : target.shape[3]]
