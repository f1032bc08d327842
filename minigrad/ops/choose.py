"""Choosing elementwise between values: where, masks, bounds, the larger of two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _dtype
from .._check import broadcast_error, tensor
from ..engine import op, wrap
from ..kernels.select import drop, fill, keep
from ._operands import as_dtype, pair, rows, tensor_first, tensors

ndarray = np.ndarray


def _zeroes(number: Any, x: Any) -> bool:
    """Tell whether a choice is between floating values and +0.0, as in most derivative rules."""
    return (type(number) is float and number == 0.0 and math.copysign(1.0, number) > 0
            and type(x) is ndarray and x.dtype.kind == "f")


@op(condition=None, input=lambda g, condition: _where(condition, g, 0.0),
    other=lambda g, condition: _where(condition, 0.0, g), explain=broadcast_error)
def _where(condition: Any, input: Any, other: Any) -> Any:
    if type(condition) is ndarray and condition.dtype.kind != "b":
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor "
                           f"with dtype {_dtype.dtype_of(condition)}; compare it with 0 first")
    if type(condition) is ndarray:
        if _zeroes(other, input):
            return keep(input, condition)
        if _zeroes(input, other):
            return drop(other, condition)
    return np.where(condition, *pair(input, other))


def zero(g: Any) -> Any:
    """Return zeros of g's shape: the gradient of functions that are flat almost everywhere."""
    return _where(False, g, 0.0)


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """Return `input` where `condition` holds and `other` elsewhere, broadcast.

    With `condition` alone: the indices of its true elements, one int64 tensor per dimension.

    >>> import minigrad as torch
    >>> x = torch.tensor([-1., 2.])
    >>> torch.where(x > 0, x, 0.1 * x), torch.where(x > 0)
    (tensor([-0.1000,  2.0000]), (tensor([1]),))
    """
    if input is None and other is None:
        found = np.nonzero(tensor(condition, "where", "condition")._data)
        return tuple(wrap(i, None) for i in found)
    to = {} if out is None else {"out": out}
    return _where(condition, input, other, **to)


def _fill_where(input: ndarray, mask: Any, value: Any) -> None:
    np.copyto(input, value, casting="unsafe", where=mask)


def _not_filled(g: Any, mask: Any) -> Any:
    return drop(g, mask) if type(g) is ndarray is type(mask) else _where(mask, 0.0, g)


@op(input=_not_filled, mask=None, value=lambda g, mask: _where(mask, g, 0.0),
    shown=lambda value: f"MaskedFillBackward{int(type(value) is ndarray)}",
    mutate=_fill_where, explain=broadcast_error)
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """Return a copy with `value` (a number or a 0-d tensor) where the bool tensor `mask` is true.

    >>> import minigrad as torch
    >>> x = torch.tensor([1., -2., 3.])
    >>> torch.masked_fill(x, x < 0, 0)
    tensor([1., 0., 3.])
    """
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_fill only supports boolean masks, but got mask with dtype "
                           f"{_dtype.dtype_of(mask)}; compare it with 0 first")
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"masked_fill only supports a 0-dimensional value tensor, but got "
                           f"{value.ndim} dimension(s); use where for several values")
    value = as_dtype(value, input.dtype)
    return rows(fill(input, mask, value) if input.dtype.kind == "f" else
                np.where(mask, value, input))


# --------------------------------------------------------------------------------------- bounds
def _clamp_input(g: Any, input: Any, min: Any, max: Any) -> Any:
    if min is None:
        return _where(input <= max, g, 0.0)
    if max is None:
        return _where(input >= min, g, 0.0)
    return _where((input >= min) & (input <= max), g, 0.0)


def _clamp_max(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = input > max
    return _where(above if min is None else above | (max < min), g, 0.0)


@op(input=_clamp_input,
    min=lambda g, input, min, max: _where((input < min) if max is None else (input < min)
                                          & (min < max), g, 0.0),
    max=_clamp_max,
    shown=lambda min, max: f"ClampBackward{int(ndarray not in (type(min), type(max)))}",
    explain=broadcast_error)
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """Return min(max(input, min), max): each element moved into the interval.

    The bounds are numbers or tensors; either may be None. The gradient goes to the input at the
    bounds, too, and outside of them to the bound that was taken.

    >>> import minigrad as torch
    >>> torch.clamp(torch.tensor([-2., 0.5, 3.]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    y = input
    if min is not None:
        y = np.maximum(*pair(y, min))
    return y if max is None else np.minimum(*pair(y, max))


@op(input=lambda g, input, min: _where(input >= min, g, 0.0),
    min=lambda g, input, min: _where(input < min, g, 0.0),
    shown=lambda min: f"ClampMinBackward{int(type(min) is ndarray)}", explain=broadcast_error)
def clamp_min(input: Any, min: Any) -> Any:
    """Return the larger one of `input` and `min`, a number or tensor; see `clamp`."""
    return np.maximum(*tensor_first("clamp_min", input, min))


@op(input=lambda g, input, max: _where(input <= max, g, 0.0),
    max=lambda g, input, max: _where(input > max, g, 0.0),
    shown=lambda max: f"ClampMaxBackward{int(type(max) is ndarray)}", explain=broadcast_error)
def clamp_max(input: Any, max: Any) -> Any:
    """Return the smaller one of `input` and `max`, a number or tensor; see `clamp`."""
    return np.minimum(*tensor_first("clamp_max", input, max))


def _winner(g: Any, loses: Any, ties: Any) -> Any:
    """Return the gradient of the larger (smaller) operand; equal ones get one half each."""
    return _where(loses, 0.0, _where(ties, g / 2, g))


@op(input=lambda g, input, other: _winner(g, input < other, input == other),
    other=lambda g, input, other: _winner(g, other < input, input == other),
    explain=broadcast_error)
def maximum(input: Any, other: Any) -> Any:
    """Return the larger one of two elements, broadcast; nan wins, ties share the gradient.

    >>> import minigrad as torch
    >>> torch.maximum(torch.tensor([1., 5.]), torch.tensor([3., 2.]))
    tensor([3., 5.])
    """
    return np.maximum(*tensors("maximum", input, other))


@op(input=lambda g, input, other: _winner(g, input > other, input == other),
    other=lambda g, input, other: _winner(g, other > input, input == other),
    explain=broadcast_error)
def minimum(input: Any, other: Any) -> Any:
    """Return the smaller one of two elements, broadcast; see `maximum`."""
    return np.minimum(*tensors("minimum", input, other))
