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


def relative(found: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the error of each number in units of eps times the right number."""
    info = np.finfo(found.dtype)
    high = np.asarray(right, found.dtype)
    unit = np.maximum(np.abs(right) * info.eps, info.smallest_subnormal)
    with np.errstate(invalid="ignore"):
        error = np.abs(found - np.asarray(right, np.longdouble)) / unit
    same = (found == high) | np.isnan(found) & np.isnan(high)
    return np.where(same, 0, np.where(np.isnan(error), np.inf, error)).astype(np.float64)


def whole(found: np.ndarray, right: np.ndarray, terms: float = 0.0) -> float:
    """Return the largest error in units of eps times the largest right number (or of `terms`).

    Such a unit is one to two units of that number's last place, or of the smallest normal number's.
    """
    info = np.finfo(found.dtype)
    finite = np.isfinite(right.astype(found.dtype))
    if not np.array_equal(np.isfinite(found), finite):
        return np.inf
    largest = max(np.abs(right[finite]).max(initial=0), np.longdouble(info.tiny), terms)
    difference = np.abs(found[finite].astype(np.longdouble) - right[finite])
    return float(difference.max(initial=0) / (largest * info.eps))
