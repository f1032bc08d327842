"""The matrix products of convolution over the columns of x.

`correlate` multiplies the columns by the weights, `contract` by a gradient, summed over the batch,
and `both` does the two with the same columns. Shapes in here, for G groups and T taps:

    x (N, G, C, *spatial)    w, dw (G, K, C * T)    y, g (N, G, K, o0, row)

where o0 * row are the positions. Where an image has few of them, products are too thin, and the
images of a chunk are laid side by side in one *wide* matrix.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels._chunks import Chunk, cut, on_threads
from minigrad.kernels._columns import foldable, lower
from minigrad.kernels._product import multiply
from minigrad.kernels._threads import scratch
from minigrad.kernels.lowering import Lowering, Slices, tiles

NARROW = 300  # positions below which images are laid side by side where products sum over them
SLIM = 32  # the same for products that sum over taps and channels
LANES = 8  # upper bound of the useful threads
SUM_BYTES = 1 << 25  # of the partial sums of all lanes


def _matrices(y: np.ndarray, chunk: Chunk) -> np.ndarray:
    """Return a chunk of y (N, G, K, o0, row) as matrices (n, G, K, positions), a view."""
    part = y[chunk.first : chunk.last, :, :, chunk.top : chunk.bottom]
    return part.reshape(*part.shape[:3], -1)


def _beside(y: np.ndarray) -> np.ndarray:
    """Return scratch memory for matrices (n, G, K, positions) side by side, and a view of it."""
    n, groups, rows, size = y.shape
    return scratch("side", (1, groups, rows, n * size), y.dtype)


def _as(matrices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the view (n, G, K, positions) of wide matrices."""
    n, groups, rows, size = shape
    return matrices.reshape(groups, rows, n, size).transpose(2, 0, 1, 3)


def _columns(
    plan: Lowering, chunk: Chunk, x: np.ndarray, wide: bool, ones: bool = False
) -> np.ndarray:
    """Return the columns of a chunk; of 1x1 kernels they are x itself."""
    if not plan.identity:
        return lower(chunk.plan, x[chunk.first : chunk.last], wide, ones)
    x = x[chunk.first : chunk.last, :, :, chunk.top : chunk.bottom]
    x = x.reshape(*x.shape[:3], -1)
    if not wide:
        return x
    n, groups, channels, size = x.shape
    side = scratch("columns", (1, groups, channels, n * size), x.dtype)
    _as(side, x.shape)[...] = x
    return side


