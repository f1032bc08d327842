"""Changing the dtype, and writing whole tensors: to, type, copy_, fill_, zero_."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _dtype, engine
from .._check import broadcast_error
from .._device import device as device_type
from ..engine import op
from ..kernels.layout import has_format, suggested
from .create import TensorType
from .elementwise import cast, clone

ndarray = np.ndarray

_TYPE_NAMES = {"float32": "Float", "float64": "Double", "float16": "Half", "int8": "Char",
               "int16": "Short", "int32": "Int", "int64": "Long", "uint8": "Byte", "bool": "Bool"}
TYPES = {f"torch.{name}Tensor": _dtype.from_numpy[np.dtype(kind)]
         for kind, name in _TYPE_NAMES.items()}


# ------------------------------------------------------------------------------------------ dtype
def as_type(input: Any, dtype: np.dtype[Any], copy: bool = False) -> Any:
    """Return a tensor in a NumPy dtype: itself if it has that dtype already."""
    if input._data.dtype == dtype and not copy:
        return input
    return cast(input, dtype)


def to(input: Any, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False,
       copy: bool = False, memory_format: Any = None) -> Any:
    """Return the tensor in another dtype or on another device: itself if nothing changes.

    Call it as to(dtype), to(device), to(device, dtype) or to(other), which means other's dtype.
    `copy=True` always makes a new tensor.

    >>> import minigrad as torch
    >>> x = torch.ones(2)
    >>> x.to(torch.float64), x.to("cpu") is x
    (tensor([1., 1.], dtype=torch.float64), True)
    """
    rest = list(args)
    if rest and isinstance(rest[0], engine.Tensor):
        dtype = rest.pop(0).dtype
    elif rest and (rest[0] is None or isinstance(rest[0], (str, device_type))):
        device = rest.pop(0)
        if rest and not isinstance(rest[0], bool):
            dtype = rest.pop(0)
    elif rest and not isinstance(rest[0], bool):
        dtype = rest.pop(0)
    if len(rest) > 2 or not all(isinstance(r, bool) for r in rest):
        raise TypeError("to() expects to(dtype), to(device), to(device, dtype) or to(other), then "
                        "non_blocking and copy")
    if len(rest) == 2:
        copy = rest[1]
    _check.place(None, device, False)
    kind = input._data.dtype if dtype is None else _check.dtype(dtype, "to").numpy
    asked = _check.asked_format(memory_format)
    if asked is not None and (copy or kind != input._data.dtype or asked is not suggested(
            input._data)):
        made = as_type(input, kind)
        fits = made is not input and has_format(made._data, asked)
        return made if fits else clone(made, memory_format=asked)
    return as_type(input, kind, copy)


def type_(input: Any, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Return the tensor in another type, or the type's name when none is given.

    >>> import minigrad as torch
    >>> torch.ones(1).type(), torch.ones(1).type(torch.int64)
    ('torch.FloatTensor', tensor([1]))
    """
    if dtype is None:
        return f"torch.{_TYPE_NAMES[input._data.dtype.name]}Tensor"
    if isinstance(dtype, str):
        if dtype not in TYPES:
            raise ValueError(f"invalid type: {dtype!r}; expected one such as 'torch.FloatTensor'")
        dtype = TYPES[dtype]
    if isinstance(dtype, TensorType):
        dtype = dtype.dtype
    if isinstance(dtype, type) and dtype not in (float, int, bool):
        raise ValueError(f"invalid type: {dtype!r}; expected a dtype such as torch.float32")
    return as_type(input, _check.dtype(dtype, "type").numpy)


@op(input=None, view=True)
def view_bits(input: Any, dtype: np.dtype[Any]) -> Any:
    """Return the same memory read as another dtype: `x.view(dtype)`; no derivative."""
    size, old = dtype.itemsize, input.dtype.itemsize
    if size != old:
        if not input.ndim:
            raise RuntimeError("self.dim() cannot be 0 to view Float as Double (different element "
                               "sizes)")
        if input.strides[-1] != old:
            raise RuntimeError("self.stride(-1) must be 1 to view memory as a dtype of another "
                               "element size")
        if input.shape[-1] * old % size:
            raise RuntimeError(f"self.size(-1) must be divisible by {size // old} to view {old}-"
                               f"byte elements as {size}-byte ones, but got {input.shape[-1]}")
    try:
        return input.view(dtype)
    except ValueError as error:
        raise RuntimeError(f"view: {error}") from None


# ----------------------------------------------------------------------------------------- writing
@op(input=lambda g: fill(g, 0.0), shown="FillBackward2",
    mutate=lambda input, value: input.fill(value))
def fill(input: Any, value: float) -> Any:
    """Return a tensor of this shape filled with a number; its gradient is zero."""
    return np.full_like(input, value)


def _write(input: ndarray, value: Any) -> None:
    np.copyto(input, value, casting="unsafe")


@op(input=lambda g: fill(g, 0.0), value=lambda g: g, shown="FillBackward3", mutate=_write)
def fill_with(input: Any, value: Any) -> Any:
    """Return a tensor of this shape filled with the value of a 0-d tensor."""
    return np.full_like(input, value)


@op(input=lambda g: fill(g, 0.0), shown="ZeroBackward0", mutate=lambda input: input.fill(0))
def zero(input: Any) -> Any:
    """Return zeros of this shape and dtype."""
    return np.zeros_like(input)


@op(input=lambda g: fill(g, 0.0), src=lambda g: g, shown="torch::autograd::CopyBackwards",
    mutate=lambda input, src: _copy_into(input, src))
def copy(input: Any, src: Any) -> Any:
    """Return the values of `src` broadcast to this shape, in this dtype."""
    y = np.empty_like(input)
    _copy_into(y, src)
    return y


def _copy_into(target: ndarray, src: Any) -> None:
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            np.copyto(target, src, casting="unsafe")
    except ValueError:
        raise broadcast_error(target, src) from None
