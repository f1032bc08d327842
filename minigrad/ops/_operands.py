"""Operands of elementwise ops: PyTorch's result types for NumPy's calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from .. import _dtype
from ..outputs import into

ndarray = np.ndarray
F = TypeVar("F", bound=Callable[..., Any])
# as Any, because NumPy's stubs know no keepdims that is a variable
add_reduce: Any = np.add.reduce
maximum_reduce: Any = np.maximum.reduce
minimum_reduce: Any = np.minimum.reduce
multiply_reduce: Any = np.multiply.reduce
_NUMBERS = (float, int)
_PYTHON_NUMBERS = frozenset({float, int, bool})
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Return two operands (arrays or numbers) ready for a NumPy call with PyTorch's result type."""
    kind_a, kind_b = type(a), type(b)
    if kind_a is ndarray:
        if kind_b is ndarray:
            if a.dtype is b.dtype:
                return a, b
        elif kind_b in _NUMBERS and a.dtype.kind == "f":
            return a, b
    elif kind_b is ndarray and kind_a in _NUMBERS and b.dtype.kind == "f":
        return a, b
    dtype = _dtype.promote(a, b)
    return as_dtype(a, dtype), as_dtype(b, dtype)


def as_dtype(a: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array or a number as an array of a dtype; no copy if it has that dtype."""
    if isinstance(a, (ndarray, np.generic)):
        return a.astype(dtype, copy=False)
    if dtype.kind in "iu":  # an int that does not fit wraps around, as in C
        return np.array(a, np.int64).astype(dtype)
    return np.array(a, dtype)


def kind_of(a: Any, b: Any) -> str:
    """Return the kind of dtype of two promoted operands, of which one may be a number."""
    return (b if type(a) in _NUMBERS else a).dtype.kind


def arrays(a: Any, b: Any) -> tuple[Any, Any]:
    """Return what `pair` returns with numbers as arrays of the result's dtype."""
    a, b = pair(a, b)
    if type(a) in _NUMBERS:
        return np.array(a, b.dtype), b
    return (a, np.array(b, a.dtype)) if type(b) in _NUMBERS else (a, b)


def tensors(name: str, a: Any, b: Any, second: str = "other") -> tuple[Any, Any]:
    """Return what `pair` returns; refuse numbers, which only some ops of two tensors take."""
    for value, which in ((a, "input"), (b, second)):
        if not isinstance(value, (ndarray, np.generic)):
            raise TypeError(f"{name}(): argument '{which}' must be Tensor, not "
                            f"{type(value).__name__}; make it one with tensor(...)")
    return pair(a, b)


def tensor_first(name: str, input: Any, other: Any) -> tuple[Any, Any]:
    """Return what `pair` returns; refuse a number as the first operand, as PyTorch does."""
    if type(input) in _PYTHON_NUMBERS:
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}; exchange the operands, or use tensor(...)")
    return pair(input, other)


def no_bools(name: str, a: Any, b: Any) -> None:
    """Refuse operands that are both bool, for which PyTorch has no such operation."""
    if kind_of(a, b) == "b":
        raise NotImplementedError(f"{name} is not implemented for torch.bool; convert with .int() "
                                  f"first")


def floating(a: Any) -> Any:
    """Return an array in a floating dtype: integers and bools take the default dtype."""
    return a if a.dtype.kind == "f" else a.astype(_dtype.get_default_dtype().numpy)


def numpy_names(function: F) -> F:
    """Let a public function that is no op of its own take NumPy's `axis` and `keepdims`, too."""

    @wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        for key in given.keys() & _NUMPY_NAMES:
            given[_NUMPY_NAMES[key]] = given.pop(key)
        return function(*args, **given)

    return call  # type: ignore[return-value]


def with_out(function: F) -> F:
    """Let a public function that is no op of its own take `out=`, the place for its result."""

    @wraps(function)
    def call(*args: Any, out: Any = None, **given: Any) -> Any:
        made = function(*args, **given)
        if out is None:
            return made
        return into(function.__name__, made, out, args)

    signature = inspect.signature(function)
    place = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Any)
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), place])
    return call  # type: ignore[return-value]


def rows(y: Any) -> Any:
    """Return a result in row-major memory, as PyTorch's reductions and scans return theirs."""
    return y if y.flags.c_contiguous else y.copy()


def underived(name: str) -> Any:
    """Return the rule of an op that has no derivative in PyTorch either: it raises."""

    def rule(g: Any) -> Any:
        raise NotImplementedError(f"derivative for {name} is not implemented; detach() its input")

    return rule
