"""Views of a tensor's memory by strides, whatever the tensor itself shows of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import op
from ..reshaping import reshaped
from ..storage import extent, last, memory, origin, owner, window
from ..versions import overlapping

ndarray = np.ndarray


@op(input=lambda g, input_shape, size, stride, offset, layout:
    add_strided(g, (size, stride, offset), (input_shape, layout, 0), "after"), view=True)
def _as_strided(input: Any, size: Any, stride: Any, offset: int, layout: Any) -> Any:
    """Return the elements that begin `offset` behind the first one of `input`.

    `layout` are the strides of `input`; they are given because a rewritten history shows the view
    on other arrays, too.
    """
    steps = zip(input.shape, input.strides, layout, strict=True)
    if any(n > 1 and found != s * input.itemsize for n, found, s in steps):
        raise RuntimeError("as_strided: the history of this view cannot be rewritten, because the "
                           "memory of its base has gaps or another order; clone() the base first")
    whole = owner(input)
    begin = input.ctypes.data + offset * input.itemsize - extent(whole)[0]
    block = memory(whole)
    if begin < 0 or begin + (last(size, stride) + 1) * input.itemsize > block.size:
        raise RuntimeError(f"setStorage: sizes {list(size)}, strides {list(stride)} reach beyond "
                           f"the {block.size} bytes of the memory")
    out = window(block, input.dtype, size, stride, begin)
    if not input.flags.writeable:
        out.flags.writeable = False
    return out


def _spread(value: Any, size: Any, stride: Any, offset: int, length: int) -> ndarray:
    """Return memory of zeros with `value` added at its places."""
    flat = np.zeros(length, value.dtype)
    part = _part(flat, size, stride, offset)
    if not overlapping(part):
        part[...] = value
    else:
        places = _part(np.arange(length), size, stride, offset)
        np.add.at(flat, places.ravel(), np.asarray(value).ravel())
    return flat


def _part(flat: ndarray, size: Any, stride: Any, offset: int) -> ndarray:
    return window(flat.view(np.uint8), flat.dtype, size, stride, offset * flat.itemsize)


@op(value=lambda g, source, target, share:
    add_strided(g, target, source, {"": "", "after": "before", "before": "after"}[share]))
def add_strided(value: Any, source: Any, target: Any, share: str) -> Any:
    """Add `value` up in memory, at the places `source`, and return what the places `target` show.

    Places are (size, stride, offset). Where several elements of the input of `as_strided` lie in
    one place, each has an equal share of the gradient: of the result ("after"), or, in the adjoint,
    of the value ("before").
    """
    base = min(source[2], target[2], 0)
    ends = [start - base + last(size, stride) + 1 for size, stride, start in (source, target)]
    length = max(*ends, 0)
    (*before, first), (*after, second) = source, target
    if share == "before":
        value = value / _times(before, first - base, length)
    found = _part(_spread(value, *before, first - base, length), *after, second - base)
    return found / _times(after, second - base, length) if share == "after" else found.copy()


def _times(layout: Any, offset: int, length: int) -> ndarray:
    """Return for each element how many lie in its place; the number 1 if each is alone."""
    size, stride = layout
    if not overlapping(_part(np.zeros(length, np.int8), size, stride, offset)):
        return np.ones((), np.int8)
    counts = _spread(np.ones(size, np.int32), size, stride, offset, length)
    return _part(counts, size, stride, offset)


def _asked(name: str, input: Any, size: Any, stride: Any, storage_offset: Any) -> tuple[Any, ...]:
    """Check the arguments of as_strided and return those of the op."""
    size = tuple(_check.integer(n, "size") for n in _check.sizes((size,)))
    stride = tuple(_check.integer(n, "stride") for n in _check.sizes((stride,)))
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {name} got {len(stride)} "
                           f"strides and {len(size)} sizes")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"{name}: Negative strides are not supported at the moment, got "
                           f"strides: {list(stride)}")
    if any(n < 0 for n in size):
        raise RuntimeError(f"{name}: Storage size calculation overflowed or a size is negative: "
                           f"sizes={list(size)}")
    array, begin = input._data, input.storage_offset()
    at = begin if storage_offset is None else _check.integer(storage_offset, "storage_offset")
    if at < 0:
        raise RuntimeError(f"{name}: Tensor: invalid storage offset {at}")
    if isinstance(array, ndarray):  # of vmap's tensors the batching rule checks it
        low, high = extent(origin(input))
        need = (at + last(size, stride) + 1) * array.itemsize
        if 0 not in size and need > high - low:
            raise RuntimeError(
                f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {at}, and "
                f"itemsize {array.itemsize} requiring a storage size of {need} are out of bounds "
                f"for storage of size {high - low}")
    layout = tuple(s // array.itemsize for s in array.strides)
    return size, stride, at - begin, layout


@_check.takes("input")
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Return the view of a tensor's memory with these sizes and strides (in elements).

    `storage_offset` counts from the start of the memory that the tensor shares with its base; the
    default is where the tensor begins. The view may show elements that the tensor does not; their
    gradient is lost. Raises RuntimeError for places outside of the memory.

    >>> import minigrad as torch
    >>> torch.as_strided(torch.arange(5), (3, 2), (1, 1), 1)
    tensor([[1, 2],
            [2, 3],
            [3, 4]])
    """
    return _as_strided(input, *_asked("as_strided", input, size, stride, storage_offset))


@_check.takes("input")
def as_strided_(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Turn the tensor itself into the view that `as_strided` returns.

    >>> import minigrad as torch
    >>> torch.as_strided_(torch.arange(6), (2, 2), (3, 1))
    tensor([[0, 1],
            [3, 4]])
    """
    options = _asked("as_strided_", input, size, stride, storage_offset)
    whole = origin(input) if isinstance(input._data, ndarray) and input._base is None else None
    out = reshaped(input, _as_strided, *options)
    if whole is not None:
        out._origin = whole
    return out
