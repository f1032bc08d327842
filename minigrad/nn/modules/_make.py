"""What constructors of layers share: making parameters, and options given once for n dimensions."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..._device import to_device
from ..._dtype import dtype as DType
from ..._dtype import get_default_dtype, to_dtype
from ..._override import using
from ..._random import Generator, resolve
from ...engine import wrap
from .. import init
from ..parameter import Parameter


def made(*shape: int, device: Any = None, dtype: DType | None = None) -> Parameter:
    """Return a parameter whose values are not set yet."""
    to_device(device)
    kind = get_default_dtype() if dtype is None else to_dtype(dtype)
    try:
        shape = tuple(operator.index(size) for size in shape)
    except (TypeError, RuntimeError):
        raise TypeError(f"a parameter's sizes must be integers, got {shape}") from None
    if any(size < 0 for size in shape):
        raise RuntimeError(f"expected sizes of at least 0 for a parameter, got {tuple(shape)}")
    return Parameter(wrap(np.empty(shape, kind.numpy), None))


def make_affine(layer: Any, shape: Iterable[int], weight: bool, bias: bool, device: Any,
                dtype: DType | None) -> None:
    """Give a norm its weight and bias, or None in place of one."""
    for name, wanted in (("weight", weight), ("bias", bias)):
        layer.register_parameter(
            name, made(*shape, device=device, dtype=dtype) if wanted else None)


def reset_affine(layer: Any) -> None:
    """Set the weight of a norm to 1 and its bias to 0, if it has them."""
    if layer.weight is not None:
        init.ones_(layer.weight)
    if layer.bias is not None:
        init.zeros_(layer.bias)


def initialise(reset: Callable[[], None], generator: Generator | None) -> None:
    """Call `reset_parameters`, drawing from `generator` if one is given."""
    with contextlib.nullcontext() if generator is None else using(resolve(generator)):
        reset()


def ntuple(value: Any, n: int) -> tuple[Any, ...]:
    """Return an option as a tuple: an iterable's items, or n times the value."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n
