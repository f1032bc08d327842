"""Layer and root-mean-square normalisation of the rows of a matrix, weights per column.

With s = 1 / sqrt(var + eps) and averages E over a row of D elements,

    y = (x s - mean s) w + b
    dx = s (w g - E[w g] - xhat E[w g xhat]) = s w g - p x - q,
    p = s^2 E[w g xhat],   q = s E[w g] - p mean,
    E[w g] = g @ (w / D),   E[w g xhat] = s ((g x) @ (w / D) - mean E[w g])
    dw = s @ (g x) - (mean s) @ g,   db = 1 @ g

so xhat itself is never needed, and every sum is a product with a vector. Without a mean it is root
mean square normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from minigrad.kernels._blocks import LONG, in_rows
from minigrad.kernels._moments import dots, inverse_root, largest, moments, near, smallest, sums
from minigrad.kernels._threads import scratch

Array = np.ndarray
Needs = tuple[bool, bool, bool]

_PIECE = 64  # rows that BLAS adds up in float32
_CACHED = 1 << 17  # elements of a block: three such arrays stay in the cache
_STEEP = 1e-15  # the square of 1 / std is just a normal number in float32
_TINY = 1e-30  # below, products of float32 may have lost digits
_NEAR = 4.0  # backward takes x as it is up to this square of mean / standard deviation


def _contiguous(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float32 if x.dtype == np.float16 else None)


def _column(values: Array, dtype: np.dtype) -> Array:
    return values.astype(dtype)[:, None]


def _same(values: Array) -> Array:
    return values


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, mean and 1 / sqrt(var + eps) of each row of x (M, D).

    weight, bias: (D,) or None; the statistics are float64 (M,).
    """
    if not x.size:
        return np.empty_like(x), np.zeros(len(x)), np.zeros(len(x))
    found = moments(_contiguous(x), _same, _same, x.shape[1], eps)
    offset = found.rest * found.invstd
    y = _scaled(found.x, found.invstd, np.negative(offset, out=offset), weight, bias)
    return y.astype(x.dtype, copy=False), found.mean, found.invstd


def _scaled(
    x: Array, scale: Array, offset: Array | None, weight: Array | None, bias: Array | None
) -> Array:
    """Return (x * scale + offset) * weight + bias."""
    if x.shape[1] < LONG:
        return _scaled_short(x, scale, offset, weight, bias)
    a = _column(scale, x.dtype)
    b = None if offset is None else _column(offset, x.dtype)
    if weight is not None:
        weight = weight.astype(x.dtype, copy=False)
    if bias is not None:
        bias = bias.astype(x.dtype, copy=False)
    y = np.empty_like(x)

    def work(rows: slice) -> None:
        out = np.multiply(x[rows], a[rows], out=y[rows])
        if b is not None:
            out += b[rows]
        if weight is not None:
            out *= weight
        if bias is not None:
            out += bias

    in_rows(work, *x.shape)
    return y


def _scaled_short(
    x: Array, scale: Array, offset: Array | None, weight: Array | None, bias: Array | None
) -> Array:
    """Return x * [scale weight] + [offset weight + bias]; in brackets, products of two matrices.

    NumPy spends more time between short rows than in them; BLAS makes both matrices in the time
    of one such pass.
    """
    length, dtype = x.shape[1], x.dtype
    columns = np.empty((len(x), 3), dtype)
    columns[:, 0] = scale
    columns[:, 1] = 0 if offset is None else offset
    columns[:, 2] = 1
    values = np.zeros((2, 3, length), dtype)
    values[0, 0] = values[1, 1] = 1 if weight is None else weight
    if bias is not None:
        values[1, 2] = bias
    y = np.empty_like(x)

    def work(rows: slice) -> None:
        for part in _parts(rows, length):
            source = x[part]
            shape = (2, *source.shape)
            factor, rest = np.matmul(columns[part], values, out=scratch("factors", shape, dtype))
            np.multiply(source, factor, out=factor)
            np.add(factor, rest, out=y[part])

    in_rows(work, len(x), length, blas=True)
    return y


