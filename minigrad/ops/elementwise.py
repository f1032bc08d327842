"""The elementwise ops that everything else is made of: arithmetic, exp and log, copies.

The rest of the arithmetic is in `arithmetic.py`, the rest of the functions in `special.py`; where
and bounds are in `choose.py` and can be imported from here, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check
from .._check import broadcast_error
from ..engine import op
from ..kernels import activation
from ..kernels.layout import copied, unset_like
from ._operands import arrays, as_dtype, floating, kind_of, no_bools, pair, tensor_first
from .choose import (
    _where,
    clamp,
    clamp_max,
    clamp_min,
    masked_fill,
    maximum,
    minimum,
    where,
    zero,
)

ndarray = np.ndarray

__all__ = [
    "abs",
    "add",
    "as_dtype",
    "cast",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clone",
    "div",
    "exp",
    "floating",
    "log",
    "masked_fill",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pair",
    "pow",
    "rsub",
    "sgn",
    "sigmoid",
    "sign",
    "sqrt",
    "sub",
    "tanh",
    "where",
    "zero",
]


def _check_alpha(name: str, a: Any, alpha: Any) -> None:
    if isinstance(alpha, float) and a.dtype.kind != "f":
        raise RuntimeError(f"{name}: for integral input tensors, argument alpha must not be a "
                           f"floating point number, got {alpha}; convert the input with .float()")


# ---------------------------------------------------------------------------------- arithmetic
@op(input=lambda g: g, other=lambda g, alpha: g if alpha == 1 else g * alpha,
    explain=broadcast_error)
def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Return `input + alpha * other`, broadcast.

    >>> import minigrad as torch
    >>> torch.add(torch.tensor([1., 2.]), torch.tensor([10., 20.]), alpha=2)
    tensor([21., 42.])
    """
    a, b = pair(input, other)
    if alpha == 1:
        return a + b
    _check_alpha("add", a, alpha)
    return a + b * alpha


@op(input=lambda g: g, other=lambda g, alpha: -g if alpha == 1 else g * -alpha,
    explain=broadcast_error)
def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Return `input - alpha * other`, broadcast; bools are refused.

    >>> import minigrad as torch
    >>> torch.sub(torch.tensor([10, 20]), 1, alpha=2)
    tensor([ 8, 18])
    """
    a, b = pair(input, other)
    if a is not input or b is not other or type(a) is not ndarray or a.dtype.kind == "b":
        _no_bool(input, other)
    return _minus(a, b, alpha)


@op(input=lambda g, alpha: -g if alpha == 1 else g * -alpha, other=lambda g: g,
    shown=lambda other: f"RsubBackward{int(type(other) is not ndarray)}", explain=broadcast_error)
def rsub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Return `other - alpha * input`, broadcast.

    >>> import minigrad as torch
    >>> torch.rsub(torch.tensor([1., 2.]), 10)
    tensor([9., 8.])
    """
    a, b = tensor_first("rsub", input, other)
    if a is not input or b is not other or type(a) is not ndarray or a.dtype.kind == "b":
        _no_bool(input, other)
    return _minus(b, a, alpha)


def _minus(a: Any, b: Any, alpha: float) -> Any:
    if alpha == 1:
        return a - b
    _check_alpha("sub", a if isinstance(a, ndarray) else b, alpha)
    return a - b * alpha


def _no_bool(*operands: Any) -> None:
    for x in operands:
        if type(x) is bool or (isinstance(x, (ndarray, np.generic)) and x.dtype.kind == "b"):
            raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not "
                               "supported. Use the `^` or `logical_xor()` operator for two bool "
                               "tensors, `~` or `logical_not()` to invert a mask.")


@op(input=lambda g, other: g * other, other=lambda g, input: g * input, explain=broadcast_error)
def mul(input: Any, other: Any) -> Any:
    """Return `input * other`, broadcast.

    >>> import minigrad as torch
    >>> torch.mul(torch.tensor([1., 2.]), 3)
    tensor([3., 6.])
    """
    a, b = pair(input, other)
    return a * b


