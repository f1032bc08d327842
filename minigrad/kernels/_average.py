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

from minigrad._quiet import quietly
from minigrad.kernels._halves import is_halving, spread_halves, sum_halves
from minigrad.kernels._moments import sums
from minigrad.kernels._planes import in_planes
from minigrad.kernels._tiles import KINDS, spread_over_tiles, tile_sums, tiles_of
from minigrad.kernels._windows import Axis, Ints, adaptive_bounds, at, axes, output_size

Plan = tuple[Axis, ...]
_Tap = tuple[Any, Any]  # outputs, and the input of each: slices or index arrays


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
    plan, divisor = _windows(
        x.shape[2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    return quietly(_average, x, plan, divisor)


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
    plan, divisor = _windows(
        tuple(spatial), kernel, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    return quietly(_spread, g, plan, divisor)


@lru_cache(maxsize=128)
def _windows(
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include_pad: bool,
    override: int | None,
) -> tuple[tuple[Axis, ...], np.ndarray]:
    """Return the windows along each axis, and the divisors: one, or one of each window."""
    ones = (1,) * len(kernel)
    out = output_size(spatial, kernel, stride, padding, ones, ceil_mode)
    plan = axes(spatial, kernel, stride, padding, ones, out)
    counts = _counts(plan, include_pad, override)
    if counts.size and (counts == counts.flat[0]).all():
        counts = np.array(counts.flat[0])
    return plan, counts


def _average(x: np.ndarray, plan: Plan, divisor: np.ndarray) -> np.ndarray:
    """Return the averages of windows: sums over `divisor`."""
    out = tuple([axis.out for axis in plan])
    if x.dtype in KINDS and x.size:
        tile = tiles_of(plan)
        if tile and (y := tile_sums(x, tile)) is not None:
            y /= divisor.astype(x.dtype)
            return y.reshape(x.shape[:2] + out)
        if is_halving(plan):
            y = np.empty(x.shape[:2] + out, x.dtype)
            in_planes(_halved, (np.ascontiguousarray(x), y), divisor.astype(x.dtype))
            return y
    return _divided(_sums(x, [_taps(axis) for axis in plan], out), divisor, x.dtype)


def _spread(g: np.ndarray, plan: Plan, divisor: np.ndarray) -> np.ndarray:
    """Return each g over `divisor` added to all elements of its window."""
    spatial = tuple([axis.size for axis in plan])
    if g.dtype in KINDS and g.size and (tile := tiles_of(plan)):
        scaled = g / divisor.astype(g.dtype)
        if (dx := spread_over_tiles(scaled, tile, spatial)) is not None:
            return dx
    if is_halving(plan) and not any(n % 2 for n in spatial) and g.size:
        scaled = np.ascontiguousarray(g / divisor.astype(g.dtype))
        dx = np.empty(g.shape[:2] + spatial, g.dtype)
        in_planes(spread_halves, (scaled, dx))
        return dx
    scaled = _divided(_wide(g), divisor, None)
    taps = [[(source, to) for to, source in _taps(axis)] for axis in plan]
    return _sums(scaled, taps, spatial).astype(g.dtype, copy=False)


def _halved(x: np.ndarray, y: np.ndarray, divisor: np.ndarray) -> None:
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


def adaptive_avg_pool(x: np.ndarray, output_size: Ints) -> np.ndarray:
    """Return averages over a grid of windows that cover x: (N, C, *output_size)."""
    return quietly(_adaptive, x, tuple(output_size))


def _adaptive(x: np.ndarray, out: Ints) -> np.ndarray:
    spatial = x.shape[2:]
    if x.dtype in KINDS and x.size and out == (1,) * len(out):
        total = sums(np.ascontiguousarray(x).reshape(*x.shape[:2], -1))
        total /= prod(spatial)
        return total.astype(x.dtype).reshape(x.shape[:2] + out)
    if (even := _even_windows(spatial, out)) is not None:
        return _average(x, *even)
    y = _sums(x, _adaptive_taps(spatial, out), out)
    return _divided(y, _adaptive_counts(spatial, out), x.dtype)


def adaptive_avg_pool_backward(g: np.ndarray, spatial: Ints) -> np.ndarray:
    """Return the gradient of `adaptive_avg_pool` for its input: (N, C, *spatial)."""
    return quietly(_adaptive_backward, g, tuple(spatial))


def _adaptive_backward(g: np.ndarray, spatial: Ints) -> np.ndarray:
    if set(g.shape[2:]) == {1}:
        scaled = _wide(g) / prod(spatial)
        dx = np.empty(g.shape[:2] + spatial, g.dtype)
        np.copyto(dx, scaled, casting="same_kind")
        return dx
    if (even := _even_windows(spatial, g.shape[2:])) is not None:
        return _spread(g, *even)
    scaled = _divided(_wide(g), _adaptive_counts(spatial, g.shape[2:]), None)
    forward = _adaptive_taps(spatial, g.shape[2:])
    taps = [[(source, to) for to, source in each] for each in forward]
    return _sums(scaled, taps, spatial).astype(g.dtype, copy=False)


@lru_cache(maxsize=64)
def _even_windows(spatial: Ints, out: Ints) -> tuple[Plan, np.ndarray] | None:
    """Return windows and their size, as `_windows` does, if all have the same size."""
    if not all(m and n % m == 0 for n, m in zip(spatial, out, strict=True)):
        return None
    kernel = tuple([n // m for n, m in zip(spatial, out, strict=True)])
    return _windows(spatial, kernel, kernel, (0,) * len(out), False, True, None)


@lru_cache(maxsize=64)
def _adaptive_taps(spatial: Ints, out: Ints) -> list[list[_Tap]]:
    """Return the taps of each axis, as slices where its windows have the same size."""
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
