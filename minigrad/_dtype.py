"""Element types, `Size` and PyTorch's type promotion, on top of NumPy's dtypes.

Arrays inside minigrad are NumPy's; this module is the only place that knows which NumPy dtype
stands for which `dtype`, and what the result type of two operands is. NumPy's own promotion is
not used: it gives float64 for float32 + int64, where PyTorch keeps float32.

The package exports `bool_` as `bool`, `float32` also as `float` and `int32` also as `int`; here
these three names stay Python's.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np


class dtype:
    """Name the element type of a tensor; the instances are `float32`, `int64` and so on.

    Attributes: `name` ('float32'), `numpy` (the `np.dtype`), `itemsize` (bytes per element),
    `is_floating_point`, `is_complex`, `is_signed`.

    >>> import minigrad as torch
    >>> torch.float32, torch.float32.itemsize, torch.uint8.is_signed
    (torch.float32, 4, False)
    """

    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    name: str
    numpy: np.dtype[Any]
    itemsize: int
    is_floating_point: bool
    is_complex: bool
    is_signed: bool

    def __new__(cls, *_: object) -> dtype:
        raise TypeError("dtype: the instances are fixed; use float32, int64, bool or another one")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:  # pickled by name, so that identity survives copies
        return "bool_" if self.name == "bool" else self.name

    def to_real(self) -> dtype:
        """Return the real type of the same precision: itself, since every type here is real."""
        return self


def _make(name: str) -> dtype:
    new = object.__new__(dtype)
    new.name = name
    new.numpy = np.dtype(name)
    new.itemsize = new.numpy.itemsize
    new.is_floating_point = new.numpy.kind == "f"
    new.is_complex = False
    new.is_signed = new.numpy.kind in "if"
    return new


float16 = half = _make("float16")
float32 = _make("float32")
float64 = double = _make("float64")
int8 = _make("int8")
int16 = short = _make("int16")
int32 = _make("int32")
int64 = long = _make("int64")
uint8 = _make("uint8")
bool_ = _make("bool")

ALL = (float16, float32, float64, int8, int16, int32, int64, uint8, bool_)
from_numpy: dict[np.dtype[Any], dtype] = {each.numpy: each for each in ALL}

_PYTHON_TYPES: dict[object, dtype] = {float: float64, int: int64, bool: bool_}


def to_dtype(value: dtype | type) -> dtype:
    """Return the `dtype` meant by an argument: a dtype, or Python's float, int or bool.

    Python's `float` means float64 here, as in PyTorch, not the default dtype. Anything else,
    NumPy's dtypes included, raises TypeError.
    """
    if isinstance(value, dtype):
        return value
    found = _PYTHON_TYPES.get(value) if isinstance(value, type) else None
    if found is None:
        raise TypeError(
            f"dtype: expected a dtype such as torch.float32 (or Python's float, int, bool), "
            f"got {value!r} of type {type(value).__name__}"
        )
    return found


def dtype_of(array: np.ndarray[Any, Any] | np.generic) -> dtype:
    """Return the dtype of an ndarray; a type that tensors cannot hold raises TypeError."""
    try:
        return from_numpy[array.dtype]
    except KeyError:
        names = ", ".join(each.name for each in ALL)
        raise TypeError(
            f"an array of NumPy dtype {array.dtype} cannot become a tensor: the supported "
            f"dtypes are {names}, all in native byte order; convert it with .astype() first"
        ) from None


_default = float32


def get_default_dtype() -> dtype:
    """Return the floating point type of new tensors made from Python floats.

    >>> import minigrad as torch
    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the floating point type of new tensors made from Python floats, for all threads.

    Args: d: float16, float32 or float64; anything else raises TypeError.

    >>> import minigrad as torch
    >>> torch.set_default_dtype(torch.float64)
    >>> torch.tensor([1.5]).dtype
    torch.float64
    >>> torch.set_default_dtype(torch.float32)
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"set_default_dtype: expected float16, float32 or float64, got {d!r}")
    _default = d


