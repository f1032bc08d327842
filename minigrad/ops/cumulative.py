"""Products, and running sums, products, extremes and logsumexps along a dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check, _dtype, return_types
from ..engine import op
from ._along import add_along
from ._operands import floating, multiply_reduce, numpy_names, rows, with_out
from .compare import ne
from .elementwise import clone, mul
from .join import cat
from .reduce import all_axes, sum, unreduced, wide
from .slicing import fill_index, select_index
from .special import logaddexp

ndarray = np.ndarray


def _along(dim: int, ndim: int, part: slice) -> tuple[Any, ...]:
    """Return the index that takes `part` of dimension `dim`."""
    return (slice(None),) * (_check.dim(dim, ndim) if ndim else 0) + (part,)


def _scan(x: Any, dim: int, combine: Callable[[Any, Any], Any]) -> Any:
    """Return running results in log2(n) steps (Hillis and Steele, 1986): the readable definition.

    After the step of size s each place holds the result of the last 2s elements.
    """
    step, n = 1, x.shape[dim] if x.ndim else 1
    while step < n:
        head = _along(dim, x.ndim, slice(0, step))
        tail = _along(dim, x.ndim, slice(step, n))
        both = combine(select_index(x, tail),
                       select_index(x, _along(dim, x.ndim, slice(0, n - step))))
        x = fill_index(select_index(x, head), x.shape, head) + fill_index(both, x.shape, tail)
        step *= 2
    return x


def _counted(input: ndarray, dtype: Any) -> ndarray:
    """Return the array to accumulate: in `dtype`, and by default integers and bools in int64."""
    if dtype is not None:
        return input.astype(_dtype.to_dtype(dtype).numpy, copy=False)
    return input if input.dtype.kind == "f" else input.astype(np.int64, copy=False)


def _accumulate(function: Any, x: ndarray, dim: int) -> ndarray:
    dim = _check.dim(dim, x.ndim)
    if not x.ndim:
        return x.copy()
    return rows(function.accumulate(wide(x), dim)).astype(x.dtype, copy=False)


# ------------------------------------------------------------------------------------------ sums
@op(input=lambda g, dim: _cumsum_back(g, dim))
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the running sums along `dim`; integers and bools give int64.

    >>> import minigrad as torch
    >>> torch.cumsum(torch.tensor([1., 2., 3.]), dim=0)
    tensor([1., 3., 6.])
    """
    return _accumulate(np.add, _counted(input, dtype), dim)


@op(input=lambda g, dim: cumsum(g, dim))
def _cumsum_back(input: Any, dim: int) -> Any:
    if not input.ndim:
        return np.array(input)
    turned = np.flip(input, _check.dim(dim, input.ndim))
    return np.flip(_accumulate(np.add, turned, dim), _check.dim(dim, input.ndim))


# -------------------------------------------------------------------------------------- products
def _running_back(g: Any, factor: ndarray, dim: int) -> ndarray:
    """Return r with r[k] = g[k] + factor[k+1] r[k+1], from the end to the start along `dim`."""
    r = np.array(g)
    rows, factors = np.moveaxis(r, dim, 0), np.moveaxis(factor, dim, 0)
    for k in range(len(rows) - 2, -1, -1):
        rows[k] += factors[k + 1] * rows[k + 1]
    return r


def _before(x: ndarray, dim: int) -> ndarray:
    """Return the products of all elements before each one along `dim`."""
    y = np.ones_like(x)
    if x.shape[dim] > 1:
        y[_along(dim, x.ndim, slice(1, None))] = np.multiply.accumulate(
            x[_along(dim, x.ndim, slice(0, -1))], dim)
    return y


@op(input=None, reference=lambda input, dim: _scan(input, dim, mul))
def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the running products along `dim`; integers and bools give int64.

    The gradient is exact where elements are zero, too.

    >>> import minigrad as torch
    >>> torch.cumprod(torch.tensor([1., 2., 3.]), dim=0)
    tensor([1., 2., 6.])
    """
    return _accumulate(np.multiply, _counted(input, dtype), dim)


@cumprod.fused  # type: ignore[attr-defined]
def _(g: Any, input: Any, dim: int, needs: Any) -> Any:
    # dy[j]/dx[k] is the product of the first j elements without x[k]: the product before k times
    # the one from k+1 to j. So dx[k] = before[k] * r[k] with r[k] = g[k] + x[k+1] r[k+1]: no
    # division, hence right for zeros.
    if not input.ndim:
        return [g]
    dim = _check.dim(dim, input.ndim)
    return [_before(input, dim) * _running_back(g, input, dim)]


def _halves(x: Any, dim: Any, keepdim: bool) -> Any:
    """Return the product by halving, in log2(n) steps: the readable definition."""
    if 0 in x.shape:
        return sum(x, dim, keepdim) + 1
    y = x
    for axis in all_axes(dim, x.ndim):
        odd = None
        while (n := y.shape[axis]) > 1:
            low, high, last = (_along(axis, y.ndim, slice(*ends)) for ends in
                               ((0, n // 2), (n // 2, n - n % 2), (n - 1, n)))
            if n % 2:
                left = select_index(y, last)
                odd = left if odd is None else odd * left
            y = select_index(y, low) * select_index(y, high)
        y = y if odd is None else y * odd
    gone = () if keepdim else all_axes(dim, x.ndim)
    return select_index(y, tuple(0 if i in gone else slice(None) for i in range(x.ndim)))


@op(input=None, reference=lambda input, dim, keepdim: _halves(input, dim, keepdim),
    shown=lambda dim: f"ProdBackward{int(dim is not None)}")
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the product over `dim` (None: all); 1 of nothing. Integers and bools give int64.

    The gradient is exact where elements are zero, too.

    >>> import minigrad as torch
    >>> torch.prod(torch.tensor([[1., 2.], [3., 4.]]), dim=1)
    tensor([ 2., 12.])
    """
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"prod(): dim must be one int or None, got {type(dim).__name__}")
    x = _counted(input, dtype)
    axes = None if dim is None else all_axes(dim, x.ndim)
    return rows(multiply_reduce(wide(x), axes, keepdims=keepdim)).astype(x.dtype, copy=False)


