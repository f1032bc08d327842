"""Comparisons: elementwise ones, tests for special values, equality of whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtype, engine
from .._check import broadcast_error, no_truth, tensor
from ..engine import op
from ._operands import pair, tensor_first, tensors

ndarray = np.ndarray


@op(input=None, other=None, explain=broadcast_error)
def eq(input: Any, other: Any) -> Any:
    """Return whether elements are equal, broadcast, as a bool tensor (nan equals nothing).

    >>> import minigrad as torch
    >>> torch.eq(torch.tensor([1, 2]), torch.tensor([1, 3]))
    tensor([ True, False])
    """
    return np.equal(*tensor_first("eq", input, other))


@op(input=None, other=None, explain=broadcast_error)
def ne(input: Any, other: Any) -> Any:
    """Return whether elements differ, broadcast, as a bool tensor."""
    return np.not_equal(*tensor_first("ne", input, other))


@op(input=None, other=None, explain=broadcast_error)
def lt(input: Any, other: Any) -> Any:
    """Return `input < other`, broadcast, as a bool tensor."""
    return np.less(*tensor_first("lt", input, other))


@op(input=None, other=None, explain=broadcast_error)
def le(input: Any, other: Any) -> Any:
    """Return `input <= other`, broadcast, as a bool tensor."""
    return np.less_equal(*tensor_first("le", input, other))


@op(input=None, other=None, explain=broadcast_error)
def gt(input: Any, other: Any) -> Any:
    """Return `input > other`, broadcast, as a bool tensor.

    >>> import minigrad as torch
    >>> torch.gt(torch.tensor([1., 2., 3.]), 2)
    tensor([False, False,  True])
    """
    return np.greater(*tensor_first("gt", input, other))


@op(input=None, other=None, explain=broadcast_error)
def ge(input: Any, other: Any) -> Any:
    """Return `input >= other`, broadcast, as a bool tensor."""
    return np.greater_equal(*tensor_first("ge", input, other))


not_equal = ne
less, less_equal = lt, le
greater, greater_equal = gt, ge


@op(input=None)
def isnan(input: Any) -> Any:
    """Return whether elements are nan.

    >>> import minigrad as torch
    >>> torch.isnan(torch.tensor([1., float("nan")]))
    tensor([False,  True])
    """
    return np.isnan(input) if input.dtype.kind == "f" else np.zeros(input.shape, np.bool_)


@op(input=None)
def isinf(input: Any) -> Any:
    """Return whether elements are inf or -inf."""
    return np.isinf(input) if input.dtype.kind == "f" else np.zeros(input.shape, np.bool_)


@op(input=None)
def isposinf(input: Any) -> Any:
    """Return whether elements are inf."""
    return input == np.inf


@op(input=None)
def isneginf(input: Any) -> Any:
    """Return whether elements are -inf."""
    return input == -np.inf


@op(input=None)
def isfinite(input: Any) -> Any:
    """Return whether elements are neither nan nor infinite."""
    return np.isfinite(input) if input.dtype.kind == "f" else np.ones(input.shape, np.bool_)


@op(input=None)
def signbit(input: Any) -> Any:
    """Return whether the sign bit is set (-0.0 included)."""
    return np.signbit(input) if input.dtype.kind == "f" else input < 0


def _same_dtype(name: str, a: ndarray, b: ndarray) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(f"{name}: {_dtype.dtype_of(a)} did not match {_dtype.dtype_of(b)}; "
                           f"convert one of the tensors with .to()")


@op(input=None, other=None, explain=broadcast_error)
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Any:
    """Return whether |input - other| <= atol + rtol * |other|, elementwise.

    Equal infinities are close; nans only with `equal_nan=True`. Both need the same dtype.

    >>> import minigrad as torch
    >>> torch.isclose(torch.tensor([1., 2.]), torch.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    tensors("isclose", input, other)
    _same_dtype("isclose", input, other)
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must be at least 0, got {rtol} and {atol}")
    close = input == other
    if input.dtype.kind == "f" and equal_nan:
        close = close | (np.isnan(input) & np.isnan(other))
    if rtol == 0 and atol == 0:
        return close
    a, b = (x if x.dtype.kind == "f" else x.astype(np.float64) for x in (input, other))
    distance = np.absolute(a - b)
    return close | (np.isfinite(distance) & (distance <= atol + np.absolute(rtol * b)))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
             equal_nan: bool = False) -> bool:
    """Return True if all elements are close; see `isclose`.

    >>> import minigrad as torch
    >>> torch.allclose(torch.tensor([1., 2.]), torch.tensor([1., 2.0001]))
    False
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


def equal(input: Any, other: Any) -> bool:
    """Return True if two tensors have the same shape and the same elements.

    >>> import minigrad as torch
    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    for name, value in (("input", input), ("other", other)):
        if not isinstance(value, engine.Tensor):
            raise TypeError(f"equal(): argument '{name}' must be Tensor, not "
                            f"{type(value).__name__}; convert it with minigrad.as_tensor")
    same_shape = input._data.shape == other._data.shape
    return same_shape and bool(np.all(np.equal(*pair(input._data, other._data))))


def is_nonzero(input: Any) -> bool:
    """Return whether the only element of a tensor is not zero.

    >>> import minigrad as torch
    >>> torch.is_nonzero(torch.tensor([0.]))
    False
    """
    if tensor(input, "is_nonzero")._data.size != 1:
        raise no_truth(input._data)
    return bool(input)


@op(elements=None, test_elements=None)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False,
         invert: bool = False) -> Any:
    """Return whether each element is among the test elements (is not, with `invert`).

    >>> import minigrad as torch
    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    return np.isin(elements, test_elements, assume_unique=assume_unique, invert=invert)
