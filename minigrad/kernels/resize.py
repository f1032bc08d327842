"""Resizing along one dimension: of which inputs each output is made, and with which weights.

Plain NumPy. `taps` gives two arrays (K, out): the numbers of K inputs per output and their weights.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from . import cubic

ndarray = np.ndarray
# half the width of the kernels that smooth before they shrink
SUPPORT = {"bilinear": 1, "bicubic": 2, "lanczos": 3}


@lru_cache(maxsize=256)
def taps(size: int, out: int, mode: str, align: bool, scale: float | None, antialias: bool,
         narrow: bool) -> tuple[ndarray, ndarray]:
    """Return the inputs (K, out) of each output, and their weights.

    `scale` is the asked factor, None where only sizes count. `narrow`: round "nearest" places as
    PyTorch does for dtypes below float64.
    """
    if align:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    else:
        step = 1 / scale if scale is not None and scale > 0 else size / out
    if mode.startswith("nearest"):
        return _nearest(size, out, mode, step, narrow)
    if antialias:
        return _smoothed(size, out, mode, step)
    start = np.arange(out) * step if align else (np.arange(out) + 0.5) * step - 0.5
    if mode == "bicubic":
        first = np.floor(start)
        index = first.astype(np.int64) + np.arange(-1, 3)[:, None]
        return index.clip(0, size - 1), np.stack(cubic.weights(start - first))
    start = np.maximum(start, 0)
    first = np.minimum(start.astype(np.int64), size - 1)
    rest = np.clip(start - first, 0, 1)
    return np.stack([first, np.minimum(first + 1, size - 1)]), np.stack([1 - rest, rest])


def _nearest(size: int, out: int, mode: str, step: float, narrow: bool) -> tuple[ndarray, ndarray]:
    """Return the one nearest input; PyTorch rounds the places to float32 before it takes floor."""
    single: Any = np.float32 if narrow else np.float64
    step, places = single(step), np.arange(out).astype(single)
    if mode == "nearest":
        start = places * step
    else:
        exact = places.astype(np.float64) + 0.5
        start = np.maximum((exact * float(step) - 0.5).astype(single), 0) + single(0.5)
    index = np.floor(start.astype(np.float32)).astype(np.int64)
    index = np.minimum(index, size - 1)[None]
    return index, np.ones(index.shape)


def _smoothed(size: int, out: int, mode: str, step: float) -> tuple[ndarray, ndarray]:
    """Return all inputs below a kernel that is stretched by `step` where the image shrinks."""
    stretch = max(step, 1.0)
    support = SUPPORT[mode] * stretch
    centre = (np.arange(out) + 0.5) * step
    low = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    high = np.minimum((centre + support + 0.5).astype(np.int64), size)
    index = low + np.arange(max(int((high - low).max()), 1))[:, None]
    weight = _kernel(mode, (index - centre + 0.5) / stretch) * (index < high)
    total = weight.sum(0)
    return np.minimum(index, size - 1), weight / np.where(total == 0, 1, total)


def _kernel(mode: str, x: ndarray) -> ndarray:
    x = np.abs(x)
    if mode == "bilinear":
        return np.maximum(1 - x, 0)
    if mode == "lanczos":
        return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0)
    a = -0.5  # image libraries' choice, with which quadratic images are kept
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


# --------------------------------------------------------------------------------------- applying
def column(weights: ndarray, dtype: Any, after: int) -> ndarray:
    """Return the weights of one tap, to be multiplied along an axis with `after` axes behind it."""
    return weights.astype(dtype).reshape(-1, *(1,) * after)


def along(x: ndarray, axis: int, index: ndarray, weights: ndarray) -> ndarray:
    """Return the weighted sums of the taps along one axis."""
    if x.dtype == np.uint8:
        return _bytes_along(x, axis, index, weights)
    parts = (x.take(tap, axis) * column(weight, x.dtype, x.ndim - 1 - axis)
             for tap, weight in zip(index, weights, strict=True))
    total = next(parts)
    for part in parts:
        total += part
    return total


def spread_along(g: ndarray, axis: int, size: int, index: ndarray, weights: ndarray) -> ndarray:
    """Give each output's value back to its inputs: the adjoint of `along`."""
    dx = np.zeros((size, *g.shape[:axis], *g.shape[axis + 1:]), g.dtype)
    for tap, weight in zip(index, weights, strict=True):
        np.add.at(dx, tap, np.moveaxis(g * column(weight, g.dtype, g.ndim - 1 - axis), axis, 0))
    return np.moveaxis(dx, 0, axis)


def _bytes_along(x: ndarray, axis: int, index: ndarray, weights: ndarray) -> ndarray:
    """Do it in integers, as image libraries: weights of 16 bits, sums of 32, rounded to bytes."""
    if len(index) == 1:
        return x.take(index[0], axis)
    out = index.shape[1]
    table = np.zeros((out, x.shape[axis]))
    np.add.at(table, (np.arange(out), index), weights)
    bits = 0
    while bits < 22 and math.floor(0.5 + table.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    whole = np.trunc(table * (1 << bits) + np.copysign(0.5, table)).astype(np.int64)
    y = np.tensordot(whole, x.astype(np.int64), (1, axis)) + (1 << (bits - 1))
    return np.moveaxis(np.clip(y >> bits, 0, 255).astype(np.uint8), 0, axis)