@prod.fused  # type: ignore[attr-defined]
def _(g: Any, input: Any, y: Any, dim: Any, keepdim: bool, needs: Any) -> Any:
    # dy/dx[k] is the product of the others: y / x[k], or where zeros forbid that the product of
    # those before k times the product of those behind it.
    g, y = (unreduced(v, input.shape, dim, keepdim) for v in (g, y))
    if input.all() or not input.ndim:
        return [g * y / input if input.ndim else g]
    x, axis = (input.reshape(-1), 0) if dim is None else (input, _check.dim(dim, input.ndim))
    others = _before(x, axis) * np.flip(_before(np.flip(x, axis), axis), axis)
    return [g * others.reshape(input.shape)]


# -------------------------------------------------------------------------------------- extremes
def _running(function: Any, x: ndarray, dim: int) -> tuple[ndarray, ndarray]:
    """Return running extremes and where they are: at the last one of equal elements."""
    dim = _check.dim(dim, x.ndim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    y = function.accumulate(x, dim)
    new = (x == y) | (x != x)
    places = np.arange(x.shape[dim]).reshape(-1, *(1,) * (x.ndim - 1 - dim))
    return y, np.maximum.accumulate(np.where(new, places, 0), dim)


@op(input=lambda g, indices, dim: add_along(g, indices, dim), also="indices")
def _cummax(input: Any, dim: int) -> Any:
    return _running(np.maximum, input, dim)


@op(input=lambda g, indices, dim: add_along(g, indices, dim), also="indices")
def _cummin(input: Any, dim: int) -> Any:
    return _running(np.minimum, input, dim)


@numpy_names
def cummax(input: Any, dim: int, *, out: Any = None) -> Any:
    """Return the running maxima along `dim` and their indices as (values, indices).

    >>> import minigrad as torch
    >>> torch.cummax(torch.tensor([1., 3., 2.]), dim=0).values
    tensor([1., 3., 3.])
    """
    to = {} if out is None else {"out": out}
    return return_types.cummax(_cummax(input, dim, **to))


@numpy_names
def cummin(input: Any, dim: int, *, out: Any = None) -> Any:
    """Return the running minima along `dim` and their indices as (values, indices)."""
    to = {} if out is None else {"out": out}
    return return_types.cummin(_cummin(input, dim, **to))


# ------------------------------------------------------------------------------------- logsumexp
@op(input=None, reference=lambda input, dim: _scan(input, dim, logaddexp))
def logcumsumexp(input: Any, dim: int) -> Any:
    """Return log of the running sums of exp(input) along `dim`, without overflow.

    >>> import minigrad as torch
    >>> torch.logcumsumexp(torch.tensor([1000., 1000.]), dim=0)
    tensor([1000.0000, 1000.6932])
    """
    return _accumulate(np.logaddexp, floating(input), dim)


@logcumsumexp.fused  # type: ignore[attr-defined]
def _(g: Any, input: Any, y: Any, dim: int, needs: Any) -> Any:
    # dy[j]/dx[k] = exp(x[k] - y[j]) for j >= k, summed with the factors exp(y[k] - y[k+1]) <= 1.
    if not input.ndim:
        return [g]
    dim = _check.dim(dim, input.ndim)
    shrink = np.exp(-np.diff(y, axis=dim, prepend=0))
    return [np.exp(input - y) * _running_back(g, shrink, dim)]


# ----------------------------------------------------------------------------------- differences
@numpy_names
@with_out
@_check.takes("input", "prepend?", "append?")
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the differences of neighbours along `dim`, taken `n` times (of bools: whether they
    differ).

    Args: prepend, append: tensors to put before and behind the input first.

    >>> import minigrad as torch
    >>> torch.diff(torch.tensor([1., 3., 8.]))
    tensor([2., 5.])
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    n = _check.integer(n, "n")
    if n < 0:
        raise RuntimeError(f"diff(): n must be at least 0, got {n}")
    if n == 0:  # nothing is put before or behind then
        return clone(input)
    parts = [t for t in (prepend, input, append) if t is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):  # nothing is left after that many
        ahead, behind = (select_index(x, _along(dim, x.ndim, part))
                         for part in (slice(1, None), slice(0, -1)))
        x = ne(ahead, behind) if x._data.dtype.kind == "b" else ahead - behind
    return x
