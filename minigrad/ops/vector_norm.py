"""Norms of vectors: sums of powers, extremes and counts of absolute values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _dtype
from ..engine import op
from ._operands import add_reduce, maximum_reduce, minimum_reduce, numpy_names, rows
from .choose import _where, zero
from .elementwise import abs, div, pow, sign
from .reduce import all_axes, sum, unreduced, wide

ndarray = np.ndarray
_EXTREMES = {math.inf: maximum_reduce, -math.inf: minimum_reduce}


def _norm_rule(g: Any, input: Any, y: Any, ord: float, dim: Any, keepdim: bool) -> Any:
    """d|x|_p = sign(x) |x|^(p-1) / |x|_p^(p-1), and 0 where the norm is 0."""
    if ord == 0:
        return zero(input)
    g, y = (unreduced(v, input.shape, dim, keepdim) for v in (g, y))
    if ord == 1:
        return g * sign(input)
    if ord in _EXTREMES:
        mask = abs(input) == y
        return sign(input) * _where(mask, div(g, sum(mask, all_axes(dim, input.ndim), True)), 0.0)
    length = _where(y == 0, 1.0, y)
    if ord == 2:
        return input * (g / length)
    if ord > 2:
        return input * (pow(abs(input), ord - 2) * (g / pow(length, ord - 1)))
    size = _where(input == 0, 1.0, abs(input))
    return sign(input) * (pow(size, ord - 1) * (g / pow(length, ord - 1)))


@op(x=lambda g, x, y, ord, dim, keepdim: _norm_rule(g, x, y, ord, dim, keepdim))
def linalg_vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *,
                       dtype: Any = None) -> Any:
    """Return (sum |x|^ord)^(1/ord) over `dim` (None: all elements); also ord 0, inf and -inf.

    ord=0 counts the elements that are not zero, inf and -inf take the largest and the smallest
    absolute value. The derivative is 0 where the norm is 0.

    >>> import minigrad as torch
    >>> torch.norm(torch.tensor([3., -4.])), torch.norm(torch.tensor([3., -4.]), p=1)
    (tensor(5.), tensor(7.))
    """
    if dtype is not None:
        x = x.astype(_dtype.to_dtype(dtype).numpy, copy=False)
    if x.dtype.kind != "f":
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point tensor as input. Got "
                           f"{_dtype.dtype_of(x)}; convert it with .float()")
    y = rows(_norm(wide(x), ord, all_axes(dim, x.ndim), keepdim))
    return y.astype(x.dtype, copy=False)


def _norm(x: ndarray, ord: float, axes: tuple[int, ...], keepdim: bool) -> Any:
    if ord == 2:
        return np.sqrt(add_reduce(np.square(x), axes, keepdims=keepdim))
    if ord == 0:
        return add_reduce(x != 0, axes, x.dtype, keepdims=keepdim)
    size = np.absolute(x)
    if ord in _EXTREMES:
        if not all(x.shape[i] for i in axes):
            raise RuntimeError(f"linalg.vector_norm cannot compute the {ord} norm on an empty "
                               f"tensor because the operation does not have an identity; shape "
                               f"{list(x.shape)}")
        return _EXTREMES[ord](size, axes, keepdims=keepdim)
    if ord == 1:
        return add_reduce(size, axes, keepdims=keepdim)
    total = add_reduce(np.power(size, x.dtype.type(ord)), axes, keepdims=keepdim)
    return np.power(total, x.dtype.type(1 / ord))


@numpy_names
def norm(input: Any, p: float | str | None = "fro", dim: Any = None, keepdim: bool = False,
         out: Any = None, dtype: Any = None) -> Any:
    """Return the norm over `dim` (None: all elements): 'fro' or a number p as in vector_norm.

    p='nuc' is the sum of the singular values of a matrix (or of two dimensions).

    >>> import minigrad as torch
    >>> torch.norm(torch.tensor([[3., 4.], [0., 2.]]), dim=1)
    tensor([5., 2.])
    """
    if p == "nuc":
        from ..linalg import matrix_norm  # built on this file

        if dim is None and input.ndim != 2:
            raise RuntimeError(f"norm: p='nuc' needs a matrix or two dimensions in dim, got "
                               f"{input.ndim} dimensions")
        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype,
                           out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: expected p to be a number, 'fro' or 'nuc', got '{p}'")
    ord = 2.0 if p is None or p == "fro" else float(p)
    given = {"dtype": dtype} if out is None else {"dtype": dtype, "out": out}
    return linalg_vector_norm(input, ord, dim, keepdim, **given)
