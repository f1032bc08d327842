"""`make_tensor`: random tensors for tests."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _random
from .._check import sizes
from .._device import to_device
from .._dtype import dtype as DType
from .._dtype import to_dtype
from ..engine import wrap


def make_tensor(*shape: Any, dtype: DType, device: Any, low: float | None = None,
                high: float | None = None, requires_grad: bool = False,
                noncontiguous: bool = False, exclude_zero: bool = False,
                memory_format: Any = None) -> Any:
    """Return a tensor with random values, uniform in [low, high).

    By default low, high are -9, 9 (0, 10 for uint8, 0, 2 for bool; integers are whole numbers from
    -9 to 9), cut to what the dtype holds. `noncontiguous` leaves gaps in memory, `exclude_zero`
    replaces zeros by the smallest positive number. ValueError for low >= high, or for integers
    that should require grad.

    >>> import minigrad as torch
    >>> x = torch.testing.make_tensor(2, 3, dtype=torch.float64, device="cpu", low=1, high=2)
    >>> x.shape, bool((x >= 1).all())
    (torch.Size([2, 3]), True)
    """
    size = sizes(shape)
    to_device(device)
    numpy_dtype = to_dtype(dtype).numpy
    if noncontiguous and memory_format is not None:
        raise ValueError(f"The parameters `noncontiguous` and `memory_format` are mutually "
                         f"exclusive, but got noncontiguous={noncontiguous} and "
                         f"memory_format={memory_format}")
    if requires_grad and numpy_dtype.kind != "f":
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, "
                         f"but got dtype={dtype}")
    low, high = _bounds(numpy_dtype, low, high)
    values = np.asarray(_drawn(size, numpy_dtype, low, high))
    if exclude_zero:
        values[values == 0] = np.finfo(numpy_dtype).tiny if numpy_dtype.kind == "f" else 1
    if noncontiguous and values.size > 1:
        wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]), numpy_dtype)
        wide[..., ::2] = values
        values = wide[..., ::2]
    made = wrap(values, None)
    if memory_format is not None:
        made = made.clone(memory_format=memory_format)
    return made.requires_grad_() if requires_grad else made


def _bounds(dtype: Any, low: float | None, high: float | None) -> tuple[float, float]:
    """Return the bounds, the defaults of the dtype filled in, cut to what it holds."""
    usual = {"b": (0, 2), "u": (0, 10), "i": (-9, 10), "f": (-9, 9)}[dtype.kind]
    low, high = (usual[0] if low is None else low), (usual[1] if high is None else high)
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low} and high={high}")
    if low == high and dtype.kind == "f":
        warnings.warn("make_tensor: low == high is deprecated; use full()", FutureWarning,
                      stacklevel=3)
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if dtype.kind == "f":
        least, most = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
        if low > most or high < least:
            raise ValueError(f"`low` and `high` must be within {dtype}'s range {least:g} to "
                             f"{most:g}, but got low={low} and high={high}")
        return max(low, least), min(high, most)
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    first, end = (max(math.ceil(low) if math.isfinite(low) else least, least),
                  min(math.ceil(high) if math.isfinite(high) else most + 1, most + 1))
    if first >= end:
        raise ValueError(f"there is no {dtype} number from low={low} to below high={high}")
    return first, end


def _drawn(size: tuple[int, ...], dtype: Any, low: float, high: float) -> Any:
    if dtype.kind != "f":
        return np.asarray(_random.integers(int(low), int(high), size)).astype(dtype)
    u = np.asarray(_random.uniform(size, np.float64))
    made = np.asarray(low * (1 - u) + high * u).astype(dtype)
    return np.where(made >= high, np.nextafter(dtype.type(high), dtype.type(low)), made) if (
        low < high) else made
