"""The rest of the arithmetic: quotients, remainders, powers, rounding, fused multiply-adds."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _dtype
from .._check import broadcast_error
from ..engine import op
from ._operands import (
    arrays,
    as_dtype,
    floating,
    kind_of,
    no_bools,
    pair,
    tensor_first,
    tensors,
    underived,
    with_out,
)
from .compare import isfinite, isnan
from .elementwise import _where, cast, div, divided, pow, sign, zero

ndarray = np.ndarray


# ----------------------------------------------------------------------- quotients, remainders
def true_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return `input / other`; an older name of `div` without rounding."""
    to: Any = {} if out is None else {"out": out}
    return div(input, other, **to)


@op(input=underived("floor_divide"), other=underived("floor_divide"),
    shown="torch::autograd::NotImplemented", explain=broadcast_error)
def floor_divide(input: Any, other: Any) -> Any:
    """Return the quotient rounded down, as `input // other`; not differentiable (see `div`).

    >>> import minigrad as torch
    >>> torch.floor_divide(torch.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    return divided(*arrays(input, other), True)


def _remains(function: Any, input: Any, other: Any) -> Any:
    a, b = pair(input, other)
    no_bools(function.__name__, a, b)
    if kind_of(a, b) != "f" and not np.all(b):
        raise RuntimeError("ZeroDivisionError: integer remainder of a division by zero; mask the "
                           "zeros of the divisor, or use floating tensors")
    return function(a, b)


@op(input=lambda g: g,
    other=lambda g, input, other: -g * div(input, other, rounding_mode="floor"),
    shown=lambda other: f"RemainderBackward{int(type(other) is ndarray)}", explain=broadcast_error)
def remainder(input: Any, other: Any) -> Any:
    """Return `input % other`, which has the sign of `other`, broadcast.

    >>> import minigrad as torch
    >>> torch.remainder(torch.tensor([5., -5.]), 3)
    tensor([2., 1.])
    """
    y = _remains(np.remainder, input, other)
    if y.dtype.kind == "f" and not y.all():  # C's zeros have the sign of the dividend
        y = np.where(y == 0, np.copysign(y, as_dtype(input, y.dtype)), y)
    return y


@op(input=lambda g: g,
    other=lambda g, input, other: -g * div(input, other, rounding_mode="trunc"),
    shown=lambda other: f"FmodBackward{int(type(other) is ndarray)}", explain=broadcast_error)
def fmod(input: Any, other: Any) -> Any:
    """Return the remainder that has the sign of `input` (C's fmod), broadcast.

    >>> import minigrad as torch
    >>> torch.fmod(torch.tensor([5., -5.]), 3)
    tensor([ 2., -2.])
    """
    return _remains(np.fmod, *tensor_first("fmod", input, other))


# --------------------------------------------------------------------------------------- powers
@op(input=lambda g, input: g * (input + input), shown="PowBackward0")
def square(input: Any) -> Any:
    """Return `input * input`.

    >>> import minigrad as torch
    >>> torch.square(torch.tensor([-3., 2.]))
    tensor([9., 4.])
    """
    return np.square(input.astype(np.int64) if input.dtype.kind == "b" else input)


@op(input=lambda g, y: -g * (y * y))
def reciprocal(input: Any) -> Any:
    """Return `1 / input`.

    >>> import minigrad as torch
    >>> torch.reciprocal(torch.tensor([2., 4.]))
    tensor([0.5000, 0.2500])
    """
    return np.reciprocal(floating(input))


@with_out
@_check.takes()
def float_power(input: Any, exponent: Any) -> Any:
    """Return `input` to the power of `exponent`, computed in float64.

    >>> import minigrad as torch
    >>> torch.float_power(torch.tensor([1, 2]), -1)
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    double = np.dtype(np.float64)
    wide = [float(v) if isinstance(v, (int, float)) else
            v if v._data.dtype == double else cast(v, double) for v in (input, exponent)]
    return pow(*wide)


@_check.takes("input")
def positive(input: Any) -> Any:
    """Return the tensor itself, as `+input`; bools are refused."""
    if input._data.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported; convert it with "
                           ".int() first")
    return input


