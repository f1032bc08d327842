"""Indexing with brackets: reading `x[...]` and writing `x[...] = v`.

A key is split into a basic part (ints, slices, None: a view) and an advanced part (integer arrays
and bool masks: a copy), in this order, as PyTorch does. NumPy would take an int next to an array
for an array of one element, and put the result's dimensions elsewhere.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _dtype, engine
from .._check import broadcast_error
from ..engine import op
from .create import to_array
from .slicing import FULL, fill_index, select_index

__all__ = ["add_index", "fill_index", "put_index", "read", "select_index", "set_index",
           "take_index", "write"]

ndarray = np.ndarray
Key = tuple[Any, ...]
BLOCK = 1 << 16  # elements whose places add_rows computes at a time: they stay in the cache


# --------------------------------------------------------------------------------- reading keys
def parse(key: Any, ndim: int) -> tuple[Key, Key | None]:
    """Return the basic part of a key and the advanced part, None if there is none."""
    kind = type(key)
    if kind is int or key is None or key is Ellipsis:
        return (key,), None
    if kind is slice:
        return (_slice(key),), None
    items = key if isinstance(key, tuple) else _as_items(key)
    basic: list[Any] = []
    advanced: list[Any] = []  # pairs (position in `basic`, array)
    for item in items:
        if type(item) is not int and item is not None and item is not Ellipsis:
            item = _slice(item) if type(item) is slice else _item(item)
            if type(item) is ndarray:
                advanced.append((len(basic), item))
                basic += [FULL] * item.ndim if item.dtype.kind == "b" and item.ndim else [
                    FULL if item.ndim or item.dtype.kind != "b" else None]
                continue
        if item is not Ellipsis or Ellipsis not in basic:  # a second ... stands for nothing
            basic.append(item)
    if not advanced:
        return tuple(basic), None
    return _split(basic, advanced, ndim)


def _as_items(key: Any) -> Key:
    """Return a key that is no tuple as one; lists that hold more than numbers count as tuples."""
    if isinstance(key, (list, range)) and len(key) < 32 and any(
            isinstance(k, (list, tuple, slice, engine.Tensor, ndarray)) or k is None
            or k is Ellipsis for k in key):
        warnings.warn("Using a non-tuple sequence for multidimensional indexing is deprecated: "
                      "write x[tuple(index)], or x[torch.tensor(index)] for an array of indices",
                      UserWarning, stacklevel=5)
        return tuple(key)
    return (key,)


def _slice(item: slice) -> slice:
    """Check a slice's step, and turn tensors in it into ints."""
    start, stop, step = item.start, item.stop, item.step
    for part in (start, stop, step):
        if type(part) is not int and part is not None:
            start, stop, step = (p if p is None else p.__index__() for p in (start, stop, step))
            item = slice(start, stop, step)
            break
    if step is not None and step <= 0:
        raise ValueError("slice step cannot be zero" if not step else
                         f"step must be greater than zero, got {step}: use flip() to reverse")
    return item


def _item(item: Any) -> Any:
    """Return one other item of a key as an int or as an integer or bool array."""
    if isinstance(item, engine.Tensor):
        array = item._data
    elif isinstance(item, (bool, np.bool_)):
        return np.array(bool(item))
    elif isinstance(item, ndarray):
        array = item
    elif isinstance(item, (list, tuple, range)):
        array = to_array(item)
        if not array.size:
            array = array.astype(np.int64)
    elif isinstance(item, str):
        raise TypeError("new(): invalid data type 'str': text is no index")
    elif hasattr(item, "__index__"):
        return item.__index__()
    else:
        raise IndexError(f"only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                         f"Variables are valid indices (got {type(item).__name__})")
    if array.dtype == np.uint8 and array.ndim:
        warnings.warn("indexing with dtype torch.uint8 is deprecated: it means a mask; use "
                      "torch.bool", UserWarning, stacklevel=5)
    if array.dtype == np.uint8:
        return array.astype(bool)
    if array.dtype.kind not in "ib":
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, not "
                         f"{array.dtype}")
    if not array.ndim and array.dtype.kind == "i":
        return int(array)
    return array.copy()  # later writes into the index must not change the gradient


