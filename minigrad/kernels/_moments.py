"""Sums, means and variances of float arrays, fast and robust.

Float32 products are summed by BLAS over pieces of PIECE elements and the pieces in float64. The
variance is E[x^2] - E[x]^2 where that loses less than three bits; elsewhere the sums are taken
again about a shift close to the mean, and where even these overflow or underflow, in float64.
Float64 values beyond 1e153, whose squares overflow, have an infinite variance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigrad._quiet import quietly
from minigrad.kernels._blocks import in_rows
from minigrad.kernels._threads import one_blas_thread

PIECE = 1024  # elements: BLAS sums this many in several float32 accumulators
NEAR = 4.0  # x is taken as it is up to this square of mean / standard deviation
_ONES = {np.dtype(kind): np.ones(PIECE, kind) for kind in ("f4", "f8")}
_ALONE = 8192  # elements: OpenBLAS itself takes one thread only
_TINY = 1e-30  # smaller squares lose digits in float32
_SAFE_EPS = 1e-20  # next to a larger eps the digits of such squares do not matter

Array = np.ndarray
Combine = Callable[[Array], Array]  # sums of rows (R,) -> sums of groups


class Moments(NamedTuple):
    """Statistics of groups in float64: mean, biased variance and 1 / sqrt(var + eps).

    `x` is what to normalise, the rows themselves or their differences from a shift, whose mean is
    `rest`: it knows digits that `mean` = shift + rest has lost.
    """

    mean: Array
    var: Array
    invstd: Array
    rest: Array
    x: Array


def dots(a: Array, b: Array) -> Array:
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


def sums(a: Array) -> Array:
    """Return the sums over the last axis (..., L) as float64 (...)."""
    # on one thread: OpenBLAS's own ones spin for 0.1 s after a product and slow what follows
    return one_blas_thread(_sums, a) if a.size > _ALONE else _sums(a)


def _sums(a: Array) -> Array:
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


def _times(a: Array, ones: Array) -> Array:
    """Return a @ ones, of small arrays as one product where `matmul` makes one for each a[i].

    Large arrays keep `matmul`: one product there made a residual net's step 40 % slower (measured).
    """
    if a.ndim == 2 or a.size > 8192 or not a.flags.c_contiguous:
        return a @ ones
    return (a.reshape(-1, a.shape[-1]) @ ones).reshape(a.shape[:-1])


def row_sums(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the sums of a and of a * b over contiguous rows (R, L), float64 (R,), in blocks."""
    if a.size <= _ALONE:
        return sums(a), dots(a, b)
    total, product = np.empty((2, len(a)))

    def work(rows: slice) -> None:
        part = a[rows]
        total[rows] = sums(part)
        product[rows] = dots(part, b[rows])

    in_rows(work, len(a), a.shape[1], blas=True)
    return total, product


def fine_row_sums(a: Array, b: Array) -> tuple[Array, Array]:
    """Return `row_sums`, of float32 also where products are subnormal and have lost digits."""
    total, product = row_sums(a, b)
    if a.dtype == np.float64 or not product.size or abs(product.item(0)) > _TINY:
        return total, product  # the quick check
    if (np.abs(product) > _TINY).any():
        return total, product
    return total, dots(a.astype(np.float64), b.astype(np.float64))


def moments(x: Array, combine: Combine, spread: Combine, count: int, eps: float) -> Moments:
    """Return the statistics of groups of the contiguous rows x (R, L).

    `combine` adds sums of rows (R,) to sums of groups, `spread` gives every row the statistic of
    its group. `count` is the size of a group; variances far below `eps` need no digits.
    """
    return quietly(_moments, x, combine, spread, count, eps)


def _moments(x: Array, combine: Combine, spread: Combine, count: int, eps: float) -> Moments:
    mean, square = row_sums(x, x)
    mean, square = combine(mean), combine(square)
    mean /= count
    square /= count
    var = square - mean * mean
    invstd = inverse_root(var, eps)
    ratio = square * invstd  # (var + mean^2) / (var + eps); NaN where squares overflow
    ratio *= invstd
    if largest(ratio) <= 1 + NEAR and (eps > _SAFE_EPS or smallest(square) > _TINY):
        return Moments(mean, var, invstd, mean, x)
    return _careful_moments(x, combine, spread, count, eps, mean)


def _careful_moments(
    x: Array, combine: Combine, spread: Combine, count: int, eps: float, mean: Array
) -> Moments:
    if not np.isfinite(mean).all():
        mean = combine((x.astype(np.float64) / count).sum(-1))
    nearby = mean.astype(x.dtype)
    shift = spread(nearby)[:, None]
    centred = x - shift
    square = combine(dots(centred, centred)) / count
    if x.dtype != np.float64 and not ((square > _TINY) & np.isfinite(square)).all():
        double = x.astype(np.float64) - shift
        square = combine(dots(double, double)) / count
        rest = combine(sums(double)) / count
    else:
        rest = combine(sums(centred)) / count
    var = np.where(np.isinf(square), np.inf, np.maximum(square - rest * rest, 0))
    return Moments(nearby + rest, var, inverse_root(var, eps), rest, centred)


def inverse_root(var: Array, eps: float) -> Array:
    """Return 1 / sqrt(var + eps)."""
    root = var + eps
    np.sqrt(root, out=root)
    return np.divide(1, root, out=root)


def near(mean: Array, invstd: Array, limit: float = NEAR) -> bool:
    """Return whether x may be multiplied as it is, without subtracting its mean first."""
    ratio = mean * invstd
    ratio *= ratio
    return bool(largest(ratio) <= limit)


def largest(values: Array) -> float:
    """Return the largest value, NaN if there is one, -inf if there are no values."""
    return np.maximum.reduce(values, axis=None, initial=-np.inf)


def smallest(values: Array) -> float:
    """Return the smallest value, NaN if there is one, inf if there are no values."""
    return np.minimum.reduce(values, axis=None, initial=np.inf)
