"""Basic indexing: views made by ints, slices, None and Ellipsis, and what is built from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import op

ndarray = np.ndarray
FULL = slice(None)


def _view_name(index: tuple[Any, ...]) -> str:
    """Return the grad_fn name of the last step into which PyTorch splits a basic index."""
    names = {int: "SelectBackward0", slice: "SliceBackward0", type(None): "UnsqueezeBackward0"}
    steps = [names[type(i)] for i in index if i is not Ellipsis and i != FULL]
    if not steps and len(index) == 1 and type(index[0]) is slice:
        return "SliceBackward0"
    return steps[-1] if steps else "AliasBackward0"


def _placed(g: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    """Do as `fill_index`, of an array without the way through the engine: `x[-1]` is frequent."""
    return (fill_index.op.forward if type(g) is ndarray else fill_index)(g, shape, index)


@op(input=lambda g, input_shape, index: _placed(g, input_shape, index), view=True,
    shown=_view_name)
def select_index(input: Any, index: tuple[Any, ...]) -> Any:
    """Return the view that a basic index (ints, slices, None, Ellipsis) shows."""
    try:
        y = input[index]
    except IndexError:
        raise _index_error(input.shape, index) from None
    return y if type(y) is ndarray else input[(*index, ...)]


@op(value=lambda g, index: select_index(g, index), shown="SelectBackward0")
def fill_index(value: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    """Return zeros of `shape` with `value` at a basic index: the adjoint of `select_index`."""
    y = np.zeros(shape, value.dtype)
    y[index] = value
    return y


def _index_error(shape: tuple[int, ...], index: tuple[Any, ...]) -> Exception:
    """Say which item of a basic index does not fit."""
    used = [i for i in index if i is not None and i is not Ellipsis]
    if len(used) > len(shape):
        return IndexError(f"too many indices for tensor of dimension {len(shape)}: got "
                          f"{len(used)} (shape {list(shape)})")
    at = 0
    for item in index:
        if item is Ellipsis:
            at += len(shape) - len(used)
        elif item is not None:
            if type(item) is int and not -shape[at] <= item < shape[at]:
                return IndexError(f"index {item} is out of bounds for dimension {at} with size "
                                  f"{shape[at]}")
            at += 1
    return IndexError(f"index {index} does not fit a tensor of shape {list(shape)}")


def select(input: Any, dim: int, index: int) -> Any:
    """Return the view at one position of a dimension, without that dimension.

    >>> import minigrad as torch
    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    shape = input.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor; it has no dimensions")
    dim = _check.dim(dim, len(shape))
    index = _check.integer(index, "index")
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(shape)} "
                         f"at dimension {dim}")
    return select_index(input, (FULL,) * dim + (index,))


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """Return the view of `length` positions of a dimension from `start` on.

    >>> import minigrad as torch
    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    shape = input.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor; it has no dimensions")
    dim = _check.dim(dim, len(shape))
    array = getattr(start, "_data", None)
    if array is not None and (array.ndim or array.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow(): start must be an 0-dim integral Tensor or an int, got a "
                           f"{array.ndim}-d tensor of {array.dtype}")
    start, length = _check.integer(start, "start"), _check.integer(length, "length")
    size = shape[dim]
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {length}")
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, {size}], but "
                         f"got {start})")
    start += size if start < 0 else 0
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}) "
                           f"of dimension {dim}")
    return select_index(input, (FULL,) * dim + (slice(start, start + length),))
