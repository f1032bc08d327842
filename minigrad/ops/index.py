"""Indexing: reading and writing parts of a tensor, gather and scatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import broadcast_error
from ..engine import op

ndarray = np.ndarray


def _view_name(index: tuple[Any, ...]) -> str:
    """Return the grad_fn name of the last step into which PyTorch splits a basic index."""
    names = {int: "SelectBackward0", slice: "SliceBackward0", type(None): "UnsqueezeBackward0"}
    steps = [names[type(i)] for i in index if i is not Ellipsis and i != slice(None)]
    return steps[-1] if steps else "AliasBackward0"


@op(input=lambda g, input_shape, index: fill_index(g, input_shape, index), view=True,
    shown=_view_name)
def select_index(input: Any, index: tuple[Any, ...]) -> Any:
    """Return the view that a basic index (ints, slices, None, Ellipsis) shows."""
    y = input[index]
    return y if type(y) is ndarray else input[(*index, ...)]


@op(value=lambda g, index: select_index(g, index))
def fill_index(value: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    """Return zeros of `shape` with `value` at a basic index: the adjoint of `select_index`."""
    y = np.zeros(shape, value.dtype)
    y[index] = value
    return y


@op(input=lambda g, input_shape, index: add_index(g, input_shape, index), shown="IndexBackward0")
def take_index(input: Any, index: tuple[Any, ...]) -> Any:
    """Return a copy of the elements at an advanced index (integer arrays, bool masks)."""
    return input[index]


@op(value=lambda g, index: take_index(g, index))
def add_index(value: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    """Return zeros of `shape` with `value` added at an advanced index, repetitions included."""
    y = np.zeros(shape, value.dtype)
    np.add.at(y, index, value)
    return y


def _write(input: ndarray, value: Any, index: tuple[Any, ...]) -> None:
    input[index] = value


@op(input=lambda g, index: set_index(g, 0.0, index), value=lambda g, index: _read(g, index),
    shown="IndexPutBackward0", mutate=_write, explain=broadcast_error)
def set_index(input: Any, value: Any, index: tuple[Any, ...]) -> Any:
    """Return a copy of `input` with `value` written at an index; its in-place form is `x[i] = v`."""
    y = input.copy()
    y[index] = value
    return y


def _read(g: Any, index: tuple[Any, ...]) -> Any:
    basic = all(not isinstance(i, ndarray) for i in index)
    return select_index(g, index) if basic else take_index(g, index)


def parse(index: Any) -> tuple[tuple[Any, ...], bool]:
    """Return a Python index as a tuple of NumPy's kinds, and whether it is basic (makes a view)."""
    items = index if isinstance(index, tuple) else (index,)
    basic, parsed = True, []
    for item in items:
        if type(item) in (int, slice, type(None), type(Ellipsis)):
            parsed.append(item)
            continue
        item = getattr(item, "_data", item)
        if isinstance(item, (list, ndarray, bool, np.bool_)):
            item = np.asarray(item)
            if item.size == 0 and item.dtype.kind == "f":
                item = item.astype(np.int64)  # an empty list
            if item.dtype.kind not in "iub":
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors, "
                                 f"not {item.dtype}")
            if item.ndim == 0 and item.dtype.kind in "iu":
                parsed.append(int(item))
                continue
            parsed.append(item.astype(bool) if item.dtype == np.uint8 else item)
            basic = False
        elif hasattr(item, "__index__"):
            parsed.append(int(item))
        else:
            raise TypeError(f"only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                            f"Variables are valid indices (got {type(item).__name__})")
    return tuple(parsed), basic
