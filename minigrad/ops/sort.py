"""Order: sort, topk, kthvalue, median, and how their gradients find the way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import op
from ._along import put_along
from ._operands import add_reduce, numpy_names, rows, with_out
from .extremes import refuse_empty, share_evenly, to_index

ndarray = np.ndarray


def _back(g: Any, input_shape: Any, indices: Any, dim: int) -> Any:
    """Send the gradient of each chosen element to where the element came from."""
    return put_along(g, indices, input_shape, _check.dim(dim, len(input_shape)))


def _order(x: ndarray, dim: int, descending: bool) -> ndarray:
    """Return the indices of a stable sort; nan counts as largest, as in PyTorch."""
    if not descending:
        return np.argsort(x, dim, kind="stable")
    turned = np.argsort(np.flip(x, dim), dim, kind="stable")  # equal elements stay in order
    return np.flip(x.shape[dim] - 1 - turned, dim)


@op(input=_back, also="indices", shown="SortBackward0")
def _sort(input: Any, dim: int, descending: bool) -> Any:
    dim = _check.dim(dim, input.ndim)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    indices = _order(input, dim, descending)
    return np.take_along_axis(input, indices, dim), indices


@numpy_names
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False, *,
         out: Any = None) -> Any:
    """Return the elements in order along `dim`, and where they came from, as (values, indices).

    The order of equal elements is always kept, whether `stable` is asked for or not. nan counts as
    the largest.

    >>> import minigrad as torch
    >>> torch.sort(torch.tensor([3., 1., 2.]), descending=True).indices
    tensor([0, 2, 1])
    """
    to = {} if out is None else {"out": out}
    return return_types.sort(_sort(input, dim, descending, **to))


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return the indices that sort the elements along `dim`; see `sort`.

    >>> import minigrad as torch
    >>> torch.argsort(torch.tensor([3., 1., 2.]))
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending, stable)[1]


@with_out
def msort(input: Any) -> Any:
    """Return the elements in order along the first dimension.

    >>> import minigrad as torch
    >>> torch.msort(torch.tensor([3., 1., 2.]))
    tensor([1., 2., 3.])
    """
    return sort(input, 0)[0]


@op(input=_back, also="indices", shown="TopkBackward0")
def _topk(input: Any, k: int, dim: int, largest: bool, sorted: bool) -> Any:
    dim = _check.dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: selected index k out of range: k={k} of {size} elements in dim "
                           f"{dim}")
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    indices = _first(input, k, dim, largest)
    return np.take_along_axis(input, indices, dim), indices


def _first(x: ndarray, k: int, dim: int, descending: bool) -> ndarray:
    """Return the indices of the first k in order; of long rows only the candidates are sorted."""
    size = x.shape[dim]
    if k == 0 or size < 64 or size < 8 * k:
        return np.take(_order(x, dim, descending), np.arange(k), dim)
    parted = np.argpartition(x, size - k if descending else k - 1, dim)
    some = np.take(parted, np.arange(size - k, size) if descending else np.arange(k), dim)
    some.sort(dim)  # equal elements in their own order
    order = _order(np.take_along_axis(x, some, dim), dim, descending)
    return np.take_along_axis(some, order, dim)


@numpy_names
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *,
         out: Any = None) -> Any:
    """Return the k largest (or smallest) elements along `dim` in order, as (values, indices).

    Args: sorted: the result is in order in any case.

    >>> import minigrad as torch
    >>> torch.topk(torch.tensor([3., 1., 2.]), 2).values
    tensor([3., 2.])
    """
    to = {} if out is None else {"out": out}
    return return_types.topk(_topk(input, k, dim, largest, sorted, **to))


# ---------------------------------------------------------------------------------- one of a row
def _nth(x: ndarray, place: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the element (and its index) at a sorted place of each row; `place` counts from 0."""
    order = _order(x, dim, False)
    at = np.broadcast_to(place, [1 if i == dim else s for i, s in enumerate(x.shape)])
    indices = np.take_along_axis(order, at, dim)
    values = np.take_along_axis(x, indices, dim)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices", shown="KthvalueBackward0")
def _kthvalue(input: Any, k: int, dim: int, keepdim: bool) -> Any:
    dim = _check.dim(dim, input.ndim)
    refuse_empty("kthvalue", input, dim)
    size = input.shape[dim] if input.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: k={k} "
                           f"of {size} elements (k counts from 1)")
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    return _nth(input, k - 1, dim, keepdim)


@numpy_names
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the k-th smallest element along `dim` (k counts from 1), as (values, indices).

    >>> import minigrad as torch
    >>> torch.kthvalue(torch.tensor([3., 1., 2.]), 2).values
    tensor(2.)
    """
    to = {} if out is None else {"out": out}
    return return_types.kthvalue(_kthvalue(input, k, dim, keepdim, **to))


def _middle(x: ndarray, dim: int, keepdim: bool, ignore_nan: bool) -> tuple[Any, Any]:
    """Return the lower median of each row: nan if there is one, unless nans are ignored."""
    dim = _check.dim(dim, x.ndim)
    refuse_empty("median", x, dim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    nans = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, np.bool_)
    count = add_reduce(nans, dim, np.int64, keepdims=True)
    size = x.shape[dim]
    if ignore_nan:
        return _nth(x, np.maximum(size - count - 1, 0) // 2, dim, keepdim)
    values, places = _nth(x, np.where(count > 0, size - count, (size - 1) // 2), dim, keepdim)
    return values, places


def _of_nothing(x: ndarray) -> ndarray:
    if x.dtype.kind != "f":
        raise RuntimeError("median(): there is no median of an empty tensor of integers")
    return np.array(np.nan, x.dtype)


@op(input=share_evenly, shown="MedianBackward0")
def _median(input: Any) -> Any:
    if not input.size:
        return _of_nothing(input)
    return _middle(input.reshape(-1), 0, False, False)[0]


@op(input=share_evenly, shown="NanmedianBackward0")
def _nanmedian(input: Any) -> Any:
    if not input.size:
        return _of_nothing(input)
    return _middle(input.reshape(-1), 0, False, True)[0]


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices", shown="MedianBackward1")
def _median_dim(input: Any, dim: int, keepdim: bool) -> Any:
    return [rows(part) for part in _middle(input, dim, keepdim, False)]


@op(input=lambda g, input_shape, indices, dim, keepdim:
    to_index(g, input_shape, indices, dim, keepdim), also="indices", shown="NanmedianBackward1")
def _nanmedian_dim(input: Any, dim: int, keepdim: bool) -> Any:
    return [rows(part) for part in _middle(input, dim, keepdim, True)]


@numpy_names
def median(input: Any, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the median; with `dim` (values, indices). Of an even number it is the lower middle.

    Any nan gives nan. The gradient of the median of all elements is shared by equal ones; along
    `dim` the one at the returned index gets all of it.

    >>> import minigrad as torch
    >>> torch.median(torch.tensor([4., 1., 3., 2.]))
    tensor(2.)
    """
    to = {} if out is None else {"out": out}
    if dim is None:
        return _median(input, **to)
    return return_types.median(_median_dim(input, dim, keepdim, **to))


@numpy_names
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False, *,
              out: Any = None) -> Any:
    """Return the median of the elements that are not nan; see `median`.

    >>> import minigrad as torch
    >>> torch.nanmedian(torch.tensor([4., float("nan"), 3.]))
    tensor(3.)
    """
    to = {} if out is None else {"out": out}
    if dim is None:
        return _nanmedian(input, **to)
    return return_types.nanmedian(_nanmedian_dim(input, dim, keepdim, **to))