# ------------------------------------------------------------------------------------- rounding
@op(input=zero)
def floor(input: Any) -> Any:
    """Return the largest whole number not above each element, with zero gradient.

    >>> import minigrad as torch
    >>> torch.floor(torch.tensor([1.7, -1.2]))
    tensor([ 1., -2.])
    """
    return np.floor(input) if input.dtype.kind == "f" else input.copy()


@op(input=zero)
def ceil(input: Any) -> Any:
    """Return the smallest whole number not below each element, with zero gradient."""
    return np.ceil(input) if input.dtype.kind == "f" else input.copy()


@op(input=zero)
def trunc(input: Any) -> Any:
    """Return each element without its fraction (towards zero), with zero gradient."""
    return np.trunc(input) if input.dtype.kind == "f" else input.copy()


fix = trunc


@op(input=zero, shown=lambda decimals: f"RoundBackward{int(decimals != 0)}")
def round(input: Any, *, decimals: int = 0) -> Any:
    """Return the nearest number with that many decimals (halves go to the even one).

    >>> import minigrad as torch
    >>> torch.round(torch.tensor([0.5, 1.5, 2.6])), torch.round(torch.tensor([1.26]), decimals=1)
    (tensor([0., 2., 3.]), tensor([1.3000]))
    """
    if input.dtype.kind != "f":
        if decimals:
            raise RuntimeError(f"round: decimals is for floating tensors, got {decimals} for "
                               f"{_dtype.dtype_of(input)}")
        return input.copy()
    return np.round(input, decimals)


@op(input=lambda g: g)
def frac(input: Any) -> Any:
    """Return the fraction of each element, with its sign.

    >>> import minigrad as torch
    >>> torch.frac(torch.tensor([1.5, -2.25]))
    tensor([ 0.5000, -0.2500])
    """
    if input.dtype.kind != "f":
        raise NotImplementedError(f"frac is not implemented for {_dtype.dtype_of(input)}; integers "
                                  f"have no fraction")
    return input - np.trunc(input)


# ---------------------------------------------------------------------- extremes, special values
@op(input=lambda g, input, other: _where((input >= other) | isnan(other), g, 0.0),
    other=lambda g, input, other: _where((input >= other) | isnan(other), 0.0, g),
    explain=broadcast_error)
def fmax(input: Any, other: Any) -> Any:
    """Return the larger one of two elements, broadcast; unlike `maximum`, numbers win over nan."""
    return np.fmax(*tensors("fmax", input, other))


@op(input=lambda g, input, other: _where((input <= other) | isnan(other), g, 0.0),
    other=lambda g, input, other: _where((input <= other) | isnan(other), 0.0, g),
    explain=broadcast_error)
def fmin(input: Any, other: Any) -> Any:
    """Return the smaller one of two elements, broadcast; unlike `minimum`, numbers win over nan."""
    return np.fmin(*tensors("fmin", input, other))


