"""Sums, means and variances of float arrays, fast and robust.

Float32 products are summed by BLAS over pieces of PIECE elements and the pieces in float64. The
variance is E[x^2] - E[x]^2 where that loses less than two bits; elsewhere the sums are taken
again about a shift close to the mean, and where even these overflow or underflow, in float64.
Float64 values beyond 1e153, whose squares overflow, have an infinite variance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigrad.kernels._threads import scratch

PIECE = 1024  # elements: BLAS sums this many in several float32 accumulators
_ONES = {np.dtype(kind): np.ones(PIECE, kind) for kind in ("f4", "f8")}
_TINY = 1e-30  # smaller squares lose digits in float32

Combine = Callable[[np.ndarray], np.ndarray]  # sums of rows (N, C) -> sums of groups


class Moments(NamedTuple):
    """Statistics of groups in float64.

    With a `shift` (N or 1, C) x is to be replaced by x - shift before all else, and the mean of
    the difference is `rest`, which knows digits that `mean` = shift + rest has lost.
    """

    mean: np.ndarray
    var: np.ndarray  # biased
    rest: np.ndarray
    shift: np.ndarray | None = None


def dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the dot products of the last axes (..., L) as float64 (...)."""
    length = a.shape[-1]
    if length == 1:
        return (a * b).astype(np.float64)[..., 0]
    if length <= PIECE:
        return np.vecdot(a, b).astype(np.float64, copy=False)
    whole = length - length % PIECE
    pieces = (-1, PIECE)
    total = np.vecdot(
        a[..., :whole].reshape(a.shape[:-1] + pieces), b[..., :whole].reshape(b.shape[:-1] + pieces)
    ).sum(-1, dtype=np.float64)
    if whole < length:
        total += np.vecdot(a[..., whole:], b[..., whole:])
    return total


def fine_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return `dots`, of float32 also where the products are subnormal and have lost digits."""
    total = dots(a, b)
    if a.dtype == np.float64 or not total.size or abs(total.item(0)) > _TINY:  # the quick check
        return total
    if (np.abs(total) > _TINY).any():
        return total
    return dots(a.astype(np.float64), b.astype(np.float64))


def sums(a: np.ndarray) -> np.ndarray:
    """Return the sums over the last axis (..., L) as float64 (...)."""
    length = a.shape[-1]
    if length == 1:
        return a.astype(np.float64)[..., 0]
    ones = _ONES[a.dtype]
    if length <= PIECE:
        return _times(a, ones[:length]).astype(np.float64, copy=False)
    whole = length - length % PIECE
    total = (a[..., :whole].reshape(a.shape[:-1] + (-1, PIECE)) @ ones).sum(-1, dtype=np.float64)
    if whole < length:
        total += a[..., whole:] @ ones[: length - whole]
    return total


def _times(a: np.ndarray, ones: np.ndarray) -> np.ndarray:
    """Return a @ ones, of small arrays as one product where `matmul` makes one for each a[i].

    Large arrays keep `matmul`: one product there made a residual net's step 40 % slower (measured).
    """
    if a.ndim == 2 or a.size > 8192 or not a.flags.c_contiguous:
        return a @ ones
    return (a.reshape(-1, a.shape[-1]) @ ones).reshape(a.shape[:-1])


def moments(x: np.ndarray, combine: Combine, spread: Combine, count: int, eps: float) -> Moments:
    """Return mean and biased variance of groups of the rows of x (N, C, L).

    `combine` adds sums of rows (N, C) to sums of groups, `spread` gives every row the statistic of
    its group (N or 1, C). `count` is the size of a group; variances far below `eps` need no digits.
    """
    square = combine(dots(x, x)) / count
    mean = combine(sums(x)) / count
    excess = mean * mean
    var = square - excess
    excess *= 0.25
    excess -= var  # to be negative
    if largest(excess) < -_TINY and largest(square) < np.inf:
        return Moments(mean, var, mean)
    usual = (excess < 0) & (square > _TINY) & (square < np.inf)
    if (usual | (square < eps * 1e-9)).all():
        return Moments(mean, np.maximum(var, 0), mean)
    if not np.isfinite(mean).all():
        mean = combine((x.astype(np.float64) / count).sum(-1))
    nearby = mean.astype(x.dtype)
    shift = spread(nearby)
    centred = np.subtract(x, shift[..., None], out=scratch("centred", x.shape, x.dtype))
    square = combine(dots(centred, centred)) / count
    if x.dtype != np.float64 and not ((square > _TINY) & np.isfinite(square)).all():
        centred = x.astype(np.float64) - shift[..., None]
        square = combine(dots(centred, centred)) / count
    rest = combine(sums(centred)) / count
    var = np.where(np.isinf(square), np.inf, np.maximum(square - rest * rest, 0))
    return Moments(nearby + rest, var, rest, shift)


def shift_for(mean: np.ndarray, invstd: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Return what to subtract from x before multiplying it, None where x may be taken as it is."""
    ratio = mean * invstd
    ratio *= ratio
    return None if largest(ratio) <= 1 else mean.astype(dtype)


def largest(values: np.ndarray) -> float:
    """Return the largest value, NaN if there is one, -inf if there are no values."""
    return np.maximum.reduce(values, axis=None, initial=-np.inf)
