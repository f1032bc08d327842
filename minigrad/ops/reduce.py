"""Reductions to sums, moments, norms and truth values. Extremes are in `extremes.py`."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _check, _dtype
from ..engine import op
from ..kernels._moments import sums
from ..kernels._threads import one_blas_thread
from ._operands import add_reduce, floating, maximum_reduce, numpy_names, rows, with_out
from .choose import _where
from .elementwise import exp
from .shape import expand, view

ndarray = np.ndarray
LARGE = 1 << 14  # elements: from here on a product with ones adds up faster than NumPy's sum


# ------------------------------------------------------------------------------------- helpers
def all_axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction: those of `dim`; all for None and for ()."""
    axes = _check.dims(dim, ndim)
    return axes or tuple(range(ndim))


def kept(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """Return the shape after a reduction with keepdim=True."""
    axes = all_axes(dim, len(shape))
    return tuple(1 if i in axes else s for i, s in enumerate(shape))


def unreduced(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Return the result of a reduction as with keepdim=True, so that it broadcasts to `shape`."""
    if keepdim:
        return g
    return g.reshape(kept(shape, dim)) if type(g) is ndarray else view(g, kept(shape, dim))


def restore(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Spread the gradient of a reduction over the reduced dimensions again."""
    g = unreduced(g, shape, dim, keepdim) if dim is not None or keepdim else g
    if type(g) is not ndarray:  # a tensor, or a NumPy scalar
        return expand(g, shape)
    if math.prod(shape) > 4096:
        return np.broadcast_to(g, shape)
    out = np.empty(shape, g.dtype)  # for small arrays faster than to set up a broadcast view
    out[...] = g
    return out


def count(shape: tuple[int, ...], dim: Any) -> int:
    """Return how many elements one result of a reduction is made of."""
    return math.prod(shape[i] for i in all_axes(dim, len(shape)))


def wide(x: Any) -> Any:
    """Return the array to add up: float16 becomes float32."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind == "f" else x


def total(x: Any, dim: Any, keepdim: bool) -> Any:
    """Return the sum over `dim`, added up in at least float32."""
    axes = None if dim is None else all_axes(dim, x.ndim)
    if x.dtype.itemsize == 2:
        return rows(add_reduce(x, axes, np.float32, keepdims=keepdim)).astype(x.dtype)
    return rows(_sums(x, axes, keepdim))


def _sums(x: Any, axes: tuple[int, ...] | None, keepdim: bool) -> Any:
    """Return the sums of floats over axes; those over the last axes of large arrays by BLAS."""
    if x.size < LARGE or x.itemsize > 8 or not x.flags.c_contiguous:
        return add_reduce(x, axes, keepdims=keepdim)
    lead = 0 if axes is None else x.ndim - len(axes)
    length = math.prod(x.shape[lead:])
    if length < 64 or (axes is not None and sorted(axes) != list(range(lead, x.ndim))):
        return add_reduce(x, axes, keepdims=keepdim)
    y = one_blas_thread(sums, x.reshape(-1, length)).astype(x.dtype)
    return y.reshape(x.shape[:lead] + (1,) * (x.ndim - lead) if keepdim else x.shape[:lead])


def _cast_first(input: Any, dtype: Any) -> Any:
    return input if dtype is None else input.astype(_dtype.to_dtype(dtype).numpy, copy=False)


# ---------------------------------------------------------------------------------- sum and mean
@op(input=lambda g, input_shape, dim, keepdim: restore(g, input_shape, dim, keepdim),
    shown=lambda dim: f"SumBackward{int(dim is not None)}")
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over `dim` (an int, a tuple, or None for all); bools and integers give int64.

    >>> import minigrad as torch
    >>> torch.sum(torch.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    input = _cast_first(input, dtype)
    if input.dtype.kind == "f":
        return total(input, dim, keepdim)
    axes = None if dim is None else all_axes(dim, input.ndim)
    return rows(add_reduce(input, axes, np.int64 if dtype is None else None, keepdims=keepdim))


@op(input=lambda g, input, dim, keepdim: _where(
        input == input, unreduced(g, input.shape, dim, keepdim), 0.0))
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over `dim` of all elements that are not nan.

    >>> import minigrad as torch
    >>> torch.nansum(torch.tensor([1., float("nan"), 2.]))
    tensor(3.)
    """
    input = _cast_first(input, dtype)
    if input.dtype.kind != "f":
        return rows(add_reduce(input, None if dim is None else all_axes(dim, input.ndim), np.int64,
                               keepdims=keepdim))
    return total(np.where(np.isnan(input), input.dtype.type(0), input), dim, keepdim)


@op(input=lambda g, input_shape, dim, keepdim:
    restore(g / count(input_shape, dim), input_shape, dim, keepdim),
    shown=lambda dim: f"MeanBackward{int(dim is not None)}")
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the mean over `dim`; nan when there is nothing to average.

    Integers and bools raise RuntimeError: convert them, or give a floating `dtype`.

    >>> import minigrad as torch
    >>> torch.mean(torch.tensor([[1., 2.], [3., 6.]]), dim=0)
    tensor([2., 4.])
    """
    input = _cast_first(input, dtype)
    if input.dtype.kind != "f":
        raise RuntimeError(f"mean(): could not infer output dtype. Input dtype must be a floating "
                           f"point dtype, got {_dtype.dtype_of(input)}; convert with .float()")
    axes = None if dim is None else all_axes(dim, input.ndim)
    y = _sums(wide(input), axes, keepdim)
    return rows(y / count(input.shape, dim)).astype(input.dtype, copy=False)


@numpy_names
@with_out
@_check.takes("input")
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the mean over `dim` of the elements that are not nan.

    >>> import minigrad as torch
    >>> torch.nanmean(torch.tensor([1., float("nan"), 2.]))
    tensor(1.5000)
    """
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"nanmean(): expected input to have floating point dtype but got "
                           f"{input.dtype}; convert with .float()")
    return nansum(input, dim, keepdim, dtype=dtype) / sum(input == input, dim, keepdim)


# -------------------------------------------------------------------------------------- moments
def _moments(x: ndarray, dim: Any, correction: float) -> tuple[Any, Any]:
    """Return variance and mean with keepdim=True, in at least float32.

    Two passes, and the second is corrected for the rounding of the mean (Chan, Golub and LeVeque,
    "Algorithms for Computing the Sample Variance", 1983).
    """
    axes, n = all_axes(dim, x.ndim), count(x.shape, dim)
    x = wide(x)
    m = add_reduce(x, axes, keepdims=True) / x.dtype.type(n)
    d = x - m
    rest = add_reduce(d, axes, keepdims=True)
    squares = add_reduce(np.square(d), axes, keepdims=True) - rest * rest / x.dtype.type(n)
    return np.maximum(squares, 0) / x.dtype.type(max(n - correction, 0)), m


def _finished(y: ndarray, x: ndarray, dim: Any, keepdim: bool) -> ndarray:
    """Return a kept-dimension result in x's dtype, without the dimensions if they go."""
    if not keepdim:
        axes = all_axes(dim, x.ndim)
        y = y.reshape([s for i, s in enumerate(x.shape) if i not in axes])
    return rows(y).astype(x.dtype, copy=False)


def _var_rule(g: Any, input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    """d var = 2 (x - mean) / (n - correction): the mean's own derivative cancels."""
    freedom = max(count(input.shape, dim) - correction, 0)
    scale = 2 / freedom if freedom else math.inf
    return unreduced(g, input.shape, dim, keepdim) * (scale * (input - mean(input, dim, True)))


@op(input=_var_rule)
def _var(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    return _finished(_moments(input, dim, correction)[0], input, dim, keepdim)


def _std_slope(g: Any, y: Any) -> Any:
    """Return g / (2 std), 0 where the deviation is 0."""
    return _where(y == 0, 0.0, g / (2 * _where(y == 0, 1.0, y)))


@op(input=lambda g, input, y, dim, correction, keepdim:
    _var_rule(_std_slope(g, y), input, dim, correction, keepdim))
def _std(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    return _finished(np.sqrt(_moments(input, dim, correction)[0]), input, dim, keepdim)


def _mean_rule(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    return unreduced(g, shape, dim, keepdim) / count(shape, dim)


@op(input=lambda g, input, dim, correction, keepdim:
    _var_rule(g[0], input, dim, correction, keepdim) + _mean_rule(g[1], input.shape, dim, keepdim),
    outputs="many")
def _var_mean(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    return [_finished(v, input, dim, keepdim) for v in _moments(input, dim, correction)]


@op(input=lambda g, input, dim, correction, keepdim:
    _var_rule(_std_slope(g[0], _std(input, dim, correction, keepdim)),
              input, dim, correction, keepdim)
    + _mean_rule(g[1], input.shape, dim, keepdim), outputs="many")
def _std_mean(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    v, m = _moments(input, dim, correction)
    return [_finished(x, input, dim, keepdim) for x in (np.sqrt(v), m)]


def _spread(function: Any, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: Any,
            out: Any = None) -> Any:
    """Sort out the two spellings of var and std: (dim, unbiased, keepdim), or correction=."""
    name = function.op.name
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"{name}(): std and var only support floating point dtypes, got "
                           f"{input.dtype}; convert with .float()")
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}() takes unbiased= or correction=, not both")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    if count(input._data.shape, dim) - correction <= 0:
        warnings.warn(f"{name}(): degrees of freedom is <= 0: there are "
                      f"{count(input._data.shape, dim)} elements and the correction is "
                      f"{correction}; the result is not finite", UserWarning, stacklevel=3)
    args = (input, dim, correction, keepdim)
    return function(*args) if out is None else function(*args, out=out)


@numpy_names
@_check.takes("input")
def var(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None, out: Any = None) -> Any:
    """Return the variance over `dim`: sum((x - mean)^2) / (n - correction).

    Args: correction: 1 by default (the unbiased estimate); 0 for the plain average that
    normalisation layers use. `unbiased=False` is the older spelling of correction=0.

    >>> import minigrad as torch
    >>> x = torch.tensor([1., 2., 3., 6.])
    >>> torch.var(x), torch.var(x, correction=0)
    (tensor(4.6667), tensor(3.5000))
    """
    return _spread(_var, input, dim, unbiased, keepdim, correction, out)


@numpy_names
@_check.takes("input")
def std(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None, out: Any = None) -> Any:
    """Return the standard deviation over `dim`, the root of `var`; its derivative at 0 is 0.

    >>> import minigrad as torch
    >>> torch.std(torch.tensor([1., 2., 3.]))
    tensor(1.)
    """
    return _spread(_std, input, dim, unbiased, keepdim, correction, out)


@numpy_names
@_check.takes("input")
def var_mean(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
             correction: float | None = None) -> tuple[Any, Any]:
    """Return variance and mean over `dim`, computed together; see `var`.

    >>> import minigrad as torch
    >>> torch.var_mean(torch.tensor([1., 2., 3.]))
    (tensor(1.), tensor(2.))
    """
    return tuple(_spread(_var_mean, input, dim, unbiased, keepdim, correction))


@numpy_names
@_check.takes("input")
def std_mean(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
             correction: float | None = None) -> tuple[Any, Any]:
    """Return standard deviation and mean over `dim`, computed together; see `var`."""
    return tuple(_spread(_std_mean, input, dim, unbiased, keepdim, correction))


# ----------------------------------------------------------------------------- logsumexp, norms
def _logsumexp_rule(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    # Softmax; the sum is 1 but for the rounding of y, which for large inputs is large.
    g, y = (unreduced(v, input.shape, dim, keepdim) for v in (g, y))
    shares = exp(input - y)
    return g * (shares / sum(shares, dim, True))


@op(input=_logsumexp_rule)
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """Return log(sum(exp(input))) over `dim`, without overflow.

    >>> import minigrad as torch
    >>> torch.logsumexp(torch.tensor([[1000., 1000.], [0., 0.]]), dim=1)
    tensor([1.0007e+03, 6.9315e-01])
    """
    y = floating(input)
    x = wide(y)
    axes = all_axes(dim, x.ndim)
    top = maximum_reduce(x, axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    found = np.log(add_reduce(np.exp(x - top), axes, keepdims=True)) + top
    return _finished(found, y, dim, keepdim)


# --------------------------------------------------------------------------------- truth values
def _truth(function: Any, x: ndarray, dim: Any, keepdim: bool) -> Any:
    axes = None if dim is None else _check.dims(dim, x.ndim)
    if axes == () and dim != ():
        axes = None  # a 0-d tensor
    y = rows(function.reduce(x, axes, np.bool_, keepdims=keepdim))
    return y.astype(np.uint8) if x.dtype == np.uint8 else y


@op(input=None)
def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return whether any element over `dim` is not zero, as bool (uint8 for uint8).

    >>> import minigrad as torch
    >>> torch.any(torch.tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return _truth(np.logical_or, input, dim, keepdim)


@op(input=None)
def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return whether all elements over `dim` are not zero, as bool (uint8 for uint8).

    >>> import minigrad as torch
    >>> torch.all(torch.tensor([[0, 1], [2, 1]]), dim=1)
    tensor([False,  True])
    """
    return _truth(np.logical_and, input, dim, keepdim)


@op(input=None)
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """Return how many elements over `dim` are not zero.

    >>> import minigrad as torch
    >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 1]]), dim=0)
    tensor([1, 2])
    """
    axes = None if dim is None else all_axes(dim, input.ndim)
    return rows(add_reduce(input != 0, axes, np.int64))
