"""Statistics: mode, quantiles, covariances, distances, integrals of samples."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import _check, _dtype, engine, return_types
from ..engine import op, wrap
from ._operands import add_reduce, numpy_names, with_out
from .choose import clamp
from .cumulative import cumsum
from .elementwise import sqrt
from .extremes import refuse_empty, to_index
from .linalg import matmul
from .reduce import all_axes, kept, sum
from .scatter import gather
from .shape import movedim, reshape, transpose, view
from .slicing import select_index
from .vector_norm import linalg_vector_norm

ndarray = np.ndarray


# ------------------------------------------------------------------------------------------ mode
def _most_frequent(x: ndarray, dim: int) -> tuple[ndarray, ndarray]:
    """Return the most frequent value of each row (of several the smallest), and its last place."""
    order = np.argsort(x, dim, kind="stable")
    rows = np.moveaxis(np.take_along_axis(x, order, dim), dim, -1)
    places = np.moveaxis(order, dim, -1)
    new = np.ones(rows.shape, np.bool_)
    new[..., 1:] = rows[..., 1:] != rows[..., :-1]
    size = rows.shape[-1]
    start = np.maximum.accumulate(np.where(new, np.arange(size), 0), -1)
    end = np.argmax(np.arange(size) - start, -1)[..., None]  # the first end of the longest run
    return np.take_along_axis(rows, end, -1)[..., 0], np.take_along_axis(places, end, -1)[..., 0]


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices")
def _mode(input: Any, dim: int, keepdim: bool) -> Any:
    dim = _check.dim(dim, input.ndim)
    refuse_empty("mode", input, dim)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    values, indices = _most_frequent(input, dim)
    if keepdim:
        values, indices = np.expand_dims(values, dim), np.expand_dims(indices, dim)
    return values, indices


@numpy_names
def mode(input: Any, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the most frequent value along `dim` and its last index, as (values, indices).

    Of equally frequent values it is the smallest.

    >>> import minigrad as torch
    >>> torch.mode(torch.tensor([2, 1, 1, 2, 3])).values
    tensor(1)
    """
    to = {} if out is None else {"out": out}
    return return_types.mode(_mode(input, dim, keepdim, **to))


# ------------------------------------------------------------------------------------- quantiles
_ROUNDED: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round,
                             "linear": None, "midpoint": None}


def _rows(x: ndarray, dim: int | None) -> ndarray:
    """Return the array with the dimension of the quantile at the end (None: all in one)."""
    return x.reshape(-1) if dim is None or not x.ndim else np.moveaxis(x, dim, -1)


# Once it is known which two elements lie around the quantile, it is linear: two adjoint ops.
@op(input=lambda g, input_shape, below, above, weight, dim:
    _unblend(g, input_shape, below, above, weight, dim),
    below=None, above=None, weight=None, shown="SqueezeBackward4")
def _blend(input: Any, below: Any, above: Any, weight: Any, dim: int | None,
           shape: tuple[int, ...]) -> Any:
    rows = _rows(input, dim)
    low, high = (np.take_along_axis(rows, at, -1) for at in (below, above))
    d = high - low
    y = np.where(weight == 0, low, np.where(weight < 0.5, low + d * weight,
                                            high - d * (1 - weight)))
    return np.moveaxis(y, -1, 0).reshape(shape)


@op(value=lambda g, value_shape, below, above, weight, dim:
    _blend(g, below, above, weight, dim, value_shape), below=None, above=None, weight=None)
def _unblend(value: Any, shape: tuple[int, ...], below: Any, above: Any, weight: Any,
             dim: int | None) -> Any:
    parts = np.moveaxis(value.reshape(-1, *below.shape[:-1]), 0, -1)
    rows = _rows(np.zeros(shape, value.dtype), dim)
    grid = list(np.ogrid[tuple(slice(0, s) for s in below.shape)])[:-1]
    y = rows.copy()
    np.add.at(y, (*grid, below), parts * (1 - weight))
    np.add.at(y, (*grid, above), parts * weight)
    return y.reshape(shape) if dim is None or not shape else np.moveaxis(y, -1, dim)


