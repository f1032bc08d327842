"""Making tensors from data: Python numbers, nested lists, arrays, other tensors."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import _check, _dtype, engine
from .._dtype import get_default_dtype, to_dtype
from ..engine import wrap
from .fill import empty, finish, ones, zeros

__all__ = ["as_tensor", "asarray", "empty", "from_dlpack", "from_numpy", "frombuffer", "ones",
           "scalar_tensor", "tensor", "zeros"]

ndarray = np.ndarray
_PYTHON = {bool: _dtype.bool_, int: _dtype.int64}


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Any:
    """Return a new tensor with a copy of the data: numbers, nested lists, arrays, tensors.

    Python floats give the default dtype, ints int64, bools bool; arrays keep their dtype. Lists of
    unequal lengths raise ValueError, values that `dtype` cannot hold RuntimeError. The result is a
    leaf without history; copy a tensor with `x.detach().clone()` instead (this one warns).

    >>> import minigrad as torch
    >>> torch.tensor([[1, 2], [3, 4]], dtype=torch.float32)
    tensor([[1., 2.],
            [3., 4.]])
    """
    if isinstance(data, engine.Tensor):
        warnings.warn("To copy a tensor, use sourceTensor.detach().clone() (and requires_grad_()), "
                      "rather than torch.tensor(sourceTensor).", UserWarning, stacklevel=2)
    wanted = None if dtype is None else _check.dtype(dtype, "tensor").numpy
    return finish(to_array(data, wanted), None, device, pin_memory, requires_grad)


def to_array(data: Any, wanted: np.dtype[Any] | None = None) -> ndarray:
    """Return a new array of the data, in the dtype that is wanted or that PyTorch infers."""
    if isinstance(data, engine.Tensor):
        return np.array(data._data, wanted)
    if isinstance(data, ndarray):
        _check_array(data)
        return np.array(data, wanted, order="C")
    if isinstance(data, (bool, int, float, np.generic)):
        return _numbers([data], (), wanted)
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, Sequence) or (hasattr(data, "__len__") and hasattr(data, "__getitem__")
                                      and not hasattr(data, "keys")):
        return _sequence(data, wanted)
    if hasattr(data, "__array__"):
        return to_array(np.asarray(data), wanted)
    if data is None and wanted is not None:
        raise TypeError(f"must be real number, not NoneType: a tensor of {wanted.name}")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}: give numbers, nested "
                       f"sequences of numbers, arrays or tensors")


def _is_sequence(kind: type) -> bool:
    return issubclass(kind, Sequence) and not issubclass(kind, (str, bytes))


def _sequence(data: Any, wanted: np.dtype[Any] | None) -> ndarray:
    """Go down the levels of a nested sequence to its numbers; then make one array of them."""
    shape, items = [len(data)], list(data)
    while items:
        kinds = set(map(type, items))
        if all(issubclass(k, ndarray) for k in kinds):
            return _arrays(items, tuple(shape), wanted)
        nested = [_is_sequence(k) for k in kinds]
        if not any(nested):
            break
        if not all(nested):
            raise TypeError("not a sequence: numbers and sequences are mixed at one level of the "
                            f"nested data (dim {len(shape)})")
        size = len(items[0])
        for item in items:
            if len(item) != size:
                raise ValueError(f"expected sequence of length {size} at dim {len(shape)} (got "
                                 f"{len(item)})")
        shape.append(size)
        items = list(itertools.chain.from_iterable(items))
    return _numbers(items, tuple(shape), wanted)


def _arrays(items: list[ndarray], shape: tuple[int, ...],
            wanted: np.dtype[Any] | None) -> ndarray:
    """Make one array of a list of arrays."""
    warnings.warn("Creating a tensor from a list of numpy.ndarrays: join them with "
                  "numpy.stack or numpy.array first, which is faster.", UserWarning, stacklevel=4)
    for k, item in enumerate(items):
        _check_array(item)
        if not item.ndim:
            raise TypeError("len() of unsized object: a list of arrays must hold arrays of at "
                            "least one dimension")
        if item.shape != items[0].shape:
            raise ValueError(f"expected arrays of shape {list(items[0].shape)} (got "
                             f"{list(item.shape)} at position {k})")
    found = wanted or reduce(_promote, (_dtype.dtype_of(a) for a in items)).numpy
    return np.stack(items).astype(found, copy=False).reshape(shape + items[0].shape)


def _promote(a: _dtype.dtype, b: _dtype.dtype) -> _dtype.dtype:
    return a if a is b else _dtype.promote_types(a, b)


def _dtype_of_item(item: Any) -> _dtype.dtype:
    if isinstance(item, engine.Tensor):
        return item.dtype  # type: ignore[no-any-return]
    if isinstance(item, (np.generic, ndarray)):
        return _dtype.dtype_of(item)
    if isinstance(item, bool):
        return _dtype.bool_
    if isinstance(item, int):
        return _dtype.int64
    if isinstance(item, float):
        return get_default_dtype()
    if isinstance(item, str):
        raise ValueError("too many dimensions 'str': text cannot become a tensor")
    raise RuntimeError(f"Could not infer dtype of {type(item).__name__}")


def _numbers(items: list[Any], shape: tuple[int, ...], wanted: np.dtype[Any] | None) -> ndarray:
    """Make an array of a flat list of numbers (Python's, NumPy's, or tensors of one element)."""
    kinds = set(map(type, items))
    if kinds <= {float}:
        found = get_default_dtype()
    elif len(kinds) == 1 and kinds <= _PYTHON.keys():
        found = _PYTHON[next(iter(kinds))]
    else:
        if wanted is not None and type(None) in kinds:
            raise TypeError(f"must be real number, not NoneType: tensor of {wanted.name}")
        found = reduce(_promote, {_dtype_of_item(i) for i in items}, _dtype.bool_)
        items = [_number(i) for i in items]
    if wanted is None:
        wanted = found.numpy
    try:
        if wanted.kind == "f":
            with np.errstate(over="ignore"):
                return np.array(items, np.float64).astype(wanted).reshape(shape)
        exact = np.array(items, np.int64 if found.numpy.kind != "f" else np.float64)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long: an int is outside of int64") from None
    if wanted.kind != "b":
        _check_range(exact, wanted)
    return exact.astype(wanted).reshape(shape)


def _number(item: Any) -> Any:
    if isinstance(item, (engine.Tensor, ndarray, np.generic)):
        if item.numel() != 1 if isinstance(item, engine.Tensor) else item.size != 1:
            kind = ValueError if "float" in str(item.dtype) else TypeError
            raise kind("only one element tensors can be converted to Python scalars, not "
                       f"one of shape {list(item.shape)}; use stack or cat")
        return item.item()
    return item


def _check_range(values: ndarray, wanted: np.dtype[Any]) -> None:
    """Refuse numbers an integer dtype cannot hold; unsigned ones take negatives modulo 2^n."""
    limits = np.iinfo(wanted)
    low = -limits.max if wanted.kind == "u" else limits.min
    if values.size and not (values.min() >= low and values.max() <= limits.max):
        raise RuntimeError(f"value cannot be converted to type {wanted.name} without overflow")


def _check_array(array: ndarray) -> None:
    """Refuse arrays that PyTorch cannot share memory with."""
    if not array.dtype.isnative:
        raise ValueError("given numpy array has byte order different from the native byte order; "
                         "convert it with array.astype(array.dtype.newbyteorder('='))")
    _dtype.dtype_of(array)
    if min(array.strides, default=0) < 0 and array.size:
        raise ValueError("At least one stride in the given numpy array is negative, and tensors "
                         "have no negative strides: copy it first, with array.copy()")


def from_numpy(ndarray: Any) -> Any:
    """Return a tensor that shares the memory of a NumPy array: a write to one changes both.

    >>> import numpy as np
    >>> import minigrad as torch
    >>> torch.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    _check_array(ndarray)
    if not ndarray.flags.writeable:
        warnings.warn("The given NumPy array is not writable: in-place operations on the tensor "
                      "will be refused. Copy the array first to write to the tensor.",
                      UserWarning, stacklevel=2)
    return wrap(ndarray if type(ndarray) is np.ndarray else ndarray.view(np.ndarray), None)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """Return the data as a tensor, without a copy where possible: tensors and arrays of the dtype.

    >>> import minigrad as torch
    >>> x = torch.ones(2)
    >>> torch.as_tensor(x) is x
    True
    """
    if isinstance(data, engine.Tensor):
        _check.place(None, device, False)
        return data if dtype is None else data.to(to_dtype(dtype))
    if isinstance(data, ndarray):
        made = finish(from_numpy(data)._data, None, device, False, False)
        return made if dtype is None else made.to(to_dtype(dtype))
    return tensor(data, dtype=dtype, device=device)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
            requires_grad: bool | None = None) -> Any:
    """Return an object as a tensor; `copy` may demand (True) or forbid (False) new memory.

    A tensor keeps its place in the graph, unless requires_grad=False cuts it off.

    >>> import minigrad as torch
    >>> torch.asarray([1., 2.])
    tensor([1., 2.])
    """
    if isinstance(obj, (bytes, bytearray, memoryview)):
        kind = get_default_dtype() if dtype is None else to_dtype(dtype)
        obj = np.frombuffer(obj, kind.numpy)
    shared = isinstance(obj, (engine.Tensor, ndarray)) or hasattr(obj, "__dlpack__")
    if copy is False and not shared:
        raise ValueError("can't alias arbitrary sequence into a tensor: copy=False needs a tensor "
                         "or an array")
    if shared and not isinstance(obj, (engine.Tensor, ndarray)):
        obj = from_dlpack(obj)
    made = as_tensor(obj, dtype, device)
    same = shared and np.shares_memory(made._data, getattr(obj, "_data", obj))
    if copy is False and not same and made._data.size:
        raise ValueError(f"can't alias tensor: dtype {dtype} needs a copy, but copy=False")
    if copy and same:
        made = made.clone()
    if isinstance(obj, engine.Tensor) and requires_grad is False and obj.requires_grad:
        return made.detach()
    return made.requires_grad_() if requires_grad else made