def _split(basic: list[Any], advanced: list[Any], ndim: int) -> tuple[Key, Key]:
    """Return the basic part, and the advanced index into the view that the basic part shows."""
    used = sum(i is not None and i is not Ellipsis for i in basic)
    if used > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}: got {used}")
    arrays = dict(advanced)
    index: list[Any] = []
    skip = 0
    for k, item in enumerate(basic):
        if skip:
            skip -= 1
        elif k in arrays:
            array = arrays[k]
            skip = max(array.ndim - 1, 0) if array.dtype.kind == "b" else 0
            index.append(array if array.ndim or array.dtype.kind != "b" else
                         np.zeros(int(array), np.int64))  # a bool: the one row, or none
        elif item is Ellipsis:
            index += [FULL] * (ndim - used)
        elif type(item) is not int:
            index.append(FULL)
    while index[-1] is FULL:
        index.pop()
    return tuple(basic), tuple(index)


def _trivial(basic: Key) -> bool:
    return all(i is Ellipsis or (type(i) is slice and i == FULL) for i in basic)


def read(x: Any, key: Any) -> Any:
    """Return `x[key]`: a view for a basic key, else a copy."""
    if not x._data.ndim and type(key) is int:
        raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a "
                         "number")
    basic, advanced = parse(key, x._data.ndim)
    if advanced is None:
        return select_index(x, basic)
    return take_index(x if _trivial(basic) else select_index(x, basic), advanced)


# ------------------------------------------------------------------------------ advanced reading
@op(input=lambda g, input_shape, index: add_index(g, input_shape, index), shown="IndexBackward0")
def take_index(input: Any, index: Key) -> Any:
    """Return a copy of the elements at an advanced index: integer arrays, bool masks and `:`."""
    last = index[-1]
    try:
        if type(last) is ndarray and last.dtype.kind == "i" and all(i is FULL for i in index[:-1]):
            return input.take(last, len(index) - 1)
        y = input[index]
        return y if type(y) is ndarray else np.asarray(y)
    except IndexError:
        raise index_error(input.shape, index) from None


@op(value=lambda g, index: take_index(g, index), shown="IndexPutBackward0")
def add_index(value: Any, shape: tuple[int, ...], index: Key) -> Any:
    """Return zeros of `shape` with `value` added at an advanced index, repetitions included."""
    arrays = [i for i in index if type(i) is ndarray]
    y = np.zeros(shape, value.dtype)
    if len(arrays) == 1 and arrays[0].dtype.kind == "b":  # no element occurs twice
        y[index] = value
        return y
    if not value.size:
        return y
    if len(arrays) == 1:
        return _add_along(value, shape, len(index) - 1, arrays[0].reshape(-1))
    if value.ndim > 1 and index[0] is not FULL and len(arrays) == len(index) and all(
            a.dtype.kind == "i" for a in arrays):  # whole rows: places of the rows are enough
        lead = shape[:len(index)]
        ids = np.arange(math.prod(lead)).reshape(lead)[index]
        add_rows(y.reshape(math.prod(lead), -1), ids.reshape(-1), value.reshape(ids.size, -1))
    else:
        places = np.arange(math.prod(shape)).reshape(shape)
        np.add.at(y.reshape(-1), places[index].reshape(-1), value.reshape(-1))
    return y


