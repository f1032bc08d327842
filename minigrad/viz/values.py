"""Numbers about arrays: range, norm, NaN, dead units, and the values themselves if they are few."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._quiet import hush, unhush
from .parts import Stats

FEW = 64  # elements up to which all values are kept
SIDE = 16  # rows and columns of the sample of larger arrays


def stats_of(array: np.ndarray[Any, Any] | None, detailed: bool = True) -> Stats | None:
    """Return what is to be known of an array; `detailed`: with values or a sample of them."""
    if array is None or array.dtype.kind not in "fiub":
        return None
    if array.size == 0:
        return Stats(values=() if detailed else None)
    loud = hush()
    try:
        return _stats(array, detailed)
    finally:
        unhush(loud)


def _stats(array: np.ndarray[Any, Any], detailed: bool) -> Stats:
    zeros = array.size - int(np.count_nonzero(array))
    nan = inf = 0
    real = array
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
            real = array[np.isfinite(array)]
    if real.size:
        wide = real.astype(np.float64, copy=False)
        flat = wide.ravel()
        low, high = float(real.min()), float(real.max())
        mean, norm = float(flat.mean()), float(np.sqrt(flat @ flat))
    else:
        low = high = mean = norm = None  # type: ignore[assignment]
    values = picture = None
    if detailed:
        if array.size <= FEW:
            values = tuple(_plain(v) for v in array.ravel().tolist())
        else:
            picture = _picture(array)
    return Stats(_plain(low), _plain(high), _plain(mean), _plain(norm), zeros, nan, inf,
                 _dead(array, zeros), values, picture)


def _dead(array: np.ndarray[Any, Any], zeros: int) -> float | None:
    """Return the share of units, those of dim 1, that are zero everywhere else."""
    if array.dtype.kind != "f" or array.ndim < 2:
        return None
    if zeros < array.size // array.shape[1]:
        return 0.0
    axes = (0, *range(2, array.ndim))
    return _plain(float((~array.any(axis=axes)).mean()))


def _picture(array: np.ndarray[Any, Any]) -> tuple[tuple[float, ...], ...]:
    """Return a sample of the last two dimensions, of the first entry of the others."""
    flat = array.reshape(1, -1) if array.ndim == 1 else array[(0,) * (array.ndim - 2)]
    rows, columns = (np.unique(np.linspace(0, n - 1, min(n, SIDE)).round().astype(int))
                     for n in flat.shape)
    return tuple(tuple(_plain(v) for v in row) for row in flat[np.ix_(rows, columns)].tolist())


def _plain(value: Any) -> Any:
    """Return a number with six significant digits: enough to read, the same on every machine."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
