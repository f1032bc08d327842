"""Finding and counting values: unique, searchsorted, bucketize, bincount, histc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check, _dtype
from ..engine import op
from ._operands import underived

ndarray = np.ndarray


# ---------------------------------------------------------------------------------------- unique
@op(input=underived("unique"), also="inverse counts",
    shown=lambda dim: "Unique2Backward0" if dim is None else "UniqueDimBackward0")
def _unique(input: Any, dim: int | None) -> Any:
    axis = None if dim is None else _check.dim(dim, input.ndim)
    y, inverse, counts = np.unique(input, return_inverse=True, return_counts=True, axis=axis,
                                   equal_nan=False)
    return y, inverse.reshape(input.shape if axis is None else -1), counts


@op(input=underived("unique_consecutive"), also="inverse counts",
    shown="UniqueConsecutiveBackward0")
def _unique_consecutive(input: Any, dim: int | None) -> Any:
    axis = 0 if dim is None else _check.dim(dim, input.ndim)
    x = input.reshape(-1) if dim is None else input
    size = x.shape[axis]
    rows = np.moveaxis(x, axis, 0).reshape(size, x.size // max(size, 1))
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[1:] != rows[:-1]).any(1)
    starts = np.flatnonzero(new)
    inverse = np.cumsum(new) - 1
    counts = np.diff(starts, append=len(rows))
    return (np.take(x, starts, axis), inverse.reshape(input.shape if dim is None else -1), counts)


def _parts(found: tuple[Any, Any, Any], return_inverse: bool, return_counts: bool) -> Any:
    wanted = (True, return_inverse, return_counts)
    parts = tuple(part for part, want in zip(found, wanted, strict=True) if want)
    return parts if len(parts) > 1 else parts[0]


def unique(input: Any, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:
    """Return the different elements in order (with `dim`: the different slices along it).

    Args: sorted: the result is in order in any case; return_inverse: also where each element is in
    the result; return_counts: also how often each one occurs. Not differentiable.

    >>> import minigrad as torch
    >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    return _parts(_unique(input, dim), return_inverse, return_counts)


@_check.takes("input")
def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:
    """Return the elements without those that equal the one before; see `unique`.

    >>> import minigrad as torch
    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    return _parts(_unique_consecutive(input, dim), return_inverse, return_counts)


# ------------------------------------------------------------------------------------- searching
def _search(edges: ndarray, values: Any, right: bool) -> ndarray:
    """Return NumPy's searchsorted, row by row when the edges have more than one dimension."""
    side: Any = "right" if right else "left"
    if edges.ndim == 1:
        return np.asarray(np.searchsorted(edges, values, side))
    if not isinstance(values, ndarray) or edges.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            f"searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions "
            f"of boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(edges.shape)} and input value tensor {list(np.shape(values))}")
    if not values.size:
        return np.zeros(values.shape, np.int64)
    rows = edges.reshape(math.prod(edges.shape[:-1]), edges.shape[-1])
    found = [np.searchsorted(row, value, side) for row, value in
             zip(rows, values.reshape(len(rows), -1), strict=True)]
    return np.stack(found).reshape(values.shape)


@op(sorted_sequence=None, input=None, sorter=None)
def searchsorted(sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Any = None) -> Any:
    """Return where the values would have to be inserted into the sorted last dimension.

    Args: right (or side='right'): behind equal elements instead of before them; sorter: indices
    that sort the sequence, if it is not sorted itself.

    >>> import minigrad as torch
    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]))
    tensor([1, 3])
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f"searchsorted(): side must be 'left' or 'right' and agree with right=, "
                           f"got side={side!r} and right={right}")
    if sorter is not None:
        sorted_sequence = np.take_along_axis(sorted_sequence, sorter, -1)
    found = _search(sorted_sequence, input, right or side == "right")
    return found.astype(np.int32 if out_int32 else np.int64, copy=False)


@op(input=None, boundaries=None)
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Return the number of the bucket of each element between sorted boundaries.

    >>> import minigrad as torch
    >>> torch.bucketize(torch.tensor([0.5, 2.0]), torch.tensor([1., 2., 3.]))
    tensor([0, 1])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim("
                           f"{boundaries.ndim})")
    found = _search(boundaries, input, right)
    return found.astype(np.int32 if out_int32 else np.int64, copy=False)


# -------------------------------------------------------------------------------------- counting
@op(input=None, weights=None)
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each of 0, 1, 2, ... occurs, or the sum of its weights.

    >>> import minigrad as torch
    >>> torch.bincount(torch.tensor([3, 1, 3]))
    tensor([0, 1, 0, 2])
    """
    if input.dtype.kind == "f":
        raise NotImplementedError(f"bincount is not implemented for {_dtype.dtype_of(input)}; "
                                  f"convert with .long()")
    if input.ndim != 1 or (input.size and input.min() < 0):
        raise RuntimeError(f"bincount only supports 1-d non-negative integral inputs, got shape "
                           f"{list(input.shape)}")
    y = np.bincount(input, weights, minlength)
    if weights is None:
        return y.astype(np.int64, copy=False)
    return y.astype(np.float32 if weights.dtype == np.float32 else np.float64, copy=False)


@op(input=None)
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Return how many elements lie in each of `bins` equal parts of [min, max].

    Equal bounds mean the smallest and the largest element; what lies outside is not counted.

    >>> import minigrad as torch
    >>> torch.histc(torch.tensor([1., 2., 1.]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    if input.dtype.kind != "f":
        raise NotImplementedError(f"histc is not implemented for {_dtype.dtype_of(input)}; convert "
                                  f"with .float()")
    low, high = float(min), float(max)
    if low == high and input.size:
        low, high = float(input.min()), float(input.max())
    if low == high:
        low, high = low - 1, high + 1
    if not np.isfinite([low, high]).all() or low > high:
        raise RuntimeError(f"histc: max must be larger than min, and both finite, got range of "
                           f"[{low}, {high}]")
    inside = input[(input >= low) & (input <= high)].astype(np.float64)
    places = np.minimum(((inside - low) * (bins / (high - low))).astype(np.int64), bins - 1)
    return np.bincount(places, minlength=bins).astype(input.dtype)
