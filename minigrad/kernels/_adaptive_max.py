"""Adaptive max pooling, and gathering and scattering by flat spatial indices."""

from __future__ import annotations

from math import prod

import numpy as np

from minigrad.kernels._windows import Ints, adaptive_bounds, strides


def adaptive_max_pool(x: np.ndarray, output_size: Ints) -> tuple[np.ndarray, np.ndarray]:
    """Return the maxima of a grid of windows that cover x, and the int64 indices of the winners.

    x (N, C, *spatial) -> y, indices (N, C, *output_size); an index counts in the flattened spatial
    axes. The winner is the window's first maximum, or its last NaN.
    """
    if set(output_size) == {1} and x.size:
        return _whole(x)
    y = x
    indices = np.zeros((1,) * x.ndim, np.int64)
    steps = strides(x.shape[2:])
    for k in reversed(range(len(output_size))):
        y, indices = _reduce_axis(y, indices, k + 2, output_size[k], steps[k])
    return np.ascontiguousarray(y), np.ascontiguousarray(np.broadcast_to(indices, y.shape))


def _whole(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of each channel."""
    rows = x.reshape(x.shape[0] * x.shape[1], -1)
    indices = rows.argmax(1)
    y = np.take_along_axis(rows, indices[:, None], 1)[:, 0]
    for row in np.flatnonzero(y != y):  # argmax takes the first NaN, PyTorch the last one
        indices[row] = np.flatnonzero(np.isnan(rows[row]))[-1]
    shape = x.shape[:2] + (1,) * (x.ndim - 2)
    return y.reshape(shape), indices.astype(np.int64, copy=False).reshape(shape)


def _reduce_axis(
    x: np.ndarray, inner: np.ndarray, axis: int, out: int, step: int
) -> tuple[np.ndarray, np.ndarray]:
    first, last = adaptive_bounds(x.shape[axis], out)
    taps = int((last - first).max(initial=1))
    inner = np.broadcast_to(inner, inner.shape[:axis] + x.shape[axis : axis + 1]
                            + inner.shape[axis + 1 :])
    column = (-1,) + (1,) * (x.ndim - 1 - axis)
    y = x.take(first, axis)
    indices = inner.take(first, axis) + (first * step).reshape(column)
    for tap in range(1, taps):
        # A window that has ended offers its last element again, which changes nothing.
        at = np.minimum(first + tap, last - 1)
        candidates = x.take(at, axis)
        better = candidates > y
        if x.dtype.kind == "f":
            better |= np.isnan(candidates)
        indices = np.where(better, inner.take(at, axis) + (at * step).reshape(column), indices)
        np.maximum(y, candidates, out=y)
    return y, indices


def gather_flat(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return x at indices into its flattened spatial axes: (N, C, *out)."""
    flat = x.reshape(*x.shape[:2], prod(x.shape[2:]))
    at = indices.reshape(*indices.shape[:2], prod(indices.shape[2:]))
    return np.take_along_axis(flat, at, 2).reshape(indices.shape)


def scatter_flat(g: np.ndarray, indices: np.ndarray, spatial: Ints) -> np.ndarray:
    """Return (N, C, *spatial) with g added at its indices: the adjoint of `gather_flat`."""
    size = prod(spatial)
    rows = g.shape[0] * g.shape[1]
    at = indices.reshape(rows, prod(g.shape[2:])) + np.arange(rows)[:, None] * size
    dx = np.zeros(rows * size, g.dtype)
    np.add.at(dx, at.reshape(-1), g.reshape(-1))
    return dx.reshape(g.shape[:2] + tuple(spatial))