def _add_along(value: ndarray, shape: tuple[int, ...], dim: int, ids: ndarray) -> ndarray:
    """Return zeros of `shape` with slices of `value` added at the ids along one dimension."""
    before, after, size = math.prod(shape[:dim]), math.prod(shape[dim + 1:]), shape[dim]
    y = np.zeros((size, before * after), value.dtype)
    rows = value.reshape(before, ids.size, after).transpose(1, 0, 2)
    add_rows(y, ids % size, rows.reshape(ids.size, -1))
    return y if not dim and len(shape) == 2 else y.reshape(size, before, after).transpose(
        1, 0, 2).reshape(shape)


def add_rows(y: ndarray, ids: ndarray, rows: ndarray) -> None:
    """Add each row to the row of `y` that its id names; ids may repeat. `y` is contiguous.

    NumPy's ufunc.at is fast for one-dimensional operands only, so whole rows become single places.
    """
    count, width = y.shape
    if not (width and ids.size):
        return
    if width == 1:
        np.add.at(y.reshape(-1), ids, rows.reshape(-1))
        return
    if count <= 8 * ids.size and np.bincount(ids, minlength=count).max() <= 1:
        y[ids] = rows
        return
    flat, columns, step = y.reshape(-1), np.arange(width), max(BLOCK // width, 1)
    for k in range(0, ids.size, step):
        places = ids[k:k + step, None] * width + columns
        np.add.at(flat, places.reshape(-1), rows[k:k + step].reshape(-1))


def index_error(shape: tuple[int, ...], index: Key) -> Exception:
    """Say which array of an advanced index does not fit."""
    at, sizes = 0, []
    for k, item in enumerate(index):
        if type(item) is not ndarray:
            at += 1
            continue
        if item.dtype.kind == "b":
            if at + item.ndim > len(shape):
                return IndexError(f"too many indices for tensor of dimension {len(shape)}")
            if item.shape != shape[at:at + item.ndim]:
                return IndexError(f"The shape of the mask {list(item.shape)} at index {k} does not "
                                  f"match the shape of the indexed tensor {list(shape)} at index "
                                  f"{at}")
            sizes.append([int(item.sum())])
            at += item.ndim
            continue
        bad = item[(item < -shape[at]) | (item >= shape[at])]
        if bad.size:
            return IndexError(f"index {int(bad[0])} is out of bounds for dimension {at} with size "
                              f"{shape[at]}")
        sizes.append(list(item.shape))
        at += 1
    return IndexError(f"shape mismatch: indexing tensors could not be broadcast together with "
                      f"shapes {', '.join(map(str, sizes))}")


# --------------------------------------------------------------------------------------- writing
def _put_name(basic: Key, advanced: Key | None) -> str:
    if advanced is not None and _trivial(basic):
        return "IndexPutBackward0"
    return f"torch::autograd::{'CopyBackwards' if _trivial(basic) else 'CopySlices'}"


def _put(input: ndarray, value: Any, basic: Key, advanced: Key | None) -> None:
    """Write into the array itself."""
    target = input if _trivial(basic) else select_index.op.forward(input, basic)
    try:
        target[... if advanced is None else advanced] = value
    except IndexError:
        raise index_error(target.shape, advanced or ()) from None
    except ValueError:
        if advanced is None:
            raise broadcast_error(target, value) from None
        shape = take_index.op.forward(target, advanced).shape
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(np.shape(value))} cannot "
                           f"be broadcast to indexing result of shape {list(shape)}") from None


@op(input=lambda g, basic, advanced: set_index(g, 0.0, basic, advanced),
    value=lambda g, value_shape, basic, advanced: _part(g, value_shape, basic, advanced),
    shown=_put_name, mutate=_put)
def set_index(input: Any, value: Any, basic: Key, advanced: Key | None) -> Any:
    """Return a copy of `input` with `value` written at a key; its in-place form is `x[key] = v`."""
    y = input.copy()
    _put(y, value, basic, advanced)
    return y