def _levels(name: str, x: ndarray, q: Any, interpolation: str) -> ndarray:
    """Check the arguments of a quantile; return its levels as an array."""
    if interpolation not in _ROUNDED:
        raise RuntimeError(f"{name}() interpolation must be one of {', '.join(_ROUNDED)}, but got "
                           f"{interpolation}")
    if x.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype, got "
                           f"{_dtype.dtype_of(x)}")
    levels = q._data if isinstance(q, engine.Tensor) else np.array(q, x.dtype)
    if levels.dtype != x.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if levels.ndim > 1 or not ((levels >= 0) & (levels <= 1)).all():
        raise RuntimeError(f"{name}() q must be a number or 1-d, in the range [0, 1], got {q}")
    if not x.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    return levels


def _around(rows: ndarray, q: ndarray, interpolation: str, skip_nan: bool) -> tuple[Any, Any, Any]:
    """Return where the elements below and above each level are, and the weight of the latter."""
    order = np.argsort(rows, -1, kind="stable")
    size = rows.shape[-1]
    counts = size - add_reduce(np.isnan(rows), -1, np.int64, keepdims=True)
    rank = q.reshape(-1) * (np.maximum(counts - 1, 0) if skip_nan else size - 1)
    if not skip_nan:
        rank = np.where(counts < size, size - 1, rank)  # a nan (they are last) gives nan
    rank = np.broadcast_to(rank, (*rows.shape[:-1], q.size))
    if _ROUNDED[interpolation] is not None:
        rank = _ROUNDED[interpolation](rank)
    low, high = np.floor(rank), np.ceil(rank)
    weight = 0.5 * (high > low) if interpolation == "midpoint" else rank - low
    below, above = (np.take_along_axis(order, r.astype(np.int64), -1) for r in (low, high))
    return below, above, weight.astype(rows.dtype)


def _quantile(name: str, input: Any, q: Any, dim: int | None, keepdim: bool,
              interpolation: str) -> Any:
    x = input._data
    levels = _levels(name, x, q, interpolation)
    axes = all_axes(dim, x.ndim)
    shape = kept(x.shape, dim) if keepdim else [s for i, s in enumerate(x.shape) if i not in axes]
    found = _around(_rows(x, dim), levels, interpolation, name == "nanquantile")
    if interpolation == "linear" and isinstance(q, engine.Tensor) and q.requires_grad:
        return _by_level(input, q, found, dim, (*levels.shape, *shape), name == "nanquantile")
    return _blend(input, *(wrap(a, None) for a in found), dim, (*levels.shape, *shape))


@op(input=lambda g: g, shown="SqueezeBackward4")
def _squeezed(input: Any) -> Any:
    return input.copy()


def _by_level(input: Any, q: Any, found: tuple[Any, Any, Any], dim: int | None,
              shape: tuple[int, ...], skip_nan: bool) -> Any:
    """Return linear quantiles whose levels have gradients, too: the readable definition."""
    below, above, weight = found
    rows = reshape(input, (-1,)) if dim is None or not input.ndim else movedim(input, dim, -1)
    x = _rows(input._data, dim)
    counts = x.shape[-1] - add_reduce(np.isnan(x), -1, np.int64, keepdims=True)
    rise = np.maximum(counts, 1) - 1 if skip_nan else (counts == x.shape[-1]) * (x.shape[-1] - 1)
    level = reshape(q, (-1,))
    weight = wrap(weight, None) + (level - level.detach()) * wrap(rise.astype(x.dtype), None)
    low, high = (gather(rows, -1, wrap(at, None)) for at in (below, above))
    return _squeezed(reshape(movedim(low + (high - low) * weight, -1, 0), shape))


