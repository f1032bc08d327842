"""Questions about tensors as functions."""

from __future__ import annotations

from typing import Any

from .. import _check, engine
from .._device import cpu
from .._dtype import from_numpy, promote
from ..storage import TypedStorage, UntypedStorage


def is_tensor(obj: Any) -> bool:
    """Return True for a Tensor."""
    return isinstance(obj, engine.Tensor)


def is_inference(input: Any) -> bool:
    """Return True for a tensor that was made in inference mode."""
    return _check.tensor(input, "is_inference").is_inference()  # type: ignore[no-any-return]


def is_storage(obj: Any) -> bool:
    """Return True for a block of memory as `Tensor.untyped_storage` returns it."""
    return isinstance(obj, (UntypedStorage, TypedStorage))


def numel(input: Any) -> int:
    """Return the number of elements."""
    return _check.tensor(input, "numel")._data.size  # type: ignore[no-any-return]


def is_floating_point(input: Any) -> bool:
    """Return True for float16, float32 and float64."""
    return _check.tensor(input, "is_floating_point")._data.dtype.kind == "f"  # type: ignore[no-any-return]


def is_complex(input: Any) -> bool:
    """Return False: there are no complex tensors."""
    _check.tensor(input, "is_complex")
    return False


def is_same_size(input: Any, other: Any) -> bool:
    """Return True if the shapes are equal."""
    return input.is_same_size(other)  # type: ignore[no-any-return]


def typename(obj: Any) -> str:
    """Return the type of an object as text: `torch.FloatTensor` for a float32 tensor."""
    if isinstance(obj, engine.Tensor):
        return obj.type()  # type: ignore[no-any-return]
    module = getattr(obj, "__module__", None)
    prefix = f"{module}." if module not in (None, "", "builtins") else ""
    return prefix + getattr(obj, "__qualname__", type(obj).__name__)  # type: ignore[no-any-return]


def get_default_device() -> Any:
    """Return the device of new tensors: the CPU."""
    return cpu


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """Return the dtype that arithmetic on two tensors or numbers gives.

    >>> import minigrad as torch
    >>> torch.result_type(torch.tensor([1, 2]), 1.0)
    torch.float32
    """
    return from_numpy[promote(*[getattr(x, "_data", x) for x in (tensor1, tensor2)])]
