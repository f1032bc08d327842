"""Making tensors: from data, filled, in ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtype
from .._check import sizes
from .._dtype import get_default_dtype, to_dtype
from ..engine import wrap

ndarray = np.ndarray


def _finish(array: ndarray, requires_grad: bool) -> Any:
    made = wrap(array, None)
    return made.requires_grad_() if requires_grad else made


def _of(dtype: Any) -> np.dtype[Any]:
    return (get_default_dtype() if dtype is None else to_dtype(dtype)).numpy


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Return a new tensor with a copy of the data: numbers, nested lists, arrays, tensors."""
    array = np.array(data)
    if dtype is None and not hasattr(data, "dtype") and array.dtype == np.float64:
        dtype = get_default_dtype()
    return _finish(array if dtype is None else array.astype(_of(dtype)), requires_grad)


def from_numpy(array: ndarray) -> Any:
    """Return a tensor that shares the memory of a NumPy array."""
    _dtype.dtype_of(array)
    return wrap(array, None)


def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor whose values are not set."""
    return _finish(np.empty(sizes(size), _of(dtype)), requires_grad)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor of zeros."""
    return _finish(np.zeros(sizes(size), _of(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor of ones."""
    return _finish(np.ones(sizes(size), _of(dtype)), requires_grad)
