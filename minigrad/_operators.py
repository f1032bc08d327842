"""The operators of Tensor: `+`, `==`, `//`, `+=` and the rest, each one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import engine
from .ops import arithmetic, bits, compare, create, elementwise, linalg
from .views import inplace

ndarray = np.ndarray


def _foreign(function: Any, self: Any, other: Any) -> Any:
    """Try again with an ndarray as a tensor; what no op takes gives NotImplemented."""
    if isinstance(other, ndarray):
        return function(self, create.from_numpy(other))
    if isinstance(other, (engine.Tensor, int, float, np.generic)):
        raise  # the TypeError that the caller is handling
    return NotImplemented


def _operator(function: Any, *rest: Any, swap: bool = False) -> Callable[[Any, Any], Any]:
    """Return an operator method of an op."""
    made = function.op

    def method(self: Any, other: Any) -> Any:
        if other is None:
            return NotImplemented
        try:
            return made.run(other, self, *rest) if swap else made.run(self, other, *rest)
        except TypeError:
            return _foreign(method, self, other)

    return method


def _assign(function: Any) -> Callable[[Any, Any], Any]:
    """Return an augmented assignment, the in-place form of an op."""

    def method(self: Any, other: Any) -> Any:
        if other is None:
            return NotImplemented
        try:
            return inplace(function, (self, other))
        except TypeError:
            return _foreign(method, self, other)

    return method


class Operators:
    """Base of Tensor: see the module's docstring."""

    __add__ = __radd__ = _operator(elementwise.add, 1)
    __sub__ = _operator(elementwise.sub, 1)
    __rsub__ = _operator(elementwise.rsub, 1)
    __mul__ = __rmul__ = _operator(elementwise.mul)
    __truediv__ = _operator(elementwise.div, None)
    __floordiv__ = _operator(arithmetic.floor_divide)
    __rfloordiv__ = _operator(arithmetic.floor_divide, swap=True)
    __mod__ = _operator(arithmetic.remainder)
    __rmod__ = _operator(arithmetic.remainder, swap=True)
    __pow__ = _operator(elementwise.pow)
    __rpow__ = _operator(elementwise.pow, swap=True)
    __matmul__ = _operator(linalg.matmul)
    __rmatmul__ = _operator(linalg.matmul, swap=True)

    __and__ = __rand__ = _operator(bits.bitwise_and)
    __or__ = __ror__ = _operator(bits.bitwise_or)
    __xor__ = __rxor__ = _operator(bits.bitwise_xor)
    __lshift__ = _operator(bits.bitwise_left_shift)
    __rlshift__ = _operator(bits.bitwise_left_shift, swap=True)
    __rshift__ = _operator(bits.bitwise_right_shift)
    __rrshift__ = _operator(bits.bitwise_right_shift, swap=True)

    __eq__ = _operator(compare.eq)  # type: ignore[assignment]
    __ne__ = _operator(compare.ne)  # type: ignore[assignment]
    __lt__ = _operator(compare.lt)
    __le__ = _operator(compare.le)
    __gt__ = _operator(compare.gt)
    __ge__ = _operator(compare.ge)
    __hash__ = object.__hash__

    __iadd__ = _assign(elementwise.add)
    __isub__ = _assign(elementwise.sub)
    __imul__ = _assign(elementwise.mul)
    __itruediv__ = _assign(elementwise.div)
    __ifloordiv__ = _assign(arithmetic.floor_divide)
    __imod__ = _assign(arithmetic.remainder)
    __ipow__ = _assign(elementwise.pow)
    __iand__ = _assign(bits.bitwise_and)
    __ior__ = _assign(bits.bitwise_or)
    __ixor__ = _assign(bits.bitwise_xor)
    __ilshift__ = _assign(bits.bitwise_left_shift)
    __irshift__ = _assign(bits.bitwise_right_shift)

    def __rtruediv__(self, other: Any) -> Any:
        if other is None or isinstance(other, (str, list, tuple)):
            return NotImplemented
        if isinstance(other, ndarray):
            return elementwise.div(create.from_numpy(other), self)
        return elementwise.mul(arithmetic.reciprocal(self), other)

    def __neg__(self) -> Any:
        return elementwise.neg(self)

    def __pos__(self) -> Any:
        return arithmetic.positive(self)

    def __abs__(self) -> Any:
        return elementwise.abs(self)

    def __invert__(self) -> Any:
        if self._data.dtype.kind == "f":  # type: ignore[attr-defined]
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type "
                            "tensors")
        return bits.bitwise_not(self)
