"""Average pooling and adaptive average pooling with their gradients.

Both are separable: sums along one axis after the other, then one division by the window's size,
which is a product over the axes, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minigrad.kernels._halves import is_halving, spread_halves, sum_halves
from minigrad.kernels._moments import sums
from minigrad.kernels._planes import in_planes
from minigrad.kernels._windows import Axis, Ints, adaptive_bounds, at, axes, output_size

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_Tap = tuple[Any, Any]  # outputs, and the input of each: slices or index arrays


@np.errstate(all="ignore")
def avg_pool(
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Return the average of every window.

    The sum is divided by the elements of the window, including those in the padding only if
    `count_include_pad`, or by `divisor_override`. What `ceil_mode` adds beyond the padding never
    counts. x (N, C, *spatial) -> y (N, C, *out). Integers are divided towards zero.
    """
    ones = (1,) * len(kernel)
    out = output_size(x.shape[2:], kernel, stride, padding, ones, ceil_mode)
    plan = axes(x.shape[2:], kernel, stride, padding, ones, out)
    if x.dtype in _FLOATS and is_halving(plan) and x.size:
        y = np.empty(x.shape[:2] + out, x.dtype)
        divisor = divisor_override or 2 ** len(out)
        in_planes(_halved, (np.ascontiguousarray(x), y), divisor)
        return y
    y = _sums(x, [_taps(axis) for axis in plan], out)
    return _divided(y, _counts(plan, count_include_pad, divisor_override), x.dtype)


