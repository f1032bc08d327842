"""Layer and root-mean-square normalisation of the rows of a matrix, weights per column."""

from __future__ import annotations

import numpy as np

from minigrad.kernels._blocks import BLOCK, each_block
from minigrad.kernels._moments import dots, moments, shift_for, sums
from minigrad.kernels._threads import scratch

Array = np.ndarray
Needs = tuple[bool, bool, bool]

_PIECE = 64  # rows
_ONES = {np.dtype(kind): np.ones(_PIECE, kind) for kind in ("f4", "f8")}


def _blocks(rows: int, length: int) -> list[slice]:
    step = max(1, BLOCK // max(1, length))
    return [slice(r, r + step) for r in range(0, rows, step)]


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _column(values: Array, dtype: np.dtype) -> Array:
    return values.astype(dtype)[:, None]


def _target(out: Array, x: Array) -> Array:
    """Return where to compute: `out` itself, or scratch memory in the dtype of x."""
    return out if out.dtype == x.dtype else scratch("target", x.shape, x.dtype)


def _finish(out: Array, target: Array) -> None:
    if target is not out:
        out[...] = target


def _column_sums(x: Array) -> Array:
    """Return the sums of the columns, of _PIECE rows at a time in float32."""
    rows, length = x.shape
    ones = _ONES[x.dtype]
    if rows <= _PIECE:
        return ones[:rows] @ x
    whole = rows - rows % _PIECE
    total = (ones @ x[:whole].reshape(-1, _PIECE, length)).sum(0, dtype=np.float64)
    if whole < rows:
        total += ones[: rows - whole] @ x[whole:]
    return total


def _total(parts: Array, dtype: np.dtype) -> Array:
    return (parts[0] if len(parts) == 1 else np.add.reduce(parts, 0)).astype(dtype)


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, mean and 1 / sqrt(var + eps) of each row of x (M, D).

    weight, bias: (D,) or None; the statistics are float64 (M,).
    """
    y = np.empty(x.shape, x.dtype)
    mean, invstd = np.empty(len(x)), np.empty(len(x))
    blocks = _blocks(*x.shape)

    def work(index: int) -> None:
        block = blocks[index]
        part = _wide(x[block])
        found = moments(part[None], lambda s: s[0], lambda v: v[None], x.shape[1], eps)
        s = 1 / np.sqrt(found.var + eps)
        mean[block], invstd[block] = found.mean, s
        result = y[block]
        out = _target(result, part)
        _normalised(part, found.mean, s, out, found.shift is not None)
        if weight is not None:
            out *= weight
        if bias is not None:
            out += bias
        _finish(result, out)

    each_block(work, len(blocks), x.size)
    return y, mean, invstd


def _normalised(x: Array, mean: Array, invstd: Array, out: Array, large: bool) -> Array:
    """Write (x - mean) * invstd, to the last digit also where the mean is `large`."""
    xhat = np.subtract(x, _column(mean, x.dtype), out=out)
    if large:
        xhat -= _column(sums(xhat) / x.shape[1], x.dtype)
    xhat *= _column(invstd, x.dtype)
    return xhat


def layer_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(g, x, mean, invstd, weight, needs)


def _gradients(
    g: Array, x: Array, mean: Array | None, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return dx, dw and db; without a mean those of root-mean-square normalisation.

    dx = s * (w g - E[w g] - xhat E[w g xhat]), where E[w g] is left out without a mean.
    """
    length = x.shape[1]
    dx = np.empty(x.shape, x.dtype) if needs[0] else None
    blocks = _blocks(*x.shape)
    dw, db = np.zeros((len(blocks), length)), np.zeros((len(blocks), length))

    def work(index: int) -> None:
        block = blocks[index]
        part, grad, s = _wide(x[block]), _wide(g[block]), invstd[block]
        xhat = scratch("xhat", part.shape, part.dtype)
        if mean is None:
            np.multiply(part, _column(s, part.dtype), out=xhat)
        else:
            large = shift_for(mean[block], s, part.dtype) is not None
            _normalised(part, mean[block], s, xhat, large)
        product = scratch("product", part.shape, part.dtype)
        np.multiply(grad, xhat, out=product)
        dw[index], db[index] = _column_sums(product), _column_sums(grad)
        if dx is None:
            return
        # w stands in the sums over a row only: E[w g xhat] is a product with w / length.
        if weight is None:
            w = np.full(length, 1 / length, part.dtype)
        else:
            w = (weight / length).astype(part.dtype, copy=False)
        xhat *= (product @ w)[:, None]
        if mean is not None:
            xhat += (grad @ w)[:, None]
        result = dx[block]
        out = _target(result, part)
        np.subtract(grad if weight is None else np.multiply(grad, weight, out=out), xhat, out=out)
        out *= _column(s, part.dtype)
        _finish(result, out)

    each_block(work, len(blocks), x.size)
    kind = x.dtype if weight is None else weight.dtype
    return (
        dx,
        _total(dw, kind) if needs[1] else None,
        _total(db, kind) if needs[2] else None,
    )


def rms_norm(x: Array, weight: Array | None, eps: float) -> tuple[Array, Array]:
    """Return y = x / sqrt(E[x^2] + eps) * weight and 1 / sqrt(...) of each row of x (M, D).

    weight: (D,) or None; the statistic is float64 (M,).
    """
    y = np.empty(x.shape, x.dtype)
    invrms = np.empty(len(x))
    blocks = _blocks(*x.shape)

    def work(index: int) -> None:
        block = blocks[index]
        part = _wide(x[block])
        square = dots(part, part) / x.shape[1]
        if part.dtype != np.float64 and not ((square > 1e-30) & np.isfinite(square)).all():
            double = part.astype(np.float64)
            square = dots(double, double) / x.shape[1]
        invrms[block] = 1 / np.sqrt(square + eps)
        result = y[block]
        out = _target(result, part)
        np.multiply(part, _column(invrms[block], part.dtype), out=out)
        if weight is not None:
            out *= weight
        _finish(result, out)

    each_block(work, len(blocks), x.size)
    return y, invrms


def rms_norm_backward(
    g: Array, x: Array, invrms: Array, weight: Array | None, needs: tuple[bool, bool]
) -> tuple[Array | None, Array | None]:
    """Return the gradients of x and weight that `needs` asks for, None for the others."""
    return _gradients(g, x, None, invrms, weight, (*needs, False))[:2]
