"""Both gradients of a convolution with stride 1, with columns for the inner axes only.

Let i be the tap of the first axis and t those of the others; o is a line of g (of its first axis),
u the positions of x in the other axes. With the columns of g that move in the other axes only,

    G[(k, t), (o, u)] = g[k, o, u - t * dilation + padding],

    E[(c, i), (o, u)] = sum over k, t of  w[k, c, i, t] G[(k, t), (o, u)]
    dx[c, o + i * dilation - padding, u] = sum over i of  E[(c, i), (o, u)]
    dw[k, c, i, t] = sum over n, o, u of  X[(c, i), (o, u)] G[(k, t), (o, u)]

where X[(c, i), (o, u)] = x[c, o + i * dilation - padding, u] are columns that move in the first
axis only. So per position K * T' numbers are copied for g and C * k0 for x, and as many are added
to dx (for T' inner taps and k0 of the first axis), against K * k0 * T' for all columns of g. And
the products have C * k0 rows instead of C.
"""

from __future__ import annotations

from math import prod

import numpy as np

from minigrad.kernels._chunks import CHUNK_BYTES, COPY, cut, on_threads
from minigrad.kernels._columns import lower
from minigrad.kernels._correlate import Lanes, _as, _columns, _times
from minigrad.kernels._product import multiply
from minigrad.kernels._threads import scratch
from minigrad.kernels.lowering import Ints, inside, lowering

FOLD = 2.5  # copies in the time of adding one number to dx
NARROW = 200  # positions below which images are laid side by side


def cost(channels: int, filters: int, kernel: Ints, out: Ints, spatial: Ints) -> float:
    """Return the time for an image and group, in multiplications."""
    first, taps = kernel[0], prod(kernel[1:])
    copies = filters * taps + (1 + FOLD) * channels * first
    products = 2 * channels * first * filters * taps
    return out[0] * prod(spatial[1:]) * (products + COPY * copies)


def fits(filters: int, kernel: Ints, out: Ints, spatial: Ints) -> bool:
    """Tell whether the columns of one image are few enough, as images are not cut here."""
    columns = filters * prod(kernel[1:]) * out[0] * prod(spatial[1:])
    return kernel[0] > 1 and 4 * columns <= CHUNK_BYTES


def both(
    g: np.ndarray, w: np.ndarray, x: np.ndarray, dx: np.ndarray, padding: Ints, dilation: Ints
) -> np.ndarray:
    """Add the input gradient to dx (N, G, C, *spatial) and return dw (G, K, C, *kernel).

    g (N, G, K, *out), w (G, K, C, *kernel), x (N, G, C, *spatial).
    """
    images, groups, channels, *spatial = x.shape
    filters, kernel, out = g.shape[2], w.shape[3:], g.shape[3:]
    ones, axes = (1,) * len(out), len(out)
    lines = (out[0], *spatial[1:])
    margin = [(k - 1) * d - p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    zeros = (0,) * (axes - 1)
    inner = lowering(
        out, (1, *kernel[1:]), ones, (0, *margin[1:]), (1, *dilation[1:]), lines
    )
    first = lowering(
        tuple(spatial), (kernel[0], *ones[1:]), ones, (padding[0], *zeros),
        (dilation[0], *ones[1:]), lines,
    )
    # (G, K, C, k0, *inner) -> (G, C * k0, K * inner), inner taps turned
    turned = np.flip(w, tuple(range(4, 3 + axes)))
    turned = np.moveaxis(turned, 1, 3).reshape(groups, channels * kernel[0], -1)
    rows, taps = turned.shape[1:]
    copied = taps + 2 * rows
    chunks = cut(inner, images, groups * copied, 2 * rows * taps // copied, x.itemsize, True)
    lanes = Lanes(chunks, (groups, rows, taps), x.dtype)
    wide = images > 1 and inner.positions < NARROW
    moves = [inside(out[0], 1, i * dilation[0] - padding[0], spatial[0]) for i in range(kernel[0])]

    def input_gradient(part: slice, columns: np.ndarray) -> None:
        products = scratch("products", (*columns.shape[:2], rows, columns.shape[3]), x.dtype)
        multiply(turned, columns, products)
        shape = (part.stop - part.start, groups, rows, inner.positions)
        each = _as(products, shape) if wide else products
        each = each.reshape(*shape[:2], channels, kernel[0], *lines)
        for tap, (read, write) in enumerate(moves):
            target = dx[part, :, :, write]
            target += each[:, :, :, tap, read]

    def task(index: int) -> None:
        for i, chunk in enumerate(lanes.lanes[index]):
            part = slice(chunk.first, chunk.last)
            columns = _columns(inner, chunk, g, wide)
            if index % 2 == 0:  # so that threads seldom do the short calls at the same time
                input_gradient(part, columns)
            _times(columns, lower(first, x[part], wide, second=True), lanes.sums[index], i == 0)
            if index % 2:
                input_gradient(part, columns)

    on_threads(task, len(lanes.lanes), 2 * images * groups * rows * taps * inner.positions)
    dw = lanes.total().reshape(groups, channels, kernel[0], filters, *kernel[1:])
    return np.flip(np.moveaxis(dw, 3, 1), tuple(range(4, 3 + axes)))