@op(input=lambda g, other, rounding_mode: zero(g) if rounding_mode else g / other,
    other=lambda g, input, other, rounding_mode:
    zero(g) if rounding_mode else -g * (input / other / other),
    shown=lambda rounding_mode: "DivBackward2" if rounding_mode else "DivBackward0",
    explain=broadcast_error)
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Return `input / other`, broadcast; integers give the default floating dtype.

    Args: rounding_mode: None, or 'trunc' (towards zero) or 'floor' (down), whose results keep the
    promoted dtype and whose gradient is zero. Integers divided by zero with rounding raise
    RuntimeError.

    >>> import minigrad as torch
    >>> x = torch.tensor([7, -7])
    >>> torch.div(x, 2), torch.div(x, 2, rounding_mode="trunc")
    (tensor([ 3.5000, -3.5000]), tensor([ 3, -3]))
    """
    a, b = pair(input, other)
    if rounding_mode is None:
        if kind_of(a, b) != "f":
            a, b = floating(np.asarray(a)), floating(np.asarray(b))
        return np.true_divide(a, b)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
                           f"found '{rounding_mode}'")
    return divided(*arrays(a, b), rounding_mode == "floor")


def divided(a: ndarray, b: ndarray, floor: bool) -> Any:
    """Return the quotient of two arrays of one dtype, rounded down or towards zero."""
    dtype = a.dtype
    no_bools("floor_divide", a, b)
    if dtype.kind == "f":
        if floor:
            return _floor_quotient(a, b)
        return np.trunc(np.true_divide(a, b)).astype(dtype, copy=False)
    if not np.all(b):
        raise RuntimeError("ZeroDivisionError: integer division by zero; mask the zeros of the "
                           "divisor, or divide floating tensors")
    if floor:
        return np.floor_divide(a, b).astype(dtype, copy=False)
    q = np.floor_divide(a, b)
    return (q + ((np.remainder(a, b) != 0) & (q < 0))).astype(dtype, copy=False)


def _floor_quotient(a: ndarray, b: ndarray) -> Any:
    """Return floor(a / b), with a / 0 = +-inf or nan where NumPy gives nan."""
    return np.where(b == 0, np.true_divide(a, b), np.floor_divide(a, b))


def _power_input(g: Any, input: Any, exponent: Any) -> Any:
    if isinstance(exponent, (int, float)):
        if exponent == 0:
            return zero(g)
        if exponent == 2:
            return g * (input + input)
        return g * (exponent * input ** (exponent - 1))
    power = input ** (exponent - 1)
    hidden = exponent == 0
    if type(g) is not ndarray:  # the derivative for the exponent is g / input there: not hidden
        hidden = hidden & (power * 0 != 0)  # where 0 times the power would be NaN
    return _where(hidden, 0.0, g * (exponent * power))


def _power_exponent(g: Any, input: Any, exponent: Any, y: Any) -> Any:
    if isinstance(input, (int, float)) and not isinstance(input, np.generic):
        slope = math.log(input) if input > 0 else -math.inf if input == 0 else math.nan
    else:
        slope = log(input)
    flat = input == 0
    return _where((exponent >= 0) & flat, 0.0, g * (y * slope))


def _power_name(input: Any, exponent: Any) -> str:
    if type(input) is not ndarray:
        return "PowBackward2"
    return f"PowBackward{int(type(exponent) is ndarray)}"


@op(input=_power_input, exponent=_power_exponent, shown=_power_name, explain=broadcast_error)
def pow(input: Any, exponent: Any) -> Any:
    """Return `input` to the power of `exponent`, broadcast; either may be a number.

    The gradient with respect to the exponent is 0 where `input` is 0 and the exponent is not
    negative. An integer tensor and a negative integer number raise RuntimeError.

    >>> import minigrad as torch
    >>> torch.pow(torch.tensor([1., 2., 3.]), 2), torch.pow(2, torch.tensor([1., 2.]))
    (tensor([1., 4., 9.]), tensor([2., 4.]))
    """
    a, b = pair(input, exponent)
    if type(b) is not ndarray:
        return a * a * a if b == 3 else a ** b
    if b.dtype.kind == "f" or type(a) is not ndarray:
        return np.power(a, b)
    no_bools("pow", a, b)
    return _integer_power(a, b, type(exponent) is ndarray)


def _integer_power(a: ndarray, b: ndarray, by_tensor: bool) -> Any:
    if b.dtype.kind != "i" or not (b < 0).any():
        return np.power(a, b)
    if not by_tensor:
        raise RuntimeError(f"Integers to negative integer powers are not allowed (exponent "
                           f"{b.item()}); convert the input with .float()")
    inverse = np.where(np.abs(a) == 1, np.power(a, np.abs(b)), 0)  # 1 / a, rounded to zero
    return np.where(b < 0, inverse, np.power(a, np.abs(b))).astype(a.dtype, copy=False)


@op(input=lambda g: -g)
def neg(input: Any) -> Any:
    """Return `-input`; bools are refused.

    >>> import minigrad as torch
    >>> torch.neg(torch.tensor([1., -2.]))
    tensor([-1.,  2.])
    """
    if input.dtype.kind == "b":
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported. If you "
                           "are trying to invert a mask, use the `~` or `logical_not()` operator")
    return np.negative(input)


@op(input=lambda g, input: g * sign(input))
def abs(input: Any) -> Any:
    """Return the absolute value; its derivative at 0 is 0.

    >>> import minigrad as torch
    >>> torch.abs(torch.tensor([-1.5, 2.]))
    tensor([1.5000, 2.0000])
    """
    return np.absolute(input)


@op(input=zero)
def sign(input: Any) -> Any:
    """Return -1, 0 or 1 (0 for nan), with zero gradient.

    >>> import minigrad as torch
    >>> torch.sign(torch.tensor([-3., 0., 2.]))
    tensor([-1.,  0.,  1.])
    """
    if input.dtype.kind != "f":
        return input.copy() if input.dtype.kind == "b" else np.sign(input)
    return np.where(np.isnan(input), np.zeros_like(input), np.sign(input))


@op(input=zero)
def sgn(input: Any) -> Any:
    """Return the sign of each element, as `sign` (they differ for complex numbers only)."""
    return sign.op.forward(input)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------ exp, log, roots
@op(input=lambda g, y: g * y)
def exp(input: Any) -> Any:
    """Return e to the power of each element.

    >>> import minigrad as torch
    >>> torch.exp(torch.tensor([0., 1.]))
    tensor([1.0000, 2.7183])
    """
    return np.exp(floating(input))


@op(input=lambda g, input: g / input)
def log(input: Any) -> Any:
    """Return the natural logarithm; -inf at 0 and nan below.

    >>> import minigrad as torch
    >>> torch.log(torch.tensor([1., 10., 0.]))
    tensor([0.0000, 2.3026,   -inf])
    """
    return np.log(floating(input))


@op(input=lambda g, y: g / (2 * y))
def sqrt(input: Any) -> Any:
    """Return the square root; its derivative at 0 is inf.

    >>> import minigrad as torch
    >>> torch.sqrt(torch.tensor([4., 2., -1.]))
    tensor([2.0000, 1.4142,    nan])
    """
    return np.sqrt(floating(input))


@op(input=lambda g, y: g * (1 - y * y))
def tanh(input: Any) -> Any:
    """Return the hyperbolic tangent.

    >>> import minigrad as torch
    >>> torch.tanh(torch.tensor([0., 1.]))
    tensor([0.0000, 0.7616])
    """
    return np.tanh(floating(input))


@op(input=lambda g, y: activation.sigmoid_backward(g, y) if type(g) is ndarray
    else g * ((1 - y) * y))
def sigmoid(input: Any) -> Any:
    """Return 1 / (1 + exp(-input)).

    >>> import minigrad as torch
    >>> torch.sigmoid(torch.tensor([0., 2.]))
    tensor([0.5000, 0.8808])
    """
    return activation.sigmoid(floating(input))


# --------------------------------------------------------------------------------------- copies
@op(input=lambda g: g)
def clone(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy with the same values, dtype and place in the graph.

    It keeps its strides unless a `memory_format` is asked for, such as torch.contiguous_format.
    """
    asked = _check.asked_format(memory_format)
    if asked is not None:
        return copied(input, asked)
    if 0 not in input.strides:
        return input.copy(order="K")
    out = unset_like(input, input.dtype)
    out[...] = input
    return out


@op(input=lambda g: g, shown="ToCopyBackward0")
def cast(input: Any, dtype: np.dtype[Any]) -> Any:
    """Return a copy in another NumPy dtype (the engine casts the gradient back)."""
    if 0 not in input.strides:
        return input.astype(dtype)
    out = unset_like(input, dtype)
    np.copyto(out, input, casting="unsafe")
    return out