# Promotion. Operands fall into three classes: arrays with dimensions, 0-d arrays and Python
# numbers. A lower class changes the result only when its kind (bool < integer < float) is higher.

_KIND = {each.numpy: 0 if each is bool_ else 2 if each.is_floating_point else 1 for each in ALL}
_NUMBER_KIND: dict[type, int] = {bool: 0, int: 1, float: 2}


def _same_class(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    if _KIND[a] == _KIND[b]:
        return np.promote_types(a, b)
    return a if _KIND[a] > _KIND[b] else b


_SAME = {(a, b): _same_class(a, b) for a in from_numpy for b in from_numpy}
_WEAK = {(a, b): a if _KIND[a] >= _KIND[b] else b for a in from_numpy for b in from_numpy}


def _python_number(value: object) -> np.dtype[Any]:
    """Return the dtype a Python number has in promotion: float means the default dtype."""
    if isinstance(value, bool):
        return bool_.numpy
    if isinstance(value, int):
        return int64.numpy
    if isinstance(value, float):
        return _default.numpy
    raise TypeError(f"expected a tensor or a real number, got {value!r} ({type(value).__name__})")


def _describe(value: Any) -> tuple[int, np.dtype[Any]]:
    """Return (class, dtype) of one operand: 2 for arrays, 1 for 0-d, 0 for Python numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        return (2 if value.ndim else 1), dtype_of(value).numpy
    return 0, _python_number(value)


def promote(a: Any, b: Any) -> np.dtype[Any]:
    """Return the NumPy dtype of the result of an operation on two operands.

    Operands are ndarrays or Python numbers (NumPy scalars count as 0-d arrays).

    >>> import numpy as np
    >>> promote(np.ones(2, np.float32), np.ones(2, np.int64)).name
    'float32'
    >>> promote(np.ones(2, np.int32), 1.5).name, promote(np.ones(2, np.int8), 300).name
    ('float32', 'int8')
    """
    try:  # the common cases: two arrays of one dtype, an array and a number of no higher kind
        found = a.dtype
        kind = _NUMBER_KIND.get(type(b))
        if kind is None:
            if found is b.dtype and found in _KIND:
                return found
        elif _KIND[found] >= kind:
            return found
    except (AttributeError, KeyError):
        pass  # a number comes first, or an operand is not supported: found out below
    (rank_a, a), (rank_b, b) = _describe(a), _describe(b)
    if rank_a == rank_b:
        return _SAME[a, b]
    return _WEAK[a, b] if rank_a > rank_b else _WEAK[b, a]


def promote_many(operands: Iterable[Any]) -> np.dtype[Any]:
    """Return the NumPy dtype of the result of an operation on one or more operands.

    >>> import numpy as np
    >>> promote_many([np.ones(2, np.uint8), np.ones(2, np.int8), 2.5]).name
    'float32'
    """
    best: list[np.dtype[Any] | None] = [None, None, None]
    for operand in operands:
        rank, found = _describe(operand)
        previous = best[rank]
        best[rank] = found if previous is None else _SAME[previous, found]
    result: np.dtype[Any] | None = None
    for found_or_none in reversed(best):
        if found_or_none is not None:
            result = found_or_none if result is None else _WEAK[result, found_or_none]
    if result is None:
        raise ValueError("promote_many: expected at least one operand, got none")
    return result


def promote_types(type1: dtype | type, type2: dtype | type) -> dtype:
    """Return the smallest dtype that both types can be cast to, of at least the higher kind.

    >>> import minigrad as torch
    >>> torch.promote_types(torch.uint8, torch.int8), torch.promote_types(torch.half, torch.long)
    (torch.int16, torch.float16)
    """
    return from_numpy[_SAME[to_dtype(type1).numpy, to_dtype(type2).numpy]]


def can_cast(from_: dtype | type, to: dtype | type) -> bool:
    """Tell whether in-place results of one type may be written into a tensor of another.

    Only the kind counts (bool < integer < float): it must not fall. Sizes and signs may.

    >>> import minigrad as torch
    >>> torch.can_cast(torch.double, torch.float), torch.can_cast(torch.float, torch.int)
    (True, False)
    """
    return _KIND[to_dtype(from_).numpy] <= _KIND[to_dtype(to).numpy]


class Size(tuple[int, ...]):
    """Hold the shape of a tensor: a tuple of ints with `numel()`.

    Slices, sums and multiples of a Size are Sizes. An item that is no integer raises TypeError.

    >>> import minigrad as torch
    >>> torch.Size([2, 3]), torch.Size([2, 3]).numel(), torch.Size([2, 3])[1:] + (4,)
    (torch.Size([2, 3]), 6, torch.Size([3, 4]))
    """

    __slots__ = ()

    def __new__(cls, iterable: Iterable[SupportsIndex] = (), /) -> Size:
        items = tuple(iterable)
        for position, item in enumerate(items):
            if not hasattr(item, "__index__"):
                raise TypeError(
                    f"Size: expected integers, got a {type(item).__name__} at position {position}"
                )
        return tuple.__new__(cls, map(operator.index, items))

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (tuple(self),)

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return as_size(found) if isinstance(key, slice) else found

    def __add__(self, other: tuple[Any, ...]) -> Size:  # type: ignore[override]
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple(self) + tuple(other))

    def __radd__(self, other: tuple[int, ...]) -> Size:
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times: SupportsIndex) -> Size:
        return as_size(tuple(self) * times)

    __rmul__ = __mul__


def as_size(shape: tuple[int, ...]) -> Size:
    """Return a `Size` of a tuple that is known to hold ints (a NumPy shape): no checks."""
    return tuple.__new__(Size, shape)


class finfo:
    """Describe the limits of a floating point dtype.

    Args: type: a floating point dtype; default the default dtype. Others raise TypeError.

    >>> import minigrad as torch
    >>> torch.finfo(torch.float32).eps, torch.finfo(torch.float16).max
    (1.1920928955078125e-07, 65504.0)
    """

    def __init__(self, type: dtype | None = None) -> None:
        chosen = _default if type is None else type
        if not isinstance(chosen, dtype) or not chosen.is_floating_point:
            raise TypeError(f"finfo: expected a floating point dtype, got {chosen!r}; see iinfo")
        limits = np.finfo(chosen.numpy)
        self.dtype = chosen.name
        self.bits = int(limits.bits)
        self.eps = float(limits.eps)
        self.max = float(limits.max)
        self.min = float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = float(f"1e-{limits.precision}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    __hash__ = None  # type: ignore[assignment]  # as PyTorch: not hashable

    def __repr__(self) -> str:
        shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        fields = ", ".join(f"{name}={getattr(self, name):g}" for name in shown)
        return f"finfo({fields}, dtype={self.dtype})"


class iinfo:
    """Describe the limits of an integer dtype.

    Args: type: an integer dtype; bool and floating point types raise TypeError.

    >>> import minigrad as torch
    >>> torch.iinfo(torch.int8).min, torch.iinfo(torch.uint8).max
    (-128, 255)
    """

    def __init__(self, type: dtype) -> None:
        if not isinstance(type, dtype) or type.is_floating_point or type is bool_:
            raise TypeError(f"iinfo: expected an integer dtype, got {type!r}; see finfo")
        limits = np.iinfo(type.numpy)
        self.dtype = type.name
        self.bits = int(limits.bits)
        self.max = int(limits.max)
        self.min = int(limits.min)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    __hash__ = None  # type: ignore[assignment]  # as PyTorch: not hashable

    def __repr__(self) -> str:
        return (
            f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"  # as PyTorch: rounded
        )
