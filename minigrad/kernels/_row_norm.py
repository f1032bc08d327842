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

import numpy as np

from minigrad._quiet import quietly_by_rows
from minigrad.kernels._blocks import in_rows
from minigrad.kernels._moments import dots, inverse_root, largest, moments, near, smallest, sums
from minigrad.kernels._threads import scratch

Array = np.ndarray
Needs = tuple[bool, bool, bool]

_PIECE = 64  # rows that BLAS adds up in float32
_WIDE = 1024  # elements: shorter rows are multiplied by weights several at a time
_STEEP = 1e-15  # the square of 1 / std is just a normal number in float32
_TINY = 1e-30  # below, products of float32 may have lost digits


def _contiguous(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float32 if x.dtype == np.float16 else None)


def _column(values: Array, dtype: np.dtype) -> Array:
    return values.astype(dtype)[:, None]


class _Columns:
    """One number per column, to combine with rows; short rows are taken several at a time."""

    def __init__(self, values: Array, dtype: np.dtype, rows: int) -> None:
        self.values = values.astype(dtype, copy=False)
        times = max(1, _WIDE // len(values))
        self.times = times if rows >= 2 * times else 1
        if self.times > 1:
            self.wide = np.empty((self.times, len(values)), dtype)
            self.wide[...] = self.values
            self.wide = self.wide.reshape(-1)

    def apply(self, ufunc: np.ufunc, x: Array, out: Array) -> None:
        """Write ufunc(x, values) to out; both are contiguous."""
        times = self.times
        if times == 1:
            ufunc(x, self.values, out=out)
            return
        rows = len(x) - len(x) % times
        wide = (rows // times, len(self.wide))
        quietly_by_rows(ufunc, x[:rows].reshape(wide), self.wide, out[:rows].reshape(wide))
        if rows < len(x):
            ufunc(x[rows:], self.values, out=out[rows:])


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
    a = _column(scale, x.dtype)
    b = None if offset is None else _column(offset, x.dtype)
    weights = None if weight is None else _Columns(weight, x.dtype, len(x))
    biases = None if bias is None else _Columns(bias, x.dtype, len(x))
    y = np.empty_like(x)

    def work(rows: slice) -> None:
        out = np.multiply(x[rows], a[rows], out=y[rows])
        if b is not None:
            out += b[rows]
        if weights is not None:
            weights.apply(np.multiply, out, out)
        if biases is not None:
            biases.apply(np.add, out, out)

    in_rows(work, *x.shape)
    return y


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
    if mean is not None and not near(mean, invstd):
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
    length, dtype = x.shape[1], x.dtype
    dx = np.empty_like(x) if needs[0] else x[:0]
    weights = None if weight is None else _Columns(weight, dtype, len(x))
    share = (np.ones(length) if weight is None else weight) / length
    share = share.astype(dtype, copy=False)
    scale = s.astype(dtype)
    centre = None if mean is None else mean.astype(dtype)
    parts: dict[int, tuple[Array, Array]] = {}

    def work(rows: slice) -> None:
        part_g, part_x, each = g[rows], x[rows], scale[rows]
        product = scratch("product", part_x.shape, dtype)
        np.multiply(part_g, part_x, out=product)
        dw = _column_sums(each, product)
        db = _column_sums(np.ones(len(part_g), dtype), part_g) if needs[2] else dw
        if centre is not None:
            dw = dw - _column_sums(each * centre[rows], part_g)
        parts[rows.start] = dw, db
        if not needs[0]:
            return
        p = product @ share
        if centre is not None:
            q = part_g @ share
            p -= centre[rows] * q
            q *= each
        p *= each
        p *= each
        p *= each
        np.multiply(part_x, p[:, None], out=product)
        if centre is not None:
            q -= p * centre[rows]
            product += q[:, None]
        out = dx[rows]
        if weights is None:
            np.multiply(part_g, each[:, None], out=out)
        else:
            weights.apply(np.multiply, part_g, out)
            out *= each[:, None]
        out -= product

    in_rows(work, len(x), x.shape[1], blas=True)
    found = [parts[start] for start in sorted(parts)]
    if len(found) == 1:
        return dx, found[0][0], found[0][1]
    dw, db = (np.add.reduce(pair, 0, dtype=np.float64) for pair in zip(*found, strict=True))
    return dx, dw, db


def _column_sums(weights: Array, x: Array) -> Array:
    """Return weights @ x, of _PIECE rows at a time in float32."""
    rows, length = x.shape
    if rows <= _PIECE:
        return weights @ x
    whole = rows - rows % _PIECE
    pieces = weights[:whole].reshape(-1, 1, _PIECE) @ x[:whole].reshape(-1, _PIECE, length)
    total = np.add.reduce(pieces, (0, 1), dtype=np.float64)
    if whole < rows:
        total += weights[whole:] @ x[whole:]
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
