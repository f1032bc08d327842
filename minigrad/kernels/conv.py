"""Convolution, its input gradient and its weight gradient, in any number of dimensions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from minigrad.kernels._threads import one_blas_thread, run, scratch
from minigrad.kernels.lowering import Ints, Lowering, lowering, output_size

__all__ = ["conv", "conv_input", "conv_weight", "output_size"]

_CHUNK_BYTES = 1 << 20  # of columns, so that they stay in the second-level cache
_LANES = 8


def _compute_dtype(*arrays: np.ndarray) -> tuple[np.dtype, np.dtype]:
    """Return the dtype of the result and the one to compute in: float16 is rounded once."""
    result = np.result_type(*arrays)
    return result, np.dtype(np.float32) if result == np.float16 else result


def conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    """Return y[n, k, o] = sum over c, t of w[k, c, t] x[n, c, o * stride + t * dilation - padding].

    x (N, C, *spatial), w (K, C / groups, *kernel), bias (K,) -> y (N, K, *out), C-contiguous.
    """
    result, dtype = _compute_dtype(x, w)
    out = output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    plan = lowering(x.shape[2:], w.shape[2:], stride, padding, dilation, out)
    y = np.empty((len(x), len(w), *out), dtype)
    if bias is not None:
        bias = bias.astype(dtype, copy=False).reshape(-1, 1)
    if not w.size:
        y[...] = 0 if bias is None else bias.reshape(-1, *(1 for _ in out))
    elif y.size:
        _conv(plan, x.astype(dtype, copy=False), w.astype(dtype, copy=False), groups, bias, y)
    return y.astype(result, copy=False)


def _chunks(plan: Lowering, batch: int, channels: int, dtype: np.dtype):
    size = channels * plan.positions * plan.inner * plan.kernel[0] * dtype.itemsize
    step = max(1, min(batch, _CHUNK_BYTES // max(size, 1)))
    return [(i, min(batch, i + step)) for i in range(0, batch, step)]


def _lanes(chunks: list) -> list:
    count = min(len(chunks), _LANES)
    cuts = [len(chunks) * i // count for i in range(count + 1)]
    return [chunks[a:b] for a, b in pairwise(cuts)]


def _flat_weight(w, groups):
    # (K, C, k0, *k) -> (k0, G, K, J * C)
    K, C, k0 = w.shape[:3]
    w = w.reshape(groups, K // groups, C, k0, -1)
    return np.ascontiguousarray(w.transpose(3, 0, 1, 4, 2)).reshape(k0, groups, K // groups, -1)


def _split(a, groups):
    return a.reshape(a.shape[0], groups, a.shape[1] // groups, *a.shape[2:])


def _columns(plan, lowered):
    if plan.stacked:
        return lowered.reshape(*lowered.shape[:2], -1, plan.positions)
    b, J = lowered.shape[:2], plan.inner * lowered.shape[4]
    columns = scratch("columns", (*b, plan.kernel[0], J, plan.positions), lowered.dtype)
    plan.stack(lowered, columns)
    return columns.reshape(*b, -1, plan.positions)


def _conv(plan, x, w, groups, bias, y):
    taps = _flat_weight(w, groups)
    whole = taps.transpose(1, 2, 0, 3).reshape(groups, len(w) // groups, -1)
    x, y = _split(x, groups), y.reshape(len(y), groups, len(w) // groups, -1)
    lanes = _lanes(_chunks(plan, len(x), w.shape[1] * groups, x.dtype))

    def lane(index):
        full = None
        for a, b in lanes[index]:
            if full is None:
                full = scratch("lowered", plan.shape((b - a, groups), x.shape[2]), x.dtype)
                full.fill(0)
            lowered = full[: b - a]
            plan.lower(x[a:b], lowered)
            np.matmul(whole, _columns(plan, lowered), out=y[a:b])
            if bias is not None:
                y[a:b].reshape(b - a, len(w), -1)[...] += bias

    with one_blas_thread:
        run(lane, len(lanes))


def conv_input(
    g: np.ndarray,
    w: np.ndarray,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Return the gradient of `conv` for its input, also known as transposed convolution.

    g (N, K, *out), w (K, C / groups, *kernel) -> dx (N, C, *spatial), C-contiguous.
    """
    result, dtype = _compute_dtype(g, w)
    plan = lowering(spatial, w.shape[2:], stride, padding, dilation, g.shape[2:])
    dx = np.zeros((len(g), w.shape[1] * groups, *spatial), dtype)
    if dx.size and g.size:
        _conv_input(plan, g.astype(dtype, copy=False), w.astype(dtype, copy=False), groups, dx)
    return dx.astype(result, copy=False)


def _conv_input(plan, g, w, groups, dx):
    taps = _flat_weight(w, groups).swapaxes(2, 3)
    g, dx = _split(np.ascontiguousarray(g), groups), _split(dx, groups)
    g = g.reshape(*g.shape[:3], -1)
    lanes = _lanes(_chunks(plan, len(g), w.shape[1] * groups, g.dtype))

    def lane(index):
        for a, b in lanes[index]:
            lowered = scratch("lowered", plan.shape((b - a, groups), dx.shape[2]), g.dtype)
            lowered.fill(0)
            for t in range(plan.kernel[0]):
                tap = plan.tap(lowered, t)
                tap += np.matmul(taps[t], g[a:b])
            plan.fold(lowered, dx[a:b])

    with one_blas_thread:
        run(lane, len(lanes))


def conv_weight(
    g: np.ndarray,
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Return the gradient of `conv` for its weight.

    g (N, K, *out), x (N, C, *spatial) -> dw (K, C / groups, *kernel), C-contiguous.
    """
    result, dtype = _compute_dtype(g, x)
    plan = lowering(x.shape[2:], kernel, stride, padding, dilation, g.shape[2:])
    dw = np.zeros((g.shape[1], x.shape[1] // groups, *kernel), dtype)
    if dw.size and g.size:
        _conv_weight(plan, g.astype(dtype, copy=False), x.astype(dtype, copy=False), groups, dw)
    return dw.astype(result, copy=False)


def _conv_weight(plan, g, x, groups, dw):
    g, x = _split(np.ascontiguousarray(g), groups), _split(x, groups)
    g = g.reshape(*g.shape[:3], -1)
    K, C = g.shape[2], x.shape[2]
    lanes = _lanes(_chunks(plan, len(g), x.shape[1] * groups, g.dtype))
    parts = np.zeros((len(lanes), plan.kernel[0], groups, K, plan.inner * C), g.dtype)

    def lane(index):
        for a, b in lanes[index]:
            lowered = scratch("lowered", plan.shape((b - a, groups), C), g.dtype)
            lowered.fill(0)
            plan.lower(x[a:b], lowered)
            for t in range(plan.kernel[0]):
                tap = plan.tap(lowered, t)
                parts[index, t] += np.matmul(g[a:b], tap.swapaxes(2, 3)).sum(axis=0)

    with one_blas_thread:
        run(lane, len(lanes))
    total = parts.sum(axis=0).reshape(plan.kernel[0], groups, K, plan.inner, C)
    dw[...] = total.transpose(1, 2, 4, 0, 3).reshape(dw.shape)