@numpy_names
@with_out
def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Any:
    """Return the q-th quantiles (q in [0, 1], a number or a 1-d tensor) along `dim` (None: all).

    Args: interpolation: 'linear' between the two nearest elements, 'lower', 'higher', 'nearest' or
    'midpoint'. Several levels make a new first dimension. A nan gives nan.

    >>> import minigrad as torch
    >>> torch.quantile(torch.tensor([1., 2., 3., 4.]), 0.5)
    tensor(2.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@numpy_names
@with_out
def nanquantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear") -> Any:
    """Return the quantiles of the elements that are not nan; see `quantile`.

    >>> import minigrad as torch
    >>> torch.nanquantile(torch.tensor([1., float("nan"), 2.]), 0.5)
    tensor(1.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


# ------------------------------------------------------------------------------------ covariance
@op(input=lambda g: g, shown="SqueezeBackward0")
def _table(input: Any) -> Any:
    return input.copy()


def _importance(x: Any, fweights: Any, aweights: Any) -> Any:
    """Check the weights of `cov`; return how much each observation counts (None: all the same)."""
    if x._data.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input; convert with .float()")
    for name, w, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if w is None:
            continue
        if w.ndim > 1 or w._data.dtype.kind not in kinds:
            raise RuntimeError(f"cov(): expected {name} of at most one dimension and of "
                               f"{'an integral' if kinds == 'iu' else 'a floating'} dtype, got "
                               f"{w.ndim} dimensions of {w.dtype}")
        if w._data.size != x.shape[1]:
            raise RuntimeError(f"cov(): expected {name} to have the same numel as there are "
                               f"observations, {x.shape[1]}, but got {w._data.size}")
        if (w._data < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if aweights is None or fweights is None:
        return fweights if aweights is None else aweights
    return fweights * aweights


@_check.takes("input", "fweights?", "aweights?")
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Return the covariances of the rows (variables) of a matrix; its columns are observations.

    Args: correction: 1 divides by N - 1, 0 by N; fweights: how often each observation occurred
    (integers); aweights: its importance (floats).

    >>> import minigrad as torch
    >>> torch.cov(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an "
                           f"input with {input.ndim} dimensions")
    x = reshape(input, (1, -1)) if input.ndim < 2 else input
    weights = _importance(x, fweights, aweights)
    n = x.shape[1] if weights is None else sum(weights)
    centre = sum(x if weights is None else x * weights, 1, True) / n
    spread = n if aweights is None else sum(weights * aweights) / n
    freedom = n - correction * (1 if aweights is None else spread)
    if freedom <= 0:
        warnings.warn("cov(): degrees of freedom is <= 0: there are too few observations for this "
                      "correction, the result is infinite or nan", UserWarning, stacklevel=2)
        freedom = 0
    d = x - centre
    y = matmul(d if weights is None else d * weights, transpose(d, 0, 1)) / freedom
    return _table(y) if x.shape[0] != 1 else view(y, ())


@_check.takes("input")
def corrcoef(input: Any) -> Any:
    """Return the correlation coefficients of the rows of a matrix: `cov` scaled into [-1, 1].

    >>> import minigrad as torch
    >>> torch.corrcoef(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    y = cov(input)
    if not y.ndim:
        return y / y
    deviation = sqrt(select_index(view(y, (-1,)), (slice(None, None, y.shape[0] + 1),)))
    return clamp(y / view(deviation, (-1, 1)) / view(deviation, (1, -1)), -1, 1)


# ------------------------------------------------------------------------------------- distances
@_check.takes("input", "other")
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the p-norm of `input - other`.

    >>> import minigrad as torch
    >>> torch.dist(torch.tensor([0., 0.]), torch.tensor([3., 4.]))
    tensor(5.)
    """
    return _distance(linalg_vector_norm(_check.tensor(input, "dist") - _check.tensor(
        other, "dist", "other", 2), float(p)))


@op(input=lambda g: g, shown="DistBackward0")
def _distance(input: Any) -> Any:
    return input.copy()


# ------------------------------------------------------------------------------------- integrals
def _panels(y: Any, x: Any, dx: float, dim: int) -> Any:
    """Return twice the areas between neighbours: (y[k] + y[k+1]) * width."""
    dim = _check.dim(dim, y.ndim)
    left, right = ((slice(None),) * dim + (part,) for part in (slice(0, -1), slice(1, None)))
    both = select_index(y, left) + select_index(y, right)
    if x is None:
        return both * dx
    if x.ndim == 1:
        x = view(x, (-1, *(1,) * (y.ndim - 1 - dim)))
        left, right = ((part,) for part in (slice(0, -1), slice(1, None)))
    return both * (select_index(x, right) - select_index(x, left))


@_check.takes("y", "x?")
def trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """Return the integral of y along `dim` by the trapezoidal rule, over points x or steps dx.

    >>> import minigrad as torch
    >>> torch.trapezoid(torch.tensor([1., 2., 3.]))
    tensor(4.)
    """
    return sum(_panels(y, x, dx, dim), dim) / 2


trapz = trapezoid


@_check.takes("y", "x?")
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """Return the running integrals of y along `dim` by the trapezoidal rule; see `trapezoid`.

    >>> import minigrad as torch
    >>> torch.cumulative_trapezoid(torch.tensor([1., 2., 3.]))
    tensor([1.5000, 4.0000])
    """
    panels = _panels(y, x, dx, dim)
    return cumsum(panels / 2, dim) if x is None else cumsum(panels, dim) / 2
