"""Copies with one part replaced: the functional forms of writing into a view."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import wrap
from ._operands import with_out
from .arrange import diagonal
from .elementwise import clone
from .scatter_reduce import scatter_reduce
from .slicing import select
from .strided import as_strided


def _into(copy: Any, view: Any, src: Any) -> Any:
    if tuple(src.shape) != tuple(view.shape):
        raise RuntimeError(f"expected src to have a size equal to the slice of self. src size = "
                           f"{list(src.shape)}, slice size = {list(view.shape)}")
    view.copy_(src)
    return copy


@with_out
@_check.takes("input", "src")
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """Return a copy of `input` with `src` in the place of select(dim, index).

    >>> import minigrad as torch
    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 0)
    tensor([[1., 1.],
            [0., 0.]])
    """
    copy = clone(input)
    return _into(copy, select(copy, dim, index), src)


@with_out
@_check.takes("input", "src")
def slice_scatter(input: Any, src: Any, dim: int = 0, start: int | None = None,
                  end: int | None = None, step: int = 1) -> Any:
    """Return a copy of `input` with `src` in the place of start:end:step along `dim`.

    >>> import minigrad as torch
    >>> torch.slice_scatter(torch.zeros(4), torch.ones(2), start=2)
    tensor([0., 0., 1., 1.])
    """
    copy = clone(input)
    where = (slice(None),) * _check.dim(dim, input.ndim)
    return _into(copy, copy[(*where, slice(start, end, step))], src)


@with_out
@_check.takes("input", "src")
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return a copy of `input` with `src` in the place of diagonal(offset, dim1, dim2).

    >>> import minigrad as torch
    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    copy = clone(input)
    return _into(copy, diagonal(copy, offset, dim1, dim2), src)


@with_out
@_check.takes("input", "src")
def as_strided_scatter(input: Any, src: Any, size: Any, stride: Any,
                       storage_offset: int | None = None) -> Any:
    """Return a copy of `input` with `src` in the place of as_strided(size, stride, offset).

    >>> import minigrad as torch
    >>> torch.as_strided_scatter(torch.zeros(2, 2), torch.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if input.is_contiguous() and not input.storage_offset():
        copy = clone(input)
        return _into(copy, as_strided(copy, size, stride, storage_offset), src)
    begin, steps = input.storage_offset(), input.stride()  # a copy of the memory up to its end
    length = max(begin + 1 + sum((n - 1) * s for n, s in zip(input.shape, steps, strict=True)), 0)
    whole = clone(as_strided(input, (length,), (1,), 0))
    start = begin if storage_offset is None else storage_offset
    _into(whole, as_strided(whole, size, stride, start), src)
    return as_strided(whole, input.shape, steps, begin)


@with_out
def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *,
                 include_self: bool = True) -> Any:
    """Return a copy of `input` into which the slices of `source` are reduced at `index` along dim.

    `reduce` is "prod", "mean", "amax" or "amin". Without `include_self` the slices that are reached
    forget their old values. Raises RuntimeError for another `reduce`.

    >>> import minigrad as torch
    >>> torch.index_reduce(torch.ones(3), 0, torch.tensor([0, 0]), torch.tensor([2., 3.]), "prod")
    tensor([6., 1., 1.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin "
                           f"but got {reduce}.")
    dim = _check.dim(dim, input.ndim)
    if index.ndim > 1:
        raise RuntimeError(f"index_reduce(): Index is supposed to be a vector, got {index.ndim} "
                           f"dimensions")
    shape = [1] * source.ndim
    if source.ndim:
        shape[dim] = index._data.size
    wide = np.broadcast_to(index._data.reshape(shape), tuple(source.shape))
    return scatter_reduce(input, dim, wrap(wide, None), source, reduce, include_self=include_self)


def fill_diagonal_(input: Any, fill_value: float, wrap: bool = False) -> Any:
    """Write a number to the diagonal, in place; with `wrap` again and again down a tall matrix.

    >>> import minigrad as torch
    >>> torch.zeros(2, 3).fill_diagonal_(5)
    tensor([[5., 0., 0.],
            [0., 5., 0.]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"dimensions must larger than 1, got {input.ndim}")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise RuntimeError(f"all dimensions of input must be of equal length, got "
                           f"{list(input.shape)}")
    rows, columns = input.shape[:2]
    at = np.arange(min(input.shape))
    places = [at] * input.ndim
    if wrap and input.ndim == 2 and rows > columns:
        flat = np.arange(0, rows * columns, columns + 1)
        places = [flat // columns, flat % columns]
    mask = np.zeros(input.shape, bool)
    mask[tuple(places)] = True
    return input.masked_fill_(_mask(mask), fill_value)


def _mask(array: np.ndarray) -> Any:
    return wrap(array, None)
