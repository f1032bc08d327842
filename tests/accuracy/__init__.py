"""Inputs on which naive formulas lose digits, and what their results are to many more digits.

`activations` holds functions of one variable, `norms` the normalisation layers and `shares` softmax
and its relatives. Each table runs on minigrad and, by tests/record_accuracy.py, on torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = ("float16", "float32", "float64")


def units(found: np.ndarray, high: np.ndarray, low: Any = 0.0) -> np.ndarray:
    """Return the error of each number in units of the last place of the right one, high + low.

    Where the right number is beyond the dtype's range, infinity has the error 0.
    """
    dtype = found.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        nearest = np.asarray(high).astype(dtype)
        unit = np.spacing(np.abs(nearest)).astype(np.longdouble)
        difference = found.astype(np.longdouble) - np.asarray(high, np.longdouble) - low
        error = np.abs(difference / unit).astype(np.float64)
    same = (found == nearest) & ~np.isfinite(nearest) | np.isnan(found) & np.isnan(nearest)
    error[same] = 0
    return np.where(np.isnan(error), np.inf, error)


def whole(found: np.ndarray, right: np.ndarray) -> float:
    """Return the largest error in units of the last place of the largest right number."""
    largest = np.abs(right[np.isfinite(right)]).max(initial=0).astype(found.dtype)
    finite = np.isfinite(right.astype(found.dtype))
    if not np.array_equal(np.isfinite(found), finite):
        return np.inf
    difference = np.abs(found[finite].astype(np.longdouble) - right[finite])
    unit = np.spacing(np.maximum(largest, np.finfo(found.dtype).tiny)).astype(np.longdouble)
    return float((difference / unit).max(initial=0))