@np.errstate(all="ignore")
def avg_pool_backward(
    g: np.ndarray,
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Return the gradient of `avg_pool` for its input: (N, C, *spatial)."""
    ones = (1,) * len(kernel)
    out = output_size(tuple(spatial), kernel, stride, padding, ones, ceil_mode)
    plan = axes(tuple(spatial), kernel, stride, padding, ones, out)
    if is_halving(plan) and not any(n % 2 for n in spatial) and g.size:
        scaled = np.ascontiguousarray(g / g.dtype.type(divisor_override or 2 ** len(out)))
        dx = np.empty(g.shape[:2] + tuple(spatial), g.dtype)
        in_planes(spread_halves, (scaled, dx))
        return dx
    scaled = _divided(_wide(g), _counts(plan, count_include_pad, divisor_override), None)
    taps = [[(source, to) for to, source in _taps(axis)] for axis in plan]
    return _sums(scaled, taps, tuple(spatial)).astype(g.dtype, copy=False)


def _halved(x: np.ndarray, y: np.ndarray, divisor: int) -> None:
    """Write the averages of windows of two elements along each axis to y."""
    sum_halves(x, y)
    y += 0  # a sum that starts with 0, as PyTorch's, is never -0.0
    y /= divisor


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _taps(axis: Axis) -> list[_Tap]:
    return [axis.inside(tap) for tap in range(axis.kernel)]


def _sums(x: np.ndarray, taps: Sequence[Sequence[_Tap]], sizes: Ints) -> np.ndarray:
    """Add along each spatial axis what the taps read; float16 is added in float32.

    The axes in the order in which the last one, whose steps are not contiguous, is the shortest.
    """
    x = _wide(x)
    if sizes == (1,) * len(sizes) and x.dtype.kind == "f" and x.size and _whole(taps, x.shape[2:]):
        total = sums(np.ascontiguousarray(x).reshape(*x.shape[:2], -1))
        return total.astype(x.dtype).reshape(*x.shape[:2], *sizes)
    shrinks = prod(sizes) < prod(x.shape[2:])
    for k in range(len(sizes)) if shrinks else reversed(range(len(sizes))):
        y = np.zeros(x.shape[: k + 2] + sizes[k : k + 1] + x.shape[k + 3 :], x.dtype)
        for to, source in taps[k]:
            y[at(k + 2, to)] += x[at(k + 2, source)]
        x = y
    return x


def _whole(taps: Sequence[Sequence[_Tap]], spatial: Ints) -> bool:
    """Return whether the one window along each axis reads every input once."""
    return all(
        len(each) == n and all(to == slice(0, 1) and source.stop for to, source in each)
        for each, n in zip(taps, spatial, strict=True)
    )


@lru_cache(maxsize=64)
def _counts(plan: tuple[Axis, ...], include_pad: bool, override: int | None) -> np.ndarray:
    """Return the divisor of every output."""
    if override is not None:
        return np.array(override)
    counts = np.ones(())
    for axis in plan:
        first = np.arange(axis.out) * axis.stride - axis.padding
        last = np.minimum(first + axis.kernel, axis.size + axis.padding)
        if not include_pad:
            first, last = np.maximum(first, 0), np.minimum(last, axis.size)
        counts = np.multiply.outer(counts, last - first)
    return np.maximum(counts, 1) if not include_pad else counts


def _divided(y: np.ndarray, counts: np.ndarray, dtype: np.dtype | None) -> np.ndarray:
    """Divide sums and round once to the dtype of the result."""
    if y.dtype.kind in "iu":
        counts = counts.astype(y.dtype)
        return np.sign(y) * (np.abs(y) // counts)
    y = y / counts.astype(y.dtype)
    return y if dtype is None else y.astype(dtype, copy=False)


@np.errstate(all="ignore")
def adaptive_avg_pool(x: np.ndarray, output_size: Ints) -> np.ndarray:
    """Return averages over a grid of windows that cover x: (N, C, *output_size)."""
    spatial, out = x.shape[2:], tuple(output_size)
    if x.dtype in _FLOATS and x.size and out == (1,) * len(out):
        total = sums(np.ascontiguousarray(x).reshape(*x.shape[:2], -1))
        total /= prod(spatial)
        return total.astype(x.dtype).reshape(x.shape[:2] + out)
    y = _sums(x, _adaptive_taps(spatial, out), out)
    return _divided(y, _adaptive_counts(spatial, out), x.dtype)


@np.errstate(all="ignore")
def adaptive_avg_pool_backward(g: np.ndarray, spatial: Ints) -> np.ndarray:
    """Return the gradient of `adaptive_avg_pool` for its input: (N, C, *spatial)."""
    if set(g.shape[2:]) == {1}:
        scaled = _wide(g) / prod(spatial)
        dx = np.empty(g.shape[:2] + tuple(spatial), g.dtype)
        np.copyto(dx, scaled, casting="same_kind")
        return dx
    scaled = _divided(_wide(g), _adaptive_counts(tuple(spatial), g.shape[2:]), None)
    forward = _adaptive_taps(tuple(spatial), g.shape[2:])
    taps = [[(source, to) for to, source in each] for each in forward]
    return _sums(scaled, taps, tuple(spatial)).astype(g.dtype, copy=False)


@lru_cache(maxsize=64)
def _adaptive_taps(spatial: Ints, out: Ints) -> list[list[_Tap]]:
    """Return the taps of each axis, as slices where all windows have the same size."""
    return [
        _taps(Axis(n, n // m, n // m, 0, 1, m)) if m and n % m == 0 else _uneven_taps(n, m)
        for n, m in zip(spatial, out, strict=True)
    ]


def _uneven_taps(size: int, out: int) -> list[_Tap]:
    """Return the taps of one axis as index arrays in which no index occurs twice."""
    first, last = adaptive_bounds(size, out)
    taps: list[_Tap] = []
    sharing = int(np.bincount(first).max(initial=1))  # neighbours read one input when out > size
    for tap in range(int((last - first).max(initial=0))):
        to = np.flatnonzero(first + tap < last)
        for k in range(sharing):
            part = to[k::sharing]
            taps.append((part, first[part] + tap))
    return taps


@lru_cache(maxsize=64)
def _adaptive_counts(spatial: Ints, out: Ints) -> np.ndarray:
    counts = np.ones(())
    for n, m in zip(spatial, out, strict=True):
        first, last = adaptive_bounds(n, m)
        counts = np.multiply.outer(counts, last - first)
    return counts
