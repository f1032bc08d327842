"""Bits, truth values, whole numbers: and, or, xor, not, shifts, gcd, lcm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _dtype
from .._check import broadcast_error
from ..engine import op
from ._operands import kind_of, no_bools, pair, tensors

ndarray = np.ndarray


def _bits(function: Callable[..., Any], name: str, input: Any, other: Any) -> Any:
    """Run a NumPy function on the bits of two operands; floating ones are refused."""
    a, b = pair(input, other)
    if kind_of(a, b) == "f":
        raise NotImplementedError(f"{name} is not implemented for floating operands; it needs "
                                  f"integers or bools, convert with .long() or .bool()")
    return function(a, b)


@op(input=None, other=None, explain=broadcast_error)
def bitwise_and(input: Any, other: Any) -> Any:
    """Return `input & other` of integers or bools, broadcast.

    >>> import minigrad as torch
    >>> torch.bitwise_and(torch.tensor([6, 5]), 3)
    tensor([2, 1])
    """
    return _bits(np.bitwise_and, "bitwise_and", input, other)


@op(input=None, other=None, explain=broadcast_error)
def bitwise_or(input: Any, other: Any) -> Any:
    """Return `input | other` of integers or bools, broadcast.

    >>> import minigrad as torch
    >>> torch.bitwise_or(torch.tensor([6, 5]), 3)
    tensor([7, 7])
    """
    return _bits(np.bitwise_or, "bitwise_or", input, other)


@op(input=None, other=None, explain=broadcast_error)
def bitwise_xor(input: Any, other: Any) -> Any:
    """Return `input ^ other` of integers or bools, broadcast.

    >>> import minigrad as torch
    >>> torch.bitwise_xor(torch.tensor([6, 5]), 3)
    tensor([5, 6])
    """
    return _bits(np.bitwise_xor, "bitwise_xor", input, other)


@op(input=None)
def bitwise_not(input: Any) -> Any:
    """Return `~input` of integers or bools.

    >>> import minigrad as torch
    >>> torch.bitwise_not(torch.tensor([True, False])), torch.bitwise_not(torch.tensor([5]))
    (tensor([False,  True]), tensor([-6]))
    """
    if input.dtype.kind == "f":
        raise NotImplementedError(f"bitwise_not is not implemented for {_dtype.dtype_of(input)}; "
                                  f"it needs integers or bools, convert with .bool()")
    return np.invert(input)


@op(input=None, other=None, explain=broadcast_error)
def bitwise_left_shift(input: Any, other: Any) -> Any:
    """Return `input << other` of integers, broadcast.

    >>> import minigrad as torch
    >>> torch.bitwise_left_shift(torch.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """
    no_bools("bitwise_left_shift", *pair(input, other))
    return _bits(np.left_shift, "bitwise_left_shift", input, other)


@op(input=None, other=None, explain=broadcast_error)
def bitwise_right_shift(input: Any, other: Any) -> Any:
    """Return `input >> other` of integers, broadcast; the sign is kept."""
    no_bools("bitwise_right_shift", *pair(input, other))
    return _bits(np.right_shift, "bitwise_right_shift", input, other)


@op(input=None, other=None, explain=broadcast_error)
def logical_and(input: Any, other: Any) -> Any:
    """Return whether both elements are not zero, broadcast, as a bool tensor.

    >>> import minigrad as torch
    >>> torch.logical_and(torch.tensor([2., 0.]), torch.tensor([1, 1]))
    tensor([ True, False])
    """
    return np.logical_and(*tensors("logical_and", input, other))


@op(input=None, other=None, explain=broadcast_error)
def logical_or(input: Any, other: Any) -> Any:
    """Return whether one of two elements is not zero, broadcast, as a bool tensor."""
    return np.logical_or(*tensors("logical_or", input, other))


@op(input=None, other=None, explain=broadcast_error)
def logical_xor(input: Any, other: Any) -> Any:
    """Return whether exactly one of two elements is not zero, broadcast, as a bool tensor."""
    return np.logical_xor(*tensors("logical_xor", input, other))


@op(input=None)
def logical_not(input: Any) -> Any:
    """Return whether elements are zero, as a bool tensor.

    >>> import minigrad as torch
    >>> torch.logical_not(torch.tensor([0., 2.]))
    tensor([ True, False])
    """
    return np.logical_not(input)


@op(input=None, other=None, explain=broadcast_error)
def gcd(input: Any, other: Any) -> Any:
    """Return the greatest common divisor of integers, broadcast.

    >>> import minigrad as torch
    >>> torch.gcd(torch.tensor([4, 6]), torch.tensor([6, 9]))
    tensor([2, 3])
    """
    tensors("gcd", input, other)
    return _bits(np.gcd, "gcd", input, other)


@op(input=None, other=None, explain=broadcast_error)
def lcm(input: Any, other: Any) -> Any:
    """Return the least common multiple of integers, broadcast.

    >>> import minigrad as torch
    >>> torch.lcm(torch.tensor([4, 6]), torch.tensor([6, 9]))
    tensor([12, 18])
    """
    tensors("lcm", input, other)
    return _bits(np.lcm, "lcm", input, other)