def scalar_tensor(s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
                  pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return a 0-d tensor of a number, in the default dtype unless another one is given."""
    wanted = get_default_dtype() if dtype is None else to_dtype(dtype)
    return finish(_numbers([s], (), wanted.numpy), layout, device, pin_memory, requires_grad)


class _Capsule:
    """Hands a capsule of `to_dlpack` to NumPy, which asks objects for theirs."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the CPU


def from_dlpack(ext_tensor: Any) -> Any:
    """Return a tensor that shares memory with an object of another library, by DLPack.

    >>> import numpy as np
    >>> import minigrad as torch
    >>> torch.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    capsule = type(ext_tensor).__name__ == "PyCapsule"
    if not (capsule or hasattr(ext_tensor, "__dlpack__")):
        raise RuntimeError(f"from_dlpack(): expected an object with __dlpack__ or a capsule, "
                           f"got {type(ext_tensor).__name__}")
    array = np.from_dlpack(_Capsule(ext_tensor) if capsule else ext_tensor)
    _check_array(array)
    return wrap(array, None)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0,
               requires_grad: bool = False) -> Any:
    """Return a 1-d tensor that shares memory with a Python buffer."""
    kind = to_dtype(dtype).numpy
    try:
        size = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError(f"object does not implement Python buffer protocol: "
                         f"{type(buffer).__name__}") from None
    if not size:
        raise ValueError("both buffer length (0) and count (-1) must not be 0")
    array = np.frombuffer(buffer, kind, count, offset)
    return finish(array, None, None, False, requires_grad)


def legacy(args: tuple[Any, ...], dtype: _dtype.dtype | None, device: Any = None) -> ndarray:
    """Return the array of a constructor such as `Tensor(2, 3)` or `FloatTensor([1, 2])`."""
    _check.place(None, device, False)
    data = args[0] if len(args) == 1 else None
    kind = (dtype or get_default_dtype()).numpy
    if not args:
        return np.empty(0, kind)
    if isinstance(data, ndarray) and not data.ndim and data.dtype.kind in "iu":
        args, data = (int(data),), int(data)  # NumPy's number, so a size
    if len(args) > 1 or isinstance(data, (_dtype.Size, int, np.integer)):
        return np.empty(_check.new_sizes("new", args), kind)
    if isinstance(data, engine.Tensor):
        return data._data
    if isinstance(data, (float, str)) or data is None:
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return to_array(data, kind)


class TensorType:
    """Make tensors of one dtype, as `FloatTensor(2, 3)` or `FloatTensor([1, 2])` (legacy).

    >>> import minigrad as torch
    >>> torch.LongTensor([1, 2]), isinstance(torch.ones(1), torch.FloatTensor)
    (tensor([1, 2]), True)
    """

    def __init__(self, name: str, dtype: _dtype.dtype) -> None:
        self.__name__, self.dtype = name, dtype

    def __call__(self, *args: Any, device: Any = None) -> Any:
        array = legacy(args, self.dtype, device)
        if array.dtype != self.dtype.numpy:
            raise TypeError(f"{self.__name__}: expected a tensor of dtype {self.dtype}, got "
                            f"{_dtype.dtype_of(array)}; convert it with .to() first")
        return wrap(array, None)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, engine.Tensor) and instance.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


FloatTensor = TensorType("FloatTensor", _dtype.float32)
DoubleTensor = TensorType("DoubleTensor", _dtype.float64)
HalfTensor = TensorType("HalfTensor", _dtype.float16)
CharTensor = TensorType("CharTensor", _dtype.int8)
ShortTensor = TensorType("ShortTensor", _dtype.int16)
IntTensor = TensorType("IntTensor", _dtype.int32)
LongTensor = TensorType("LongTensor", _dtype.int64)
ByteTensor = TensorType("ByteTensor", _dtype.uint8)
BoolTensor = TensorType("BoolTensor", _dtype.bool_)
