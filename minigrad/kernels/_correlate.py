"""The matrix products of convolution over a lowered batch, a few images at a time.

`correlate` sums over taps and channels (convolution, and its input gradient for stride 1),
`scatter` is its adjoint for the input, `contract` its adjoint for the weight. Shapes in here:

    x (N, G, C, *spatial)    w (S, G, K, J * C)    y, g (N, G, K, positions)

for G groups, S taps of the first axis, J taps of the others (see `lowering`).

The batch is cut into chunks whose lowered images stay in the second-level cache; the chunks form
at most LANES lanes, which threads take one by one. Both cuts depend on shapes alone and partial
sums are added in the order of the lanes, so the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.kernels._product import multiply
from minigrad.kernels._threads import one_blas_thread, run, scratch
from minigrad.kernels.lowering import Lowering

CHUNK_BYTES = 1 << 20  # of a lowered chunk
LANES = 8  # upper bound of the useful threads
ALONE = 2_000_000  # multiplications that take less time (20 us) than waking a thread is worth

# "sum" adds up one product per tap of the first axis. "stack" copies these taps, too, and needs
# one product. "auto" weighs the copies against the additions. Tests force either.
method = "auto"
_THIN = 32  # J * C below which a product spends its time on memory, not on arithmetic


def _stack(plan: Lowering, channels: int, filters: int) -> bool:
    if plan.summed == 1 or plan.stacked:
        return True
    if method != "auto":
        return method == "stack"
    thickness = plan.copied * channels
    return thickness < _THIN or 2 * filters * (plan.summed - 1) > thickness * plan.summed


def lanes(plan: Lowering, images: int, groups: int, channels: int, filters: int, size: int):
    """Cut the batch: a list of lanes, each a list of chunks (start, stop)."""
    image = groups * (channels * plan.phases * plan.copied * plan.rows * plan.row)
    work = groups * filters * channels * plan.summed * plan.copied * plan.positions
    step = max(1, min(images, CHUNK_BYTES // max(1, image * size)))
    if images * work > ALONE:
        step = min(step, max(1, images // 4))
    chunks = [(start, min(images, start + step)) for start in range(0, images, step)]
    count = min(len(chunks), LANES)
    return [chunks[i * len(chunks) // count : (i + 1) * len(chunks) // count] for i in range(count)]


def _lowered(
    plan: Lowering, x: np.ndarray, chunks: list[tuple[int, int]]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (start, stop, lowered images) of each chunk; the margins are cleared once."""
    if plan.identity:
        for a, b in chunks:
            yield a, b, x[a:b].reshape(plan.shape((b - a, x.shape[1]), x.shape[2]))
        return
    widest = max(b - a for a, b in chunks)
    buffer = scratch("lowered", plan.shape((widest, x.shape[1]), x.shape[2]), x.dtype)
    if plan.padded:
        buffer.fill(0)
    for a, b in chunks:
        lowered = buffer[: b - a]
        plan.lower(x[a:b], lowered)
        yield a, b, lowered


def _columns(plan: Lowering, lowered: np.ndarray) -> np.ndarray:
    """Return all taps of a lowered chunk as one matrix (N, G, S * J * C, positions)."""
    n, groups, _, _, channels = lowered.shape[:5]
    flat = (n, groups, plan.summed * plan.copied * channels, plan.positions)
    if plan.stacked:
        return lowered.reshape(flat)
    shape = (n, groups, plan.summed, plan.copied * channels, plan.positions)
    columns = scratch("columns", shape, lowered.dtype)
    for t, view in enumerate(plan.views(lowered)):
        columns[:, :, t] = view
    return columns.reshape(flat)


def correlate(
    plan: Lowering, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """y[n, g] = sum over t of w[t, g] @ (tap t of x[n, g]) + bias (G, K, 1)."""
    taps, groups, filters, inner = w.shape
    stack = _stack(plan, x.shape[2], filters)
    if stack:
        w = w.transpose(1, 2, 0, 3).reshape(groups, filters, taps * inner)
    parts = lanes(plan, len(x), groups, x.shape[2], filters, x.itemsize)

    def lane(index: int) -> None:
        for a, b, lowered in _lowered(plan, x, parts[index]):
            out = y[a:b]
            if stack:
                multiply(w, _columns(plan, lowered), out)
            else:
                first, *others = plan.views(lowered)
                multiply(w[0], first, out)
                term = scratch("product", out.shape, out.dtype)
                for t, view in enumerate(others, start=1):
                    multiply(w[t], view, term)
                    out += term
            if bias is not None:
                out += bias

    with one_blas_thread:
        run(lane, len(parts))


def scatter(plan: Lowering, g: np.ndarray, w: np.ndarray, dx: np.ndarray) -> None:
    """Add to dx the adjoint of `correlate`: each tap's view of it gains w[t].T @ g."""
    taps, groups, filters, inner = w.shape
    w = w.transpose(1, 0, 3, 2).reshape(groups, taps * inner, filters)
    parts = lanes(plan, len(g), groups, dx.shape[2], filters, g.itemsize)

    def lane(index: int) -> None:
        for a, b in parts[index]:
            shape = (b - a, groups, taps * inner, plan.positions)
            columns = scratch("columns", shape, g.dtype)
            multiply(w, g[a:b], columns)
            lowered_shape = plan.shape((b - a, groups), dx.shape[2])
            if plan.stacked:
                lowered = columns.reshape(lowered_shape)
            else:
                lowered = scratch("lowered", lowered_shape, g.dtype)
                lowered.fill(0)
                for t, view in enumerate(plan.views(lowered)):
                    view += columns[:, :, t * inner : (t + 1) * inner]
            plan.fold(lowered, dx[a:b])

    with one_blas_thread:
        run(lane, len(parts))


def contract(plan: Lowering, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return dw (S, G, J * C, K), the sum over n of (tap t of x[n, g]) @ g[n, g].T."""
    groups, filters, channels = g.shape[1], g.shape[2], x.shape[2]
    inner = plan.copied * channels
    stack = plan.stacked or inner < _THIN if method == "auto" else method == "stack"
    parts = lanes(plan, len(x), groups, channels, filters, x.itemsize)
    sums = np.zeros((len(parts), groups, plan.summed * inner, filters), g.dtype)

    def lane(index: int) -> None:
        total = sums[index]
        for a, b, lowered in _lowered(plan, x, parts[index]):
            gt = g[a:b].swapaxes(2, 3)
            views = [_columns(plan, lowered)] if stack else plan.views(lowered)
            rows = views[0].shape[2]
            term = scratch("product", (b - a, groups, rows, filters), g.dtype)
            for t, view in enumerate(views):
                multiply(view, gt, term)
                part = total[:, t * rows : (t + 1) * rows]
                for image in term:
                    part += image

    with one_blas_thread:
        run(lane, len(parts))
    return np.add.reduce(sums, axis=0).reshape(groups, plan.summed, inner, filters).swapaxes(0, 1)
