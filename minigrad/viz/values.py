"""Numbers about arrays: range, norm, NaN, dead units, and the values themselves if they are few."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from .._quiet import hush, unhush
from .parts import Stats

FEW = 64  # elements up to which all values are kept
SIDE = 16  # rows and columns of the sample of larger arrays
SMALL = 24  # elements up to which Python's own loops are faster than NumPy's calls


RANGES = {"sigmoid": (0.0, 1.0), "logistic": (0.0, 1.0), "tanh": (-1.0, 1.0),
          "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0)}


def stats_of(array: np.ndarray[Any, Any] | None, detailed: bool = True,
             op: str = "") -> Stats | None:
    """Return what is to be known of an array; `detailed`: with values or a sample of them.

    `op` is the name of the op that made it: those with a bounded range can be saturated.
    """
    if array is None or array.dtype.kind not in "fiub":
        return None
    if array.size == 0:
        return Stats(values=() if detailed else None)
    if array.size <= SMALL and op not in RANGES:
        values = array.ravel().tolist()
        total = sum(values)
        if math.isfinite(total):
            return _small(array, values, total, detailed)
    loud = hush()
    try:
        found = _stats(array, detailed)
        if op in RANGES:
            return replace(found, saturated=_saturated(array, *RANGES[op]))
        return found
    finally:
        unhush(loud)


def _small(array: np.ndarray[Any, Any], values: list[Any], total: float,
           detailed: bool) -> Stats:
    """Return what `_stats` does, for a few finite numbers."""
    zeros = values.count(0)
    return Stats(min(values), max(values), total / len(values),
                 math.sqrt(sum([v * v for v in values])), zeros, dead=_dead(array, zeros),
                 values=tuple(values) if detailed else None)


def norm_of(array: np.ndarray[Any, Any]) -> float:
    """Return the square root of the sum of squares."""
    if array.size <= SMALL:
        square = sum([v * v for v in array.ravel().tolist()])
    else:
        flat = array.ravel().astype(np.float64, copy=False)
        square = float(flat @ flat)
    return math.sqrt(square)


def _saturated(array: np.ndarray[Any, Any], low: float, high: float) -> float:
    """Return the share within a hundredth of the range from its ends."""
    near = (high - low) / 100
    return float(((array < low + near) | (array > high - near)).mean())


def _stats(array: np.ndarray[Any, Any], detailed: bool) -> Stats:
    zeros = array.size - int(np.count_nonzero(array))
    flat = array.ravel()
    nan = inf = 0
    low = high = mean = norm = None
    if array.dtype.kind == "f":
        total = float(np.add.reduce(flat, dtype=np.float64))
        if not math.isfinite(total):
            good = np.isfinite(flat)
            nan = int(np.isnan(flat).sum())
            inf = flat.size - int(good.sum()) - nan
            flat = flat[good]
    if flat.size:
        wide = flat.astype(np.float64, copy=False)
        low, high = np.minimum.reduce(flat).item(), np.maximum.reduce(flat).item()
        mean, norm = float(np.add.reduce(wide)) / wide.size, math.sqrt(float(wide @ wide))
    values = picture = None
    if detailed:
        if array.size <= FEW:
            values = tuple(array.ravel().tolist())
        else:
            picture = _picture(array)
    return Stats(low, high, mean, norm, zeros, nan, inf, _dead(array, zeros), values=values,
                 picture=picture)


def _dead(array: np.ndarray[Any, Any], zeros: int) -> float | None:
    """Return the share of units, those of dim 1, that are zero everywhere else."""
    if array.dtype.kind != "f" or array.ndim < 2:
        return None
    if zeros < array.size // array.shape[1]:
        return 0.0
    axes = (0, *range(2, array.ndim))
    return float((~array.any(axis=axes)).mean())


def _picture(array: np.ndarray[Any, Any]) -> tuple[tuple[float, ...], ...]:
    """Return a sample of the last two dimensions, of the first entry of the others."""
    flat = array.reshape(1, -1) if array.ndim == 1 else array[(0,) * (array.ndim - 2)]
    rows, columns = (np.unique(np.linspace(0, n - 1, min(n, SIDE)).round().astype(int))
                     for n in flat.shape)
    return tuple(map(tuple, flat[np.ix_(rows, columns)].tolist()))


@functools.cache
def dtype_name(dtype: Any) -> str:
    """Return a dtype's name; NumPy makes the text anew each time, which is slow."""
    return "" if dtype is None else dtype.name
