"""The parts of floating point numbers, and what complex numbers would have more than real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from .._check import broadcast_error, takes
from .._dtype import dtype_of
from ..engine import op, wrap
from ._operands import floating, tensors, with_out
from .choose import _where as where
from .convert import fill


@op(input=lambda g, exponent: g * _power_of_two(exponent), also="exponent")
def _frexp(input: Any) -> Any:
    if input.dtype.kind != "f":
        raise RuntimeError(f"torch.frexp() only supports floating-point dtypes, got "
                           f"{dtype_of(input)}; convert with .float()")
    mantissa, exponent = np.frexp(input)
    return mantissa, np.where(np.isfinite(input), exponent, 0).astype(np.int32)


@op(exponent=None)
def _power_of_two(exponent: Any) -> Any:
    """Return 2^-exponent."""
    return np.ldexp(np.float32(1), -exponent)


@with_out
def frexp(input: Any) -> Any:
    """Return mantissas in [0.5, 1) and whole exponents: input = mantissa * 2^exponent.

    >>> import minigrad as torch
    >>> torch.frexp(torch.tensor([3., -8.]))
    torch.return_types.frexp(
    mantissa=tensor([ 0.7500, -0.5000]),
    exponent=tensor([2, 4], dtype=torch.int32))
    """
    return return_types.frexp(_frexp(input))


@with_out
def ldexp(input: Any, other: Any) -> Any:
    """Return input * 2^other, the inverse of `frexp`.

    >>> import minigrad as torch
    >>> torch.ldexp(torch.tensor([1.]), torch.tensor([1, 2]))
    tensor([2., 4.])
    """
    for name, x in (("input", input), ("other", other)):
        if not hasattr(x, "_data"):
            raise TypeError(f"ldexp(): argument '{name}' must be Tensor, not {type(x).__name__}; "
                            f"make it one with tensor(...)")
    if other.dtype.is_floating_point or not input.dtype.is_floating_point:
        return input * 2.0 ** other
    if other._data.dtype.kind == "b":
        raise NotImplementedError("ldexp is not implemented for torch.bool; convert with .int()")
    return input * 2.0 ** other.to(input.dtype)


@op(input=lambda g, input, other: where(input == other, 0.0, g),
    other=lambda g: fill(g, 0.0), explain=broadcast_error)
def nextafter(input: Any, other: Any) -> Any:
    """Return the next floating point number after `input` towards `other`.

    >>> import minigrad as torch
    >>> torch.nextafter(torch.tensor([1.]), torch.tensor([2.])) - 1
    tensor([1.1921e-07])
    """
    a, b = tensors("nextafter", input, other)
    if a.dtype.kind != "f":
        raise NotImplementedError(f"nextafter is not implemented for {dtype_of(a)}; convert with "
                                  f".float()")
    return np.nextafter(a, b)


@op(input=lambda g: fill(g, 0.0))
def angle(input: Any) -> Any:
    """Return 0 for elements >= 0 and pi for negative ones, as for complex numbers; nan stays.

    >>> import minigrad as torch
    >>> torch.angle(torch.tensor([-1., 2.]))
    tensor([3.1416, 0.0000])
    """
    x = floating(input)
    return np.where(np.isnan(x), x, np.where(x < 0, math.pi, 0)).astype(x.dtype)


def real(input: Any) -> Any:
    """Return the input: minigrad's tensors are real."""
    return input


def imag(input: Any) -> Any:
    """Refuse: only complex tensors have an imaginary part."""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


@takes("input")
def isreal(input: Any) -> Any:
    """Return True for every element: minigrad's tensors are real."""
    return wrap(np.ones(input.shape, bool), None)
