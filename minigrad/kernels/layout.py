"""Memory formats: the order in which the dimensions of an array lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._device import channels_last, channels_last_3d, contiguous_format, memory_format

ndarray = np.ndarray


def axes(format: memory_format, ndim: int) -> tuple[int, ...]:
    """Return the dimensions from the slowest to the fastest; RuntimeError for another rank."""
    rank = {channels_last: 4, channels_last_3d: 5}.get(format)
    if rank is None:
        return tuple(range(ndim))
    if ndim != rank:
        raise RuntimeError(f"required rank {rank} tensor to use {str(format)[6:]} format, got "
                           f"{ndim} dimensions")
    return (0, *range(2, rank), 1)


def has_format(array: ndarray, format: memory_format) -> bool:
    """Return True if the array is dense in that order."""
    if array.ndim != {channels_last: 4, channels_last_3d: 5}.get(format, array.ndim):
        return False
    return array.transpose(axes(format, array.ndim)).flags.c_contiguous


def empty(shape: tuple[int, ...], dtype: Any, format: memory_format) -> ndarray:
    """Return an unset array in that order."""
    order = axes(format, len(shape))
    return np.empty([shape[k] for k in order], dtype).transpose(np.argsort(order))


def copied(array: ndarray, format: memory_format) -> ndarray:
    """Return a copy of an array in that order."""
    out = empty(array.shape, array.dtype, format)
    out[...] = array
    return out


def unset_like(array: ndarray, dtype: Any) -> ndarray:
    """Return an unset dense array with the dimensions in the order of another array's strides.

    Dimensions of stride 0 (expanded ones) keep their place among the others, as in PyTorch.
    """
    strides = array.strides
    if 0 not in strides:
        return np.empty_like(array, dtype)
    order = list(range(array.ndim))[::-1]  # from the fastest to the slowest, by insertion
    for i in range(1, array.ndim):
        at = i
        for k in range(i - 1, -1, -1):
            a, b = strides[order[k]], strides[order[at]]
            if not (a and b):
                continue
            if a <= b:
                break
            order[k], order[at], at = order[at], order[k], k
    axes = order[::-1]
    return np.empty([array.shape[k] for k in axes], dtype).transpose(np.argsort(axes))


def stride_of(shape: tuple[int, ...], format: memory_format) -> tuple[int, ...]:
    """Return the strides, in elements, of a dense array in that order."""
    steps, step = [0] * len(shape), 1
    for k in reversed(axes(format, len(shape))):
        steps[k], step = step, step * max(shape[k], 1)
    return tuple(steps)


def suggested(array: ndarray) -> memory_format:
    """Return the format that an array's strides show: contiguous_format if none fits."""
    for format in (channels_last, channels_last_3d):
        if not array.flags.c_contiguous and has_format(array, format):
            return format
    return contiguous_format