def _part(g: Any, shape: tuple[int, ...], basic: Key, advanced: Key | None) -> Any:
    """Return the gradient at the key; the value may have had further leading dims of size 1."""
    if not _trivial(basic):
        g = select_index(g, basic)
    if advanced is not None:
        g = take_index(g, advanced)
    extra = len(shape) - g.ndim
    return g.reshape((1,) * extra + tuple(g.shape)) if extra > 0 else g


def write(x: Any, key: Any, value: Any) -> None:
    """Do `x[key] = value`: broadcast, and cast to x's dtype."""
    from ..views import check_writable, inplace

    basic, advanced = parse(key, x._data.ndim)
    if isinstance(value, engine.Tensor):
        if advanced is not None and value._data.dtype != x._data.dtype and (
                value._data.ndim or advanced[0].dtype.kind != "b"):
            raise RuntimeError(f"Index put requires the source and destination dtypes match, got "
                               f"{_dtype.dtype_of(x._data)} for the destination and "
                               f"{_dtype.dtype_of(value._data)} for the source; convert with .to()")
        if advanced is None and value._base is not None and _is_part(x, basic, value):
            check_writable(set_index.op, x, False)
            return  # x[key] += v has written through the view x[key] already
    elif value is None:
        raise TypeError("can't assign a NoneType to a tensor; give a number or a tensor")
    inplace(set_index, (x, value, basic, advanced))


def _is_part(x: Any, basic: Key, value: Any) -> bool:
    """Return True if `value` is the view x[key], in memory and on the tape (not detached)."""
    if value._base is not (x if x._base is None else x._base):
        return False
    if value.requires_grad != x.requires_grad:  # made under no_grad
        return False
    target, array = select_index.op.forward(x._data, basic), value._data
    return (target.shape == array.shape and target.strides == array.strides
            and target.ctypes.data == array.ctypes.data)


# ---------------------------------------------------------------------------- index_put, by arrays
def put_index(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Return a copy with `values` written (or added) at a tuple of index tensors.

    >>> import minigrad as torch
    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 2]),), torch.tensor([1., 5.]))
    tensor([1., 0., 5.])
    """
    _, advanced = _put_arguments(input, indices, values)
    if accumulate:
        return add_at(input, values, advanced)
    return set_index(input, values, (), advanced)


def put_index_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Write (or add) `values` at a tuple of index tensors, one per dimension, in place."""
    from ..views import inplace

    _, advanced = _put_arguments(input, indices, values)
    if accumulate:
        return inplace(add_at, (input, values, advanced))
    return inplace(set_index, (input, values, (), advanced))


def _put_arguments(input: Any, indices: Any, values: Any) -> tuple[Key, Key]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put_(): argument 'indices' (position 2) must be tuple of Tensors, "
                        f"not {type(indices).__name__}")
    for k, index in enumerate(indices):
        if index is not None and not isinstance(index, engine.Tensor):
            raise TypeError(f"expected Tensor as element {k} in argument 0, but got "
                            f"{type(index).__name__}")
    key = tuple(FULL if i is None else i if i._data.ndim else i.reshape(1) for i in indices)
    basic, advanced = parse(key, input._data.ndim)
    if advanced is None:
        raise IndexError("index_put needs at least one index tensor")
    if values._data.dtype != input._data.dtype:
        raise RuntimeError(f"Index put requires the source and destination dtypes match, got "
                           f"{_dtype.dtype_of(input._data)} for the destination and "
                           f"{_dtype.dtype_of(values._data)} for the source; convert with .to()")
    return basic, advanced


@op(input=lambda g: g, values=lambda g, index: take_index(g, index), shown="IndexPutBackward0")
def add_at(input: Any, values: Any, index: Key) -> Any:
    """Return a copy of `input` with `values` added at an advanced index."""
    shape = take_index.op.forward(input, index).shape
    try:
        values = np.broadcast_to(values, shape)
    except ValueError:
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(values.shape)} cannot be "
                           f"broadcast to indexing result of shape {list(shape)}") from None
    return input + add_index.op.forward(values, input.shape, index)