@op(input=lambda g, input: _where(isfinite(input), g, 0.0))
def nan_to_num(input: Any, nan: float | None = None, posinf: float | None = None,
               neginf: float | None = None) -> Any:
    """Replace nan (default: by 0) and infinities (default: by the largest finite numbers).

    >>> import minigrad as torch
    >>> torch.nan_to_num(torch.tensor([1., float("nan"), float("inf")]), posinf=9.)
    tensor([1., 0., 9.])
    """
    if input.dtype.kind != "f":
        return input.copy()
    return np.nan_to_num(input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


@op(input=underived("heaviside"), values=underived("heaviside"),
    shown="torch::autograd::NotImplemented", explain=broadcast_error)
def heaviside(input: Any, values: Any) -> Any:
    """Return 0 below zero, 1 above, and `values` at zero; both need the same dtype."""
    tensors("heaviside", input, values, "values")
    if input.dtype != values.dtype:
        raise RuntimeError(f"heaviside is not yet implemented for tensors with different dtypes: "
                           f"{_dtype.dtype_of(input)} and {_dtype.dtype_of(values)}")
    return np.where(input == 0, values, input > 0).astype(input.dtype, copy=False)


@op(input=lambda g, input, y: g * (sign(y) * sign(input)), other=zero,
    shown=lambda other: f"CopysignBackward{int(type(other) is not ndarray)}",
    explain=broadcast_error)
def copysign(input: Any, other: Any) -> Any:
    """Return the size of `input` with the sign of `other`, broadcast."""
    a, b = tensor_first("copysign", input, other)
    if kind_of(a, b) != "f":
        a, b = floating(np.asarray(a)), floating(np.asarray(b))
    return np.copysign(a, b)


# --------------------------------------------------------------------------- three and more terms
def _lerp_name(weight: Any) -> str:
    return f"LerpBackward{int(type(weight) is ndarray)}"


@op(input=lambda g, weight: g * (1 - weight), end=lambda g, weight: g * weight,
    weight=lambda g, input, end: g * (end - input), shown=_lerp_name, explain=broadcast_error)
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """Return `input + weight * (end - input)`, broadcast; the weight is a number or a tensor.

    >>> import minigrad as torch
    >>> torch.lerp(torch.tensor([0., 10.]), torch.tensor([4., 20.]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    for name, value in (("end", end), ("weight", weight)):
        if getattr(value, "dtype", input.dtype) != input.dtype:
            raise RuntimeError(f"lerp: expected dtype {_dtype.dtype_of(input)} for `{name}` but "
                               f"got dtype {_dtype.dtype_of(value)}; convert it with .to()")
    d = end - input
    if type(weight) is not ndarray:  # from the nearer end, so that weight 1 gives the end exactly
        return input + weight * d if weight < 0.5 else end - d * (1 - weight)
    return np.where(np.absolute(weight) < 0.5, input + weight * d, end - d * (1 - weight))


def _scaled(a: Any, value: float) -> Any:
    return a if value == 1 else a * value


@op(input=lambda g: g, tensor1=lambda g, tensor2, value: _scaled(g * tensor2, value),
    tensor2=lambda g, tensor1, value: _scaled(g * tensor1, value), explain=broadcast_error)
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """Return `input + value * tensor1 * tensor2`, broadcast.

    >>> import minigrad as torch
    >>> torch.addcmul(torch.tensor([1.]), torch.tensor([2.]), torch.tensor([3.]), value=10)
    tensor([61.])
    """
    a, b = pair(tensor1, tensor2)
    if isinstance(value, float) and input.dtype.kind != "f":
        raise RuntimeError(f"addcmul: value must not be a floating point number for integer "
                           f"tensors, got {value}")
    x, y = pair(input, _scaled(a * b, value))
    return x + y


@op(input=lambda g: g, tensor1=lambda g, tensor2, value: _scaled(g / tensor2, value),
    tensor2=lambda g, tensor1, tensor2, value: -g * _scaled(tensor1 / tensor2 / tensor2, value),
    explain=broadcast_error)
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """Return `input + value * tensor1 / tensor2`, broadcast; integers are refused.

    >>> import minigrad as torch
    >>> torch.addcdiv(torch.tensor([1.]), torch.tensor([6.]), torch.tensor([3.]), value=10)
    tensor([21.])
    """
    a, b = pair(tensor1, tensor2)
    if a.dtype.kind != "f":
        raise RuntimeError("Integer division with addcdiv is no longer supported; convert the "
                           "tensors with .float() first")
    x, y = pair(input, _scaled(a / b, value))
    return x + y
