"""Elements chosen by conditions: masked_select, masked_scatter, nonzero."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._check import broadcast_error
from .._dtype import dtype_of
from ..engine import op, wrap
from ..outputs import into
from ._operands import with_out
from .choose import masked_fill
from .shape import reshape
from .slicing import fill_index

ndarray = np.ndarray


def _check_mask(name: str, mask: ndarray) -> None:
    if mask.dtype.kind != "b":
        raise RuntimeError(f"{name}: expected BoolTensor for mask, got {dtype_of(mask)}")


@op(input=lambda g, mask, input_shape:
    _masked_place(g, mask, np.broadcast_shapes(input_shape, mask.shape)), mask=None,
    explain=broadcast_error)
def masked_select(input: Any, mask: Any) -> Any:
    """Return the elements where the bool tensor `mask` is true, as a vector.

    >>> import minigrad as torch
    >>> x = torch.tensor([3., -1., 2.])
    >>> torch.masked_select(x, x > 0)
    tensor([3., 2.])
    """
    _check_mask("masked_select", mask)
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return np.broadcast_to(input, shape)[np.broadcast_to(mask, shape)]


@op(value=lambda g, mask: masked_select(g, mask), mask=None, shown="MaskedScatterBackward0")
def _masked_place(value: Any, mask: Any, shape: tuple[int, ...]) -> Any:
    y = np.zeros(shape, value.dtype)
    y[np.broadcast_to(mask, shape)] = value
    return y


@op(input=lambda g, mask: masked_fill(g, mask, 0.0), mask=None,
    source=lambda g, mask, source_shape: _padded(masked_select(g, mask), source_shape),
    explain=broadcast_error)
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """Return a copy with the elements of `source`, in order, where `mask` is true.

    >>> import minigrad as torch
    >>> torch.masked_scatter(torch.zeros(3), torch.tensor([True, False, True]), torch.ones(2))
    tensor([1., 0., 1.])
    """
    _check_mask("masked_scatter", mask)
    if source.dtype != input.dtype:
        raise RuntimeError(f"masked_scatter: expected self and source to have same dtypes but got "
                           f"{dtype_of(input)} and {dtype_of(source)}")
    shape = np.broadcast_shapes(input.shape, mask.shape)
    y, where = np.array(np.broadcast_to(input, shape)), np.broadcast_to(mask, shape)
    count = int(np.count_nonzero(where))
    if source.size < count:
        raise RuntimeError(f"Number of elements of source < number of ones in mask: {source.size} "
                           f"and {count}")
    y[where] = source.reshape(-1)[:count]
    return y


def _padded(g: Any, shape: tuple[int, ...]) -> Any:
    size = 1
    for n in shape:
        size *= n
    return reshape(fill_index(g, (size,), (slice(0, g.shape[0]),)), shape)


def nonzero(input: Any, *, out: Any = None, as_tuple: bool = False) -> Any:
    """Return the indices of the elements that are not zero: one row each, or a tuple of vectors.

    >>> import minigrad as torch
    >>> torch.nonzero(torch.tensor([[0, 2], [3, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    array = _check.tensor(input, "nonzero")._data
    if as_tuple:
        return tuple(wrap(i, None) for i in np.nonzero(np.atleast_1d(array)))
    made = wrap(np.argwhere(array).astype(np.int64, copy=False), None)
    return made if out is None else into("nonzero", made, out, (input,))


@with_out
def nonzero_static(input: Any, *, size: int, fill_value: int = -1) -> Any:
    """Return the indices of the first `size` elements that are not zero; rows of `fill_value` rest.

    >>> import minigrad as torch
    >>> torch.nonzero_static(torch.tensor([1, 0, 1]), size=3)
    tensor([[ 0],
            [ 2],
            [-1]])
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    found = np.full((size, input.ndim), fill_value, np.int64)
    places = np.argwhere(input._data)[:size]
    found[:len(places)] = places
    return wrap(found, None)


def argwhere(input: Any) -> Any:
    """Return the indices of the elements that are not zero, one row each."""
    return nonzero(input)
