"""The largest and the smallest: max, min, amax, amin, aminmax, argmax, argmin."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, engine, return_types
from ..engine import op
from ._along import put_along
from ._operands import maximum_reduce, minimum_reduce, numpy_names, rows, with_out
from .choose import _where, maximum, minimum
from .elementwise import div, mul
from .reduce import all_axes, sum, unreduced

ndarray = np.ndarray


def refuse_empty(name: str, x: ndarray, dim: Any, error: type[Exception] = RuntimeError) -> None:
    """Raise if there would be no element to choose from."""
    if x.size:
        return
    if dim is None or dim == ():
        raise error(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    f"Specify the reduction dim with the 'dim' argument.")
    for axis in _check.dims(dim, x.ndim):
        if x.shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size, got "
                             f"shape {list(x.shape)}: nothing has no largest or smallest element")


# --------------------------------------------------------------------- over all, ties share alike
def share_evenly(g: Any, input: Any, y: Any) -> Any:
    """Give each of the elements that equal the result (nan: that are nan) the same part of g."""
    mask = input == y if bool(y == y) else input != input
    return _where(mask, div(g, sum(mask)), 0.0)


@op(input=share_evenly, shown="MaxBackward1")
def _max(input: Any) -> Any:
    refuse_empty("max", input, None)
    return maximum_reduce(input, None)


@op(input=share_evenly, shown="MinBackward1")
def _min(input: Any) -> Any:
    refuse_empty("min", input, None)
    return minimum_reduce(input, None)


# ------------------------------------------------------------- over one dimension, with the index
def to_index(g: Any, shape: tuple[int, ...], indices: Any, dim: int, keepdim: bool) -> Any:
    """Send the gradient to the one element of each row that was chosen."""
    g, indices = (unreduced(v, shape, dim, keepdim) for v in (g, indices))
    return put_along(g, indices, shape, _check.dim(dim, len(shape)))


def _pick(name: str, x: ndarray, dim: int, keepdim: bool) -> tuple[Any, Any]:
    dim = _check.dim(dim, x.ndim)
    refuse_empty(name, x, dim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    if name == "max":
        return rows(maximum_reduce(x, dim, keepdims=keepdim)), np.argmax(x, dim, keepdims=keepdim)
    return rows(minimum_reduce(x, dim, keepdims=keepdim)), np.argmin(x, dim, keepdims=keepdim)


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices", shown="MaxBackward0")
def _max_dim(input: Any, dim: int, keepdim: bool) -> Any:
    return _pick("max", input, dim, keepdim)


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices", shown="MinBackward0")
def _min_dim(input: Any, dim: int, keepdim: bool) -> Any:
    return _pick("min", input, dim, keepdim)


def _three_forms(forms: Any, input: Any, dim: Any, keepdim: bool, other: Any, out: Any) -> Any:
    whole, along, binary, kind = forms
    to = {} if out is None else {"out": out}
    if isinstance(dim, engine.Tensor):
        dim, other = None, dim
    if other is not None:
        return binary(input, other, **to)
    if dim is None:
        return whole(input, **to)
    if not hasattr(dim, "__index__"):
        raise TypeError(f"{kind.__name__}(): dim must be one int (amax and amin take several), got "
                        f"{type(dim).__name__}")
    return kind(along(input, int(dim), keepdim, **to))


@numpy_names
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None,
        out: Any = None) -> Any:
    """Return the largest element; with `dim` (values, indices); with a tensor, `maximum`.

    Over all elements equal maxima share the gradient alike; along `dim` the one at the returned
    index (the first) gets all of it. nan counts as largest.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1., 5.], [7., 3.]])
    >>> torch.max(x), torch.max(x, dim=1).indices
    (tensor(7.), tensor([1, 0]))
    """
    return _three_forms((_max, _max_dim, maximum, return_types.max), input, dim, keepdim, other,
                        out)


@numpy_names
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None,
        out: Any = None) -> Any:
    """Return the smallest element; with `dim` (values, indices); with a tensor, `minimum`.

    >>> import minigrad as torch
    >>> torch.min(torch.tensor([[1., 5.], [7., 3.]]), dim=1).values
    tensor([1., 3.])
    """
    return _three_forms((_min, _min_dim, minimum, return_types.min), input, dim, keepdim, other,
                        out)


# ---------------------------------------------------------------- over dimensions, without indices
def _share(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    """Share the gradient of each row among the elements that equal its result."""
    g, y = (unreduced(v, input.shape, dim, keepdim) for v in (g, y))
    mask = input == y  # nowhere in rows with nan, whose gradient is 0 / 0
    return mul(div(g, sum(mask, all_axes(dim, input.ndim), True)), mask)


@op(input=_share)
def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """Return the largest elements over `dim`, an int or a tuple; () is all. Ties share gradients.

    >>> import minigrad as torch
    >>> torch.amax(torch.tensor([[1., 5.], [7., 3.]]), dim=0)
    tensor([7., 5.])
    """
    refuse_empty("amax", input, dim)
    return rows(maximum_reduce(input, all_axes(dim, input.ndim), keepdims=keepdim))


@op(input=_share)
def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """Return the smallest elements over `dim`, an int or a tuple; () is all. Ties share gradients.

    >>> import minigrad as torch
    >>> torch.amin(torch.tensor([[1., 5.], [7., 3.]]), dim=(0, 1))
    tensor(1.)
    """
    refuse_empty("amin", input, dim)
    return rows(minimum_reduce(input, all_axes(dim, input.ndim), keepdims=keepdim))


@op(input=lambda g, input, y, dim, keepdim: _share(g[0], input, y[0], dim, keepdim)
    + _share(g[1], input, y[1], dim, keepdim), outputs="many")
def _aminmax(input: Any, dim: Any, keepdim: bool) -> Any:
    refuse_empty("aminmax", input, dim)
    axes = all_axes(dim, input.ndim)
    return [np.asarray(rows(reduce(input, axes, keepdims=keepdim)))
            for reduce in (minimum_reduce, maximum_reduce)]


@numpy_names
@with_out
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the smallest and the largest elements over `dim` (None: all) as (min, max).

    >>> import minigrad as torch
    >>> torch.aminmax(torch.tensor([3., 1., 2.])).max
    tensor(3.)
    """
    return return_types.aminmax(_aminmax(input, dim, keepdim))


# --------------------------------------------------------------------------------------- positions
def _position(find: Any, x: ndarray, dim: int | None, keepdim: bool) -> Any:
    if x.dtype.kind == "b":
        raise RuntimeError(f"{find.__name__}(): does not support bool input; convert with .int()")
    refuse_empty(find.__name__, x, dim, IndexError)
    if dim is not None:
        dim = _check.dim(dim, x.ndim) if x.ndim else None
    return find(x, dim, keepdims=keepdim)


@op(input=None)
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the index of the largest element along `dim`; None counts through all elements.

    >>> import minigrad as torch
    >>> torch.argmax(torch.tensor([[1., 5.], [7., 3.]]), dim=1)
    tensor([1, 0])
    """
    return _position(np.argmax, input, dim, keepdim)


@op(input=None)
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the index of the smallest element along `dim`; None counts through all elements."""
    return _position(np.argmin, input, dim, keepdim)