def _multiply_into(w: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Write w @ columns into the matrices `out`; the columns may be wide."""
    if len(columns) == len(out):
        multiply(w, columns, out)
        return
    side = _beside(out)
    multiply(w, columns, side)
    out[...] = _as(side, out.shape)


def _times(columns: np.ndarray, g: np.ndarray, total: np.ndarray, first: bool) -> None:
    """Add to total (G, K, R) the products g (n, G, K, positions) @ columns (n, G, R, positions).T.
    """
    if len(columns) != len(g):
        side = _beside(g)
        _as(side, g.shape)[...] = g
        g = side
    if first and len(g) == 1:
        multiply(g[0], columns[0].swapaxes(1, 2), total)
        return
    term = scratch("term", (len(g), *total.shape), g.dtype)
    multiply(g, columns.swapaxes(2, 3), term)
    if first:
        np.add.reduce(term, axis=0, out=total)
    else:
        for image in term:
            total += image


def correlate(
    plan: Lowering, x: np.ndarray, w: np.ndarray, y: np.ndarray, ones: bool = False
) -> None:
    """y[n, g] = w[g] @ columns of x[n, g]; with `ones` the last column of w is the bias."""
    groups, filters, rows = w.shape
    chunks = cut(plan, len(x), groups * rows, filters, y.itemsize)
    wide = len(x) > 1 and plan.positions < SLIM

    def task(index: int) -> None:
        chunk = chunks[index]
        columns = _columns(plan, chunk, x, wide, ones)
        _multiply_into(w, columns, _matrices(y, chunk))

    on_threads(task, len(chunks), y.size * rows)


class Lanes:
    """The chunks of a sum over the batch, a lane for each thread, with the sum of each lane."""

    def __init__(self, chunks: list[Chunk], shape: tuple[int, int, int], dtype: np.dtype) -> None:
        size = shape[0] * shape[1] * shape[2] * dtype.itemsize
        count = min(len(chunks), LANES, max(2, SUM_BYTES // max(1, size)))
        cuts = [i * len(chunks) // count for i in range(count + 1)]
        self.lanes = [chunks[a:b] for a, b in pairwise(cuts)]
        self.sums = np.empty((count, *shape), dtype)

    def total(self) -> np.ndarray:
        """Return the sum of all lanes."""
        return self.sums[0] if len(self.sums) == 1 else np.add.reduce(self.sums, axis=0)


def contract(plan: Lowering, g: np.ndarray, x: np.ndarray, ones: bool = False) -> np.ndarray:
    """Return dw, the sum over n of g[n] @ (columns of x[n]).T; `ones`: a last column sums g."""
    filters, (groups, channels) = g.shape[2], x.shape[1:3]
    rows = plan.taps * channels + ones
    chunks = cut(plan, len(x), groups * rows, filters, g.itemsize)
    lanes = Lanes(chunks, (groups, filters, rows), g.dtype)
    wide = len(x) > 1 and plan.positions < NARROW

    def task(index: int) -> None:
        for i, chunk in enumerate(lanes.lanes[index]):
            columns = _columns(plan, chunk, x, wide, ones)
            _times(columns, _matrices(g, chunk), lanes.sums[index], i == 0)

    on_threads(task, len(lanes.lanes), g.size * rows)
    return lanes.total()


def both(
    plan: Lowering, g: np.ndarray, w: np.ndarray, x: np.ndarray, dx: np.ndarray
) -> np.ndarray:
    """Write w @ columns of g into dx (N, G, C, o0, row); return x @ (columns of g).T, summed."""
    groups, channels, rows = w.shape
    chunks = cut(plan, len(g), groups * rows, 2 * channels, g.itemsize)
    lanes = Lanes(chunks, (groups, channels, rows), g.dtype)
    wide = len(g) > 1 and plan.positions < NARROW

    def task(index: int) -> None:
        for i, chunk in enumerate(lanes.lanes[index]):
            columns = _columns(plan, chunk, g, wide)
            _multiply_into(w, columns, _matrices(dx, chunk))
            _times(columns, _matrices(x, chunk), lanes.sums[index], i == 0)

    on_threads(task, len(lanes.lanes), dx.size * rows)
    return lanes.total()


class Phase(NamedTuple):
    """Every so manieth element of dx, which is a convolution of g of its own."""

    plan: Lowering
    w: np.ndarray
    where: Slices


def correlate_phases(phases: list[Phase], g: np.ndarray, dx: np.ndarray) -> None:
    """Write for each phase w @ columns of g (N, G, K, *out) into dx (N, G, C, *spatial)."""
    tasks = [
        (phase, chunk)
        for phase in phases
        for chunk in cut(
            phase.plan, len(g), phase.w.shape[0] * phase.w.shape[2], phase.w.shape[1], g.itemsize
        )
    ]

    def task(index: int) -> None:
        phase, chunk = tasks[index]
        n, (groups, channels, _) = chunk.last - chunk.first, phase.w.shape
        wide = n > 1 and phase.plan.positions < SLIM
        columns = _columns(phase.plan, chunk, g, wide)
        shape = (n, groups, channels, *chunk.plan.out)
        image = scratch("image", shape, g.dtype)
        _multiply_into(phase.w, columns, image.reshape(*shape[:3], -1))
        where: Any = (slice(chunk.first, chunk.last), ..., *phase.where)
        target = dx[where]
        target[:, :, :, chunk.top : chunk.bottom] = image

    on_threads(task, len(tasks), dx.size * phases[0].w.shape[2])


def scatter(plan: Lowering, g: np.ndarray, w: np.ndarray, dx: np.ndarray) -> None:
    """Add w (G, C * T, K) @ g (N, G, K, o0, row) to dx (N, G, C, *spatial), tap by tap."""
    groups, rows, filters = w.shape
    chunks = sorted({c[:2] for c in cut(plan, len(g), groups * rows, filters, g.itemsize)})
    wide = len(g) > 1 and plan.positions < SLIM

    def task(index: int) -> None:
        first, last = chunks[index]
        part = g[first:last].reshape(last - first, groups, filters, -1)
        if wide:
            side = _beside(part)
            _as(side, part.shape)[...] = part
            part = side
        columns = foldable(plan, (last - first, groups, dx.shape[2]), wide, g.dtype)
        multiply(w, part, columns.matrices)
        columns.fold(dx[first:last])

    on_threads(task, len(chunks), g.size * rows)


def spread_tiles(plan: Lowering, g: np.ndarray, w: np.ndarray, dx: np.ndarray) -> None:
    """Write w (G, C * T, K) @ g (N, G, K, o0, row) into the tiles of dx (N, G, C, *spatial)."""
    groups, rows, filters = w.shape
    channels = rows // plan.taps
    chunks = cut(plan, len(g), groups * rows, filters, g.itemsize)

    def task(index: int) -> None:
        chunk = chunks[index]
        part = _matrices(g, chunk)
        shape = (len(part), groups, channels, *plan.kernel, *chunk.plan.out)
        columns = scratch("columns", shape, g.dtype)
        multiply(w, part, columns.reshape(len(part), groups, rows, -1))
        images = dx[chunk.first : chunk.last, :, :, chunk.top * plan.stride[0] :]
        spread = tiles(images, plan.kernel, plan.stride, chunk.plan.out)
        spread[...] = np.moveaxis(columns, 2, 2 + len(plan.out))

    on_threads(task, len(chunks), g.size * rows)
