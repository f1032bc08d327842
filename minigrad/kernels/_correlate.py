"""The matrix products of convolution over a lowered batch.

`correlate` sums over taps and channels (convolution, and its input gradient for stride 1),
`scatter` is its adjoint for the input, `contract` its adjoint for the weight. Shapes in here:

    x (N, G, C, *spatial)    w (S, G, K, J * C)    y, g (N, G, K, o0, row)

for G groups, S taps of the first axis and J of the others, o0 * row positions (see `lowering`).
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels._chunks import Chunks, bands
from minigrad.kernels._product import multiply
from minigrad.kernels._threads import one_blas_thread, run, scratch
from minigrad.kernels.lowering import Lowering

# "sum" adds up one product per tap of the first axis. "stack" copies these taps, too, and needs
# one product. "auto" weighs the copies against the additions. Tests force either.
method = "auto"
_THIN = 32  # J * C below which a product spends its time on memory, not on arithmetic


def is_depthwise(groups: int, channels: int, filters: int) -> bool:
    """Tell whether a group is so small that copies cost more than its sums."""
    return groups > 1 and channels * filters <= 4


def _stacks(plan: Lowering, groups: int, channels: int, filters: int, additions: int) -> bool:
    """Choose between the two methods; `additions` are the numbers added per position and tap."""
    if plan.summed == 1 or plan.stacked:
        return True
    if method != "auto":
        return method == "stack"
    if is_depthwise(groups, channels, filters):
        return False
    thickness = plan.copied * channels
    return thickness < _THIN or 2 * additions * (plan.summed - 1) > thickness * plan.summed


def correlate(
    plan: Lowering, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """y[n, g] = sum over t of w[t, g] @ (tap t of x[n, g]) + bias (G, K, 1)."""
    parts = bands(plan, x, w.shape[2])
    if not parts:
        _correlate(plan, x, w, bias, y)
        return

    def band(index: int) -> None:
        part, rows = parts[index]
        _correlate(part, x, w, bias, y[:, :, :, rows])

    one_blas_thread(run, band, len(parts))


def _correlate(
    plan: Lowering, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    taps, groups, filters, inner = w.shape
    stacks = _stacks(plan, groups, x.shape[2], filters, filters)
    if stacks:
        w = w.transpose(1, 2, 0, 3).reshape(1, groups, filters, taps * inner)
    chunks = Chunks(plan, x, x.shape[2], filters, stacks)

    def lane(index: int) -> None:
        for a, b, lowered in chunks.lowered(x, index):
            out = chunks.matrices(y[a:b])
            views = [chunks.columns(lowered)] if stacks else plan.views(lowered)
            multiply(w[0], views[0], out)
            if not stacks:
                term = chunks.empty("term", b - a, filters)
            for t, view in enumerate(views[1:], start=1):
                multiply(w[t], view, term)
                out += term
            if bias is not None:
                out += bias

    chunks.run(lane)


def scatter(plan: Lowering, g: np.ndarray, w: np.ndarray, dx: np.ndarray) -> None:
    """Add to dx the adjoint of `correlate`: each tap's view of it gains w[t].T @ g."""
    taps, groups, filters, inner = w.shape
    w = w.transpose(1, 0, 3, 2).reshape(groups, taps * inner, filters)
    chunks = Chunks(plan, g, dx.shape[2], filters, stacks=True)

    def lane(index: int) -> None:
        for a, b in chunks.lanes[index]:
            columns = chunks.empty("columns", b - a, taps * inner)
            multiply(w, chunks.matrices(g[a:b]), columns)
            if plan.stacked:
                shape = plan.shape((b - a, groups), dx.shape[2], chunks.wide)
                lowered = columns.reshape(shape)
            else:
                lowered = chunks.memory(b - a)
                lowered.fill(0)
                for t, view in enumerate(plan.views(lowered)):
                    view += columns[:, :, t * inner : (t + 1) * inner]
            plan.fold(lowered, dx[a:b])

    chunks.run(lane)


def contract(plan: Lowering, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return dw (S, G, J * C, K), the sum over n of (tap t of x[n, g]) @ g[n, g].T."""
    parts = bands(plan, x, g.shape[2])
    if not parts:
        return _contract(plan, g, x)
    terms: dict[int, np.ndarray] = {}

    def band(index: int) -> None:
        part, rows = parts[index]
        terms[index] = _contract(part, g[:, :, :, rows], x)

    one_blas_thread(run, band, len(parts))
    return np.add.reduce([terms[i] for i in range(len(parts))], axis=0)


def _contract(plan: Lowering, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    groups, filters, channels = g.shape[1], g.shape[2], x.shape[2]
    inner = plan.copied * channels
    if is_depthwise(groups, channels, filters):
        return _contract_by_dots(plan, g, x)
    stacks = _stacks(plan, groups, channels, filters, 0)
    chunks = Chunks(plan, x, channels, filters, stacks, sums=True)
    sums = np.zeros((len(chunks.lanes), groups, plan.summed * inner, filters), g.dtype)

    def lane(index: int) -> None:
        total = sums[index]
        for a, b, lowered in chunks.lowered(x, index):
            gt = chunks.matrices(g[a:b]).swapaxes(2, 3)
            views = [chunks.columns(lowered)] if stacks else plan.views(lowered)
            rows = views[0].shape[2]
            term = scratch("term", (len(gt), groups, rows, filters), g.dtype)
            for t, view in enumerate(views):
                multiply(view, gt, term)
                part = total[:, t * rows : (t + 1) * rows]
                for image in term:
                    part += image

    chunks.run(lane)
    return np.add.reduce(sums, axis=0).reshape(groups, plan.summed, inner, filters).swapaxes(0, 1)


def _contract_by_dots(plan: Lowering, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Compute `contract` with one dot product for each entry of dw and image."""
    groups, filters, channels = g.shape[1], g.shape[2], x.shape[2]
    chunks = Chunks(plan, x, channels, filters)
    shape = (len(x), plan.summed, groups, plan.copied * channels, filters)
    dots = np.empty(shape, g.dtype)

    def lane(index: int) -> None:
        for a, b, lowered in chunks.lowered(x, index):
            grads = chunks.matrices(g[a:b])[:, :, None]
            for t, view in enumerate(plan.views(lowered)):
                np.vecdot(view[:, :, :, None], grads, out=dots[a:b, t])

    chunks.run(lane)
    return np.add.reduce(dots, axis=0)
