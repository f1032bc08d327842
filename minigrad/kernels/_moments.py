"""Sums, means and variances of float arrays, fast and robust.

The variance is E[x^2] - E[x]^2 up to some ratio r of mean and standard deviation, elsewhere that of
x less a shift close to the mean, and where even squares of that overflow or underflow in float32,
float64. Float64 values beyond 1e153, whose squares overflow, have an infinite variance.

BLAS sums float32 numbers over short pieces, whose sums are added in float64. A piece is wrong by
about eps / 4 at random, so a sum over n elements by c / sqrt(n) eps, and the variance by
c (1 + 2 r^2) / sqrt(n) eps, c about 4 (measured); then y = x * scale + offset rounds two numbers
of the size r. With r^2 <= sqrt(n) / 8 <= 16 the result is as exact as PyTorch's, which does not
shift at all. The sums over small arrays are taken in float64. Only the roundings of x * scale count
there, and in gradients those of sums over few elements: r^2 <= sqrt(n) / 2 <= 16.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from minigrad._quiet import quietly, quietly_by_rows
from minigrad.kernels._blocks import LONG, in_rows

NEAR = 16.0  # x is taken as it is up to this square of mean / standard deviation
PIECE = 1024  # elements: the most that are summed at once
_SUMMED, _MULTIPLIED = 64, 256  # of float32: BLAS adds up eight such sums at a time, 64 products
SHARED = 1 << 20  # elements: on fewer two threads sum no faster than one
SMALL = 1 << 15  # elements: float32 arrays whose statistics are computed in float64
_SMALL_SHARE = 1e-6  # of the variance in E[x^2] for which these are right to float32's eps
_ONES = {np.dtype(kind): np.ones(PIECE, kind) for kind in ("f4", "f8")}
ALONE = 8192  # elements: OpenBLAS itself takes one thread only
_SHORT = 32  # elements: rows for which a dot product each takes longer than a product of all
_TINY = 1e-30  # smaller squares lose digits in float32
_SAFE_EPS = 1e-20  # next to a larger eps the digits of such squares do not matter
_SINGLE, _DOUBLE = np.dtype("f4"), np.dtype("f8")

Array = np.ndarray
Combine = Callable[[Array], Array]
Shift = Callable[[Array, Array], Array]


class Moments(NamedTuple):
    """Statistics of groups in float64: mean, biased variance and 1 / sqrt(var + eps).

    `x` is what to normalise, the rows themselves or their differences from a shift, whose mean is
    `rest`: it knows digits that `mean` = shift + rest has lost. `kept` are the arrays rest, invstd
    and, if there is one, the shift, as one array.
    """

    mean: Array
    var: Array
    invstd: Array
    rest: Array
    x: Array
    kept: Array


@lru_cache(maxsize=256)
def divisor(number: int, limit: int) -> int:
    """Return the largest divisor of a number that is at most `limit`."""
    return next((k for k in range(min(number, limit), 1, -1) if number % k == 0), 1)


def dots(a: Array, b: Array) -> Array:
    """Return the dot products of the last axes (..., L) as float64 (...)."""
    if a.shape[-1] < _SHORT:
        return sums(a * b)
    piece = _MULTIPLIED if a.dtype == _SINGLE else PIECE
    if a.shape[-1] <= piece:
        return np.vecdot(a, b).astype(_DOUBLE, copy=False)
    return _in_pieces(np.vecdot, piece, a, b)


def sums(a: Array) -> Array:
    """Return the sums over the last axis (..., L) as float64 (...)."""
    length = a.shape[-1]
    if length == 1:
        return a.astype(_DOUBLE)[..., 0]
    piece = _SUMMED if a.dtype == _SINGLE else PIECE
    if length <= piece:
        return _short_sums(a).astype(_DOUBLE, copy=False)
    return _in_pieces(_short_sums, piece, a)


def _in_pieces(function: Callable[..., Array], piece: int, *arrays: Array) -> Array:
    """Add up in float64 what a function returns for pieces of the last axis."""
    *rows, length = arrays[0].shape
    whole = length - length % piece
    cut = (*rows, whole // piece, piece)
    total = sums(function(*[a[..., :whole].reshape(cut) for a in arrays]).astype(_DOUBLE))
    if whole < length:
        total += function(*[a[..., whole:] for a in arrays])
    return total


def _short_sums(a: Array) -> Array:
    """Return the sums of at most PIECE elements each over the last axis, in the dtype of a.

    Each product has at most ALONE elements: for more OpenBLAS would wake its threads, which then
    spin for 0.1 s and slow what follows. A product for each of many short a[i] takes longer.
    """
    length = a.shape[-1]
    ones = _ONES[a.dtype][:length]
    if not a.flags.c_contiguous or not a.size:
        return np.vecdot(a, ones)
    rows = a.size // length
    step = rows if a.size <= ALONE else divisor(rows, ALONE // length)
    if step < rows and 8 * step * length < ALONE:
        return np.vecdot(a, ones)
    return np.matmul(a.reshape(-1, step, length), ones).reshape(a.shape[:-1])


def row_sums(a: Array, b: Array) -> Array:
    """Return the sums of a and of a * b over contiguous rows (R, L): float64 (2, R), in blocks."""
    rows, length = a.shape
    if 1 < length <= _SUMMED and a.size <= SMALL:  # what follows with fewer calls
        found = np.empty((2, rows), a.dtype)
        found[0] = _short_sums(a)
        found[1] = np.vecdot(a, b) if length >= _SHORT else _short_sums(a * b)
        return found.astype(_DOUBLE, copy=False)
    found = np.empty((2, rows))
    if a.size < SHARED:
        found[0] = sums(a)
        found[1] = dots(a, b)
        return found

    def work(block: slice) -> None:
        part = a[block]
        found[0, block] = sums(part)
        found[1, block] = dots(part, b[block])

    in_rows(work, *a.shape)  # BLAS computes products of ALONE elements on the calling thread
    return found


def fine_row_sums(a: Array, b: Array) -> Array:
    """Return `row_sums`, of float32 also where products are subnormal and have lost digits."""
    found = row_sums(a, b)
    if a.dtype == np.float64 or not found.size or abs(found.item(-1)) > _TINY:
        return found  # the quick check
    if not (np.abs(found[1]) > _TINY).any():
        found[1] = dots(a.astype(np.float64), b.astype(np.float64))
    return found


def moments(x: Array, combine: Combine, spread: Combine, count: Any, eps: float) -> Moments:
    """Return the statistics of groups of the contiguous rows x (R, L).

    `combine` adds sums of rows (2, R) to sums of groups, `spread` gives every row the statistic of
    its group. `count` is the size of a group; variances far below `eps` need no digits.
    """
    return quietly(loud_moments, x, combine, lambda x, shift: shifted(x, spread(shift)), count, eps)


def loud_moments(x: Array, combine: Combine, move: Shift, count: Any, eps: float) -> Moments:
    """Do as `moments`, where infinities and NaNs are ignored anyway.

    `move` subtracts a shift for each group from rows.
    """
    fine = x.size <= SMALL and x.dtype == _SINGLE
    exact = x.astype(_DOUBLE) if fine else x
    found = combine(row_sums(exact, exact))
    found /= count
    mean, square = found
    var = np.maximum(square - mean * mean, 0)
    root = var + eps
    share = smallest(root / square)  # (var + eps) / (var + mean^2); NaN where squares overflow
    fine = fine and share > _SMALL_SHARE
    if fine or eps > _SAFE_EPS or smallest(square) > _TINY:
        limit = min(NEAR, sqrt(count) / (2 if fine else 8))
        if share * (1 + limit) >= 1:
            np.sqrt(root, square)
            np.reciprocal(square, square)
            return Moments(mean, var, square, mean, x, found)
        if fine:
            shift = mean.astype(_SINGLE)
            return _about(shift, mean - shift, var, eps, move(x, shift))
    return _careful_moments(x, combine, move, count, eps, mean)


def _careful_moments(
    x: Array, combine: Combine, move: Shift, count: Any, eps: float, mean: Array
) -> Moments:
    if not np.isfinite(mean).all():
        wide = np.add.reduce(x.astype(_DOUBLE) / count, 1)
        mean = combine(np.stack([wide, wide]))[0]
    shift = mean.astype(x.dtype)
    centred = move(x, shift)
    rest, square = combine(row_sums(centred, centred)) / count
    if x.dtype == _SINGLE and not ((square > _TINY) & np.isfinite(square)).all():
        double = move(x.astype(_DOUBLE), shift)
        rest, square = combine(row_sums(double, double)) / count
    var = np.where(np.isinf(square), np.inf, np.maximum(square - rest * rest, 0))
    return _about(shift, rest, var, eps, centred)


def _about(shift: Array, rest: Array, var: Array, eps: float, centred: Array) -> Moments:
    invstd = inverse_root(var, eps)
    return Moments(shift + rest, var, invstd, rest, centred, np.stack([rest, invstd, shift]))


def shifted(x: Array, shift: Array) -> Array:
    """Return the rows x (R, L) less one number each (R,)."""
    quiet = quietly_by_rows if x.shape[1] >= LONG else quietly
    return quiet(np.subtract, x, shift[:, None])


def inverse_root(var: Array, eps: float) -> Array:
    """Return 1 / sqrt(var + eps)."""
    root = var + eps
    np.sqrt(root, root)
    return np.reciprocal(root, root)


def near(mean: Array, invstd: Array, limit: float = 4.0) -> bool:
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