def _parts(rows: slice, length: int) -> list[slice]:
    """Return blocks of the rows that stay in the cache."""
    step = max(1, _CACHED // length)
    ends = [*range(rows.start, rows.stop, step), rows.stop]
    return [slice(*pair) for pair in pairwise(ends)]


def layer_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(g, x, mean, invstd, weight, needs)


def _gradients(
    g: Array, x: Array, mean: Array | None, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    kind = x.dtype if weight is None else weight.dtype
    if not x.size:
        zeros = [np.zeros(x.shape[1], kind) if need else None for need in needs[1:]]
        return (np.empty_like(x) if needs[0] else None), zeros[0], zeros[1]
    rows_g, rows_x = _contiguous(g), _contiguous(x)
    if mean is not None and not near(mean, invstd, _NEAR):
        rows_x = rows_x - _column(mean, rows_x.dtype)
        mean = sums(rows_x) / x.shape[1]  # the digits that the mean had lost
    if smallest(invstd) < _STEEP or largest(invstd) > 1 / _STEEP:
        rows_g, rows_x = rows_g.astype(np.float64), rows_x.astype(np.float64)
    dx, dw, db = _swept(rows_g, rows_x, mean, invstd, weight, needs)
    if rows_x.dtype == np.float32 and abs(dw.item(0)) < _TINY and np.abs(dw).max() < _TINY:
        rows_g, rows_x = rows_g.astype(np.float64), rows_x.astype(np.float64)
        dx, dw, db = _swept(rows_g, rows_x, mean, invstd, weight, needs)
    return (
        dx.astype(x.dtype, copy=False) if needs[0] else None,
        dw.astype(kind) if needs[1] else None,
        db.astype(kind) if needs[2] else None,
    )


def _swept(
    g: Array, x: Array, mean: Array | None, s: Array, weight: Array | None, needs: Needs
) -> tuple[Array, Array, Array]:
    """Return the gradients in the dtype of x and the sums in float64, by the formulas above."""
    rows, length = x.shape
    dtype = x.dtype
    dx = np.empty_like(x) if needs[0] else x[:0]
    share = (np.ones(length) if weight is None else weight) / length
    share = share.astype(dtype, copy=False)
    scale = s.astype(dtype)
    centre = None if mean is None else mean.astype(dtype)
    along = np.ones((2, rows), dtype)  # what g is multiplied with for db and for dw
    along[1] = 0 if centre is None else centre * scale
    combine = (_combined_long if length >= LONG else _combined_short)(weight, length, dtype)
    found: dict[int, tuple[Array, Array]] = {}

    def work(part: slice) -> None:
        part_g, part_x, each = g[part], x[part], scale[part]
        product = scratch("product", part_x.shape, dtype)
        np.multiply(part_g, part_x, out=product)
        db, rest = _column_sums(along[:, part], part_g)
        found[part.start] = _column_sums(each[None], product)[0] - rest, db
        if not needs[0]:
            return
        p = product @ share
        q = None if centre is None else part_g @ share
        if centre is not None:
            p -= centre[part] * q
        p *= each
        p *= each
        p *= each
        if centre is not None:
            q *= each
            q -= p * centre[part]
        combine(part_g, part_x, each, p, q, product, dx[part])

    in_rows(work, rows, length, blas=True)
    if len(found) == 1:
        return dx, *found[0]
    parts = [found[start] for start in sorted(found)]
    dw, db = (np.add.reduce(pair, 0, dtype=np.float64) for pair in zip(*parts, strict=True))
    return dx, dw, db


def _combined_long(weight: Array | None, length: int, dtype: np.dtype) -> Callable[..., None]:
    if weight is not None:
        weight = weight.astype(dtype, copy=False)

    def combine(
        g: Array, x: Array, s: Array, p: Array, q: Array | None, product: Array, out: Array
    ) -> None:
        """Write g weight s - (x p + q)."""
        np.multiply(x, p[:, None], out=product)
        if q is not None:
            product += q[:, None]
        np.multiply(g, s[:, None], out=out)
        if weight is not None:
            out *= weight
        out -= product

    return combine


def _combined_short(weight: Array | None, length: int, dtype: np.dtype) -> Callable[..., None]:
    values = np.zeros((3, 3, length), dtype)
    values[0, 0] = 1 if weight is None else weight
    values[1, 1] = values[2, 2] = 1

    def combine(
        g: Array, x: Array, s: Array, p: Array, q: Array | None, product: Array, out: Array
    ) -> None:
        """Write g [s weight] - (x [p] + [q]); in brackets, matrices as in `_scaled_short`."""
        count = 2 if q is None else 3
        columns = np.empty((len(x), count), dtype)
        columns[:, 0] = s
        columns[:, 1] = p
        if q is not None:
            columns[:, 2] = q
        for part in _parts(slice(0, len(x)), length):
            shape = (count, *x[part].shape)
            factors = scratch("factors", shape, dtype)
            np.matmul(columns[part], values[:count, :count], out=factors)
            np.multiply(x[part], factors[1], out=factors[1])
            if q is not None:
                factors[1] += factors[2]
            np.multiply(g[part], factors[0], out=out[part])
            out[part] -= factors[1]

    return combine


def _column_sums(weights: Array, x: Array) -> Array:
    """Return weights @ x, of _PIECE rows of x at a time in float32."""
    rows, length = x.shape
    if rows <= _PIECE:
        return weights @ x
    whole = rows - rows % _PIECE
    left = weights[:, :whole].reshape(len(weights), -1, _PIECE).swapaxes(0, 1)
    pieces = left @ x[:whole].reshape(-1, _PIECE, length)
    total = np.add.reduce(pieces, 0, dtype=np.float64)
    if whole < rows:
        total += weights[:, whole:] @ x[whole:]
    return total


def rms_norm(x: Array, weight: Array | None, eps: float) -> tuple[Array, Array]:
    """Return y = x / sqrt(E[x^2] + eps) * weight and 1 / sqrt(...) of each row of x (M, D).

    weight: (D,) or None; the statistic is float64 (M,).
    """
    if not x.size:
        return np.empty_like(x), np.zeros(len(x))
    rows = _contiguous(x)
    square = np.empty(len(rows))

    def work(block: slice) -> None:
        square[block] = dots(rows[block], rows[block])

    in_rows(work, len(rows), rows.shape[1], blas=True)
    square /= x.shape[1]
    if rows.dtype != np.float64 and not (smallest(square) > _TINY and largest(square) < np.inf):
        double = rows.astype(np.float64)
        square = dots(double, double) / x.shape[1]
    invrms = inverse_root(square, eps)
    return _scaled(rows, invrms, None, weight, None).astype(x.dtype, copy=False), invrms


def rms_norm_backward(
    g: Array, x: Array, invrms: Array, weight: Array | None, needs: tuple[bool, bool]
) -> tuple[Array | None, Array | None]:
    """Return the gradients of x and weight that `needs` asks for, None for the others."""
    return _gradients(g, x, None, invrms, weight, (*needs, False))[:2]
