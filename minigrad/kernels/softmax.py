"""Softmax, its logarithm and log-sum-exp with their gradients.

The maximum is subtracted first, so that no exponential overflows; softmax of moderate numbers, to
which it makes no difference, leaves that out. A slice of nothing but -inf gives NaN, as 0 / 0, like
PyTorch. float16 is computed in float32 and rounded once.

Arrays are viewed as (outer, n, inner) with the axis in the middle, or (outer, n) if it is the last,
and worked on in blocks of outer slices that stay in the cache between the passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod

import numpy as np

from minigrad._quiet import quietly, quietly_by_rows
from minigrad.kernels._blocks import LONG, ROWS
from minigrad.kernels._threads import one_blas_thread, run, scratch

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "ones",
    "row_maxima",
    "softmax",
    "softmax_backward",
]

Array = np.ndarray

_SHORT = 32  # elements
_ALONE = 8192  # elements: OpenBLAS itself takes one thread only
_TURNED = 24  # elements: rows whose sums a product with a matrix of ones repeats along them
_SURE = 1e-6  # shares of a larger sum are normal numbers down to 1e-32
_FINITE = 1e25  # larger sums may come close to infinity


def softmax(x: Array, axis: int) -> Array:
    """Return exp(x) / sum(exp(x)) along `axis`."""
    return _in_blocks(_softmax, axis, x)


def softmax_backward(g: Array, y: Array, axis: int) -> Array:
    """Return y * (g - sum(g y)), the gradient of the input of y = softmax(x)."""
    return _in_blocks(_softmax_backward, axis, y, g)


def log_softmax(x: Array, axis: int) -> Array:
    """Return x - log(sum(exp(x))) along `axis`."""
    return _in_blocks(_log_softmax, axis, x)


def log_softmax_backward(g: Array, y: Array, axis: int) -> Array:
    """Return g - exp(y) sum(g), the gradient of the input of y = log_softmax(x)."""
    return _in_blocks(_log_softmax_backward, axis, y, g)


def logsumexp(x: Array, axis: int | tuple[int, ...], keepdims: bool = False) -> Array:
    """Return log(sum(exp(x))) along `axis`; -inf where there is nothing to add."""
    wide = _wide(x)
    top = np.maximum.reduce(wide, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(wide.dtype)
    with np.errstate(divide="ignore", over="ignore"):
        total = np.log(np.add.reduce(np.exp(wide - top), axis=axis, keepdims=True)) + top
    total = total if keepdims else total.squeeze(axis)
    return total.astype(x.dtype, copy=False)


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _in_blocks(function: Callable[..., None], axis: int, *arrays: Array) -> Array:
    """Apply function(out, *blocks), which works along the middle axis, to blocks of arrays."""
    shape, dtype, size = arrays[0].shape, arrays[0].dtype, arrays[0].size
    if shape and 0 < size <= _ALONE and axis in (-1, len(shape) - 1) and dtype.itemsize > 2:
        out = np.empty((size // shape[-1], shape[-1]), dtype)  # the usual small case, at once
        quietly(function, out, *[array.reshape(out.shape) for array in arrays])
        return out.reshape(shape)
    axis = axis % max(1, len(shape))  # a number counts as a row of one
    length = shape[axis] if shape else 1
    inner = 1 if axis + 1 >= len(shape) else prod(shape[axis + 1 :])
    outer = size // (length * inner) if size else 0
    view = (outer, length) if inner == 1 else (outer, length, inner)
    if dtype.itemsize == 2:
        return _in_blocks(function, axis, *map(_wide, arrays)).astype(dtype)
    inputs = [np.ascontiguousarray(array).reshape(view) for array in arrays]
    out = np.empty(view, dtype)
    quiet = quietly_by_rows if view[-1] >= LONG else quietly
    if size > ROWS:
        step = max(1, ROWS // (length * inner))

        def work(index: int) -> None:
            part = slice(index * step, (index + 1) * step)
            quiet(function, out[part], *(array[part] for array in inputs))

        one_blas_thread(run, work, -(-outer // step))
    elif size > _ALONE:
        one_blas_thread(quiet, function, out, *inputs)
    elif size:
        quiet(function, out, *inputs)
    return out.reshape(shape)


@lru_cache(maxsize=16)
def ones(length: int, dtype: np.dtype) -> Array:
    """Return a vector of ones, made once: a product with it is the fastest sum."""
    return np.ones(length, dtype)


@lru_cache(maxsize=16)
def _square(length: int, dtype: np.dtype) -> Array:
    return np.ones((length, length), dtype)


def _sum(x: Array) -> Array:
    """Return sums along the middle axis; BLAS takes a third of the time of add.reduce."""
    if x.ndim == 2:
        return x.dot(ones(x.shape[1], x.dtype))[:, None]
    return np.add.reduce(x, axis=1, keepdims=True)


def _top(x: Array) -> Array:
    """Return maxima along the middle axis."""
    if x.ndim == 2:
        return row_maxima(x)[:, None]
    return np.maximum.reduce(x, axis=1, keepdims=True)


def row_maxima(x: Array) -> Array:
    """Return the maxima of a matrix's rows; short rows are turned, as each costs NumPy a loop."""
    if 0 < x.shape[1] <= _SHORT:
        return np.maximum.reduce(x.T.copy(), 0)
    return np.maximum.reduce(x, 1, initial=-np.inf)


def _softmax(out: Array, x: Array) -> None:
    """Write the shares; where no sum is close to 0 or inf the maximum need not be subtracted."""
    np.exp(x, out=out)
    short = out.ndim == 2 and out.shape[1] <= _TURNED
    total = out.dot(_square(out.shape[1], out.dtype)) if short else _sum(out)
    # nan is the smallest and the largest; the places are found in half of the values' time
    if total.item(total.argmin()) >= _SURE and total.item(total.argmax()) <= _FINITE:
        if short:
            out /= total
        else:
            out *= np.reciprocal(total)
        return
    np.subtract(x, _top(x), out=out)
    np.exp(out, out=out)
    out /= _sum(out)


def _log_softmax(out: Array, x: Array) -> None:
    np.subtract(x, _top(x), out=out)
    power = np.exp(out, out=scratch("exp", out.shape, out.dtype))
    out -= np.log(_sum(power))


def _softmax_backward(out: Array, y: Array, g: Array) -> None:
    if y.ndim == 2 and y.shape[1] <= _TURNED:
        total = np.multiply(g, y, out=out).dot(_square(y.shape[1], y.dtype))
    elif y.ndim == 2:
        total = np.vecdot(g, y)[:, None]
    else:
        total = np.add.reduce(np.multiply(g, y, out=out), axis=1, keepdims=True)
    np.subtract(g, total, out=out)
    out *= y


def _log_softmax_backward(out: Array, y: Array, g: Array) -> None:
    np.exp(y, out=out)
    out *= _sum(g)
    np.subtract(g, out, out=out)
