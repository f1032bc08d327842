"""Reductions: sum, mean, variance, extremes and the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _dtype
from ..engine import op
from .shape import expand, view

ndarray = np.ndarray


def kept(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """Return the shape after a reduction with keepdim=True."""
    axes = _check.dims(dim, len(shape))
    return tuple(1 if i in axes else s for i, s in enumerate(shape))


def restore(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Spread the gradient of a reduction over the reduced dimensions again."""
    if not keepdim:
        g = view(g, kept(shape, dim))
    return expand(g, shape)


@op(input=lambda g, input_shape, dim, keepdim: restore(g, input_shape, dim, keepdim),
    shown=lambda dim: f"SumBackward{int(dim is not None)}")
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over `dim` (an int, a tuple, or None for all); bools and integers give int64.

    >>> import minigrad as torch
    >>> torch.sum(torch.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    axes = None if dim is None else _check.dims(dim, input.ndim)
    if axes == ():
        axes = None
    if dtype is not None:
        input = input.astype(_dtype.to_dtype(dtype).numpy, copy=False)
    elif input.dtype.kind in "iub":
        return np.add.reduce(input, axes, np.int64, keepdims=keepdim)
    return np.add.reduce(input, axes, keepdims=keepdim)


@op(input=lambda g, input_shape, dim, keepdim:
    restore(g / _count(input_shape, dim), input_shape, dim, keepdim),
    shown=lambda dim: f"MeanBackward{int(dim is not None)}")
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the mean over `dim`; nan when there is nothing to average."""
    if dtype is not None:
        input = input.astype(_dtype.to_dtype(dtype).numpy, copy=False)
    if input.dtype.kind != "f":
        raise RuntimeError(f"mean(): could not infer output dtype. Input dtype must be a floating "
                           f"point dtype, got {_dtype.dtype_of(input)}; convert with .float()")
    axes = None if dim is None else _check.dims(dim, input.ndim) or None
    total = np.add.reduce(input, axes, keepdims=keepdim)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.true_divide(total, _count(input.shape, dim), dtype=input.dtype)


def _count(shape: tuple[int, ...], dim: Any) -> int:
    """Return how many elements one result of a reduction is made of."""
    n = 1
    for i in _check.dims(dim, len(shape)):
        n *= shape[i]
    return n
