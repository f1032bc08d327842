"""Arithmetic of two operands, and elementwise maths of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtype
from .._check import broadcast_error
from ..engine import op

ndarray = np.ndarray
NUMBER = (int, float)


def pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Return two operands (arrays or numbers) ready for a NumPy call with PyTorch's result type."""
    if type(a) is ndarray and type(b) is ndarray:
        if a.dtype is b.dtype:
            return a, b
    elif type(b) is float or (type(b) is int and -128 <= b < 128 and a.dtype.kind != "b"):
        if a.dtype.kind == "f":
            return a, b
    dtype = _dtype.promote(a, b)
    return _cast(a, dtype), _cast(b, dtype)


def _cast(a: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(a, (ndarray, np.generic)):
        return a.astype(dtype, copy=False)
    if dtype.kind in "iu":  # an int that does not fit wraps around, as in C
        return np.array(a, np.int64).astype(dtype)
    return np.array(a, dtype)


def floating(a: Any) -> Any:
    """Return an array in a floating dtype: integers and bools take the default dtype."""
    return a if a.dtype.kind == "f" else a.astype(_dtype.get_default_dtype().numpy)


@op(input=lambda g: g, other=lambda g, alpha: g if alpha == 1 else g * alpha,
    explain=broadcast_error)
def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Return `input + alpha * other`, broadcast.

    >>> import minigrad as torch
    >>> torch.add(torch.tensor([1., 2.]), torch.tensor([10., 20.]), alpha=2)
    tensor([21., 42.])
    """
    a, b = pair(input, other)
    return a + b if alpha == 1 else a + b * alpha


@op(input=lambda g: g, other=lambda g, alpha: -g if alpha == 1 else g * -alpha,
    explain=broadcast_error)
def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Return `input - alpha * other`, broadcast."""
    a, b = pair(input, other)
    return a - b if alpha == 1 else a - b * alpha


@op(input=lambda g, other: g * other, other=lambda g, input: g * input, explain=broadcast_error)
def mul(input: Any, other: Any) -> Any:
    """Return `input * other`, broadcast."""
    a, b = pair(input, other)
    return a * b


@op(input=lambda g, other: g / other, other=lambda g, input, other: -g * (input / other / other),
    shown="DivBackward0", explain=broadcast_error)
def true_div(input: Any, other: Any) -> Any:
    """Return `input / other`, broadcast; integers give the default floating dtype."""
    a, b = pair(input, other)
    if getattr(a, "dtype", b).kind != "f":
        a, b = floating(np.asarray(a)), floating(np.asarray(b))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.true_divide(a, b)


@op(input=lambda g: -g)
def neg(input: Any) -> Any:
    """Return `-input`."""
    if input.dtype.kind == "b":
        raise RuntimeError("neg: a bool tensor has no negative; use ~input or logical_not(input)")
    return np.negative(input)


@op(input=lambda g, y: g * y)
def exp(input: Any) -> Any:
    """Return e to the power of each element."""
    with np.errstate(over="ignore"):
        return np.exp(floating(input))


@op(input=lambda g, input: g / input)
def log(input: Any) -> Any:
    """Return the natural logarithm; -inf at 0 and nan below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(floating(input))


@op(input=lambda g, y: g * (1 - y * y))
def tanh(input: Any) -> Any:
    """Return the hyperbolic tangent."""
    return np.tanh(floating(input))


@op(input=lambda g: g)
def clone(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy with the same values, dtype and place in the graph."""
    return input.copy(order="K")


@op(input=lambda g: g, shown="ToCopyBackward0")
def cast(input: Any, dtype: np.dtype[Any]) -> Any:
    """Return a copy in another NumPy dtype (the engine casts the gradient back)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return input.astype(dtype)
