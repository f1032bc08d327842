"""Pooling with windows of two elements along each axis that do not overlap: the usual case.

The last axis first. To compare neighbours in strides of two takes three times as long as to
compare all neighbours of the flat array (0.09 ns per element) and to pick every second result:
the lower half of each pair, taken as one integer. The other axes are done in the same way, where
neighbours are a whole row apart, and every second row is picked, as one item of so many bytes.

The winner's position in its window, in row-major order, is a number with one bit per axis. With
the positions c0, c1 of two rows' winners and `lower` where the second row is larger, that of both
is max(c0, lower (c1 | bit)).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from minigrad.kernels._windows import Axis

__all__ = ["is_halving", "max_halves", "spread_halves", "sum_halves"]

Array = np.ndarray

# Little-endian everywhere: the lower half of a pair is its first element.
_PAIRS = {size: np.dtype(f"<u{2 * size}") for size in (1, 2, 4)}
_HALVES = {size: np.dtype(f"<u{size}") for size in (1, 2, 4)}


@lru_cache(maxsize=256)
def is_halving(plan: tuple[Axis, ...]) -> bool:
    """Return whether the windows are the halves of each axis, but for a last odd element."""
    return all(
        axis.kernel == axis.stride == 2
        and axis.padding == 0
        and axis.dilation == 1
        and axis.out == axis.size // 2
        for axis in plan
    )


def max_halves(x: Array, y: Array, choice: Array) -> None:
    """Write the maxima of x (planes, *spatial) without NaN to y, the winners' positions to choice.

    Equal values leave the first one the winner.
    """
    x = _even(x, y.shape)
    spatial, x = y.shape[1:], x.reshape(-1)
    y, choice = y.reshape(-1), choice.reshape(-1)
    best, won = np.empty(x.shape, x.dtype), np.empty(x.shape, bool)
    np.maximum(x[1:], x[:-1], out=best[:-1])
    np.greater(x[1:], x[:-1], out=won[:-1])
    last = len(spatial) == 1
    best = _every_second(best, y if last else np.empty(x.size // 2, x.dtype))
    won = _every_second(won.view(np.uint8), choice if last else np.empty(x.size // 2, np.uint8))
    row, bit = 1, 1
    for axis in range(len(spatial) - 1, 0, -1):
        row *= spatial[axis]
        bit *= 2
        larger, code = np.empty(best.shape, best.dtype), np.empty(won.shape, np.uint8)
        upper, lower, found = best[:-row], best[row:], code[:-row]
        np.maximum(lower, upper, out=larger[:-row])
        np.bitwise_or(won[row:], bit, out=found)
        found *= np.greater(lower, upper).view(np.uint8)
        np.maximum(found, won[:-row], out=found)
        half = best.size // 2
        best = _every_second_row(larger, row, y if axis == 1 else np.empty(half, x.dtype))
        won = _every_second_row(code, row, choice if axis == 1 else np.empty(half, np.uint8))


def sum_halves(x: Array, y: Array) -> None:
    """Write the sums of the windows of floating x (planes, *spatial) to y."""
    spatial, x = y.shape[1:], _even(x, y.shape).reshape(-1)
    y = y.reshape(-1)
    total = np.empty(x.shape, x.dtype)
    np.add(x[1:], x[:-1], out=total[:-1])
    total = _every_second(total, y if len(spatial) == 1 else np.empty(x.size // 2, x.dtype))
    row = 1
    for axis in range(len(spatial) - 1, 0, -1):
        row *= spatial[axis]
        sums = np.empty(total.shape, x.dtype)
        np.add(total[row:], total[:-row], out=sums[:-row])
        out = y if axis == 1 else np.empty(total.size // 2, x.dtype)
        total = _every_second_row(sums, row, out)


def spread_halves(g: Array, dx: Array) -> None:
    """Write each element of g (planes, *out) to all of its window in dx, of even sizes."""
    planes, *out = g.shape
    pairs = np.repeat(g, 2) if g.itemsize > 4 else _doubled(g)
    rows = pairs.view(_bytes(2 * out[-1] * g.itemsize)).reshape(planes, *out[:-1])
    target = dx.reshape(-1).view(rows.dtype)
    target = target.reshape(planes, *(size for n in out[:-1] for size in (n, 2)))
    every = slice(None)
    for corner in range(1 << len(out) - 1):
        bits = [corner >> axis & 1 for axis in range(len(out) - 1)]
        target[(every, *(index for bit in bits for index in (every, bit)))] = rows


def _doubled(g: Array) -> Array:
    """Return a flat array with every element of g twice: as the halves of an integer."""
    pairs = g.reshape(-1).view(_HALVES[g.itemsize]).astype(_PAIRS[g.itemsize])
    pairs *= (1 << 8 * g.itemsize) + 1
    return pairs


def _even(x: Array, shape: tuple[int, ...]) -> Array:
    """Return x without the last element of odd axes."""
    if x.shape[1:] == tuple([2 * n for n in shape[1:]]):
        return x
    return np.ascontiguousarray(x[(slice(None), *(slice(2 * n) for n in shape[1:]))])


def _every_second(x: Array, out: Array) -> Array:
    """Write elements 0, 2, 4, ... of flat x to out and return it."""
    size = x.itemsize
    if size in _PAIRS:
        np.copyto(out.view(_HALVES[size]), x.view(_PAIRS[size]), casting="unsafe")
    else:
        np.copyto(out, x[::2])
    return out


def _every_second_row(x: Array, row: int, out: Array) -> Array:
    """Write rows 0, 2, 4, ... of flat x, rows of so many elements, to out and return it."""
    item = _bytes(row * x.itemsize)
    np.copyto(out.view(item), x.view(item)[::2])
    return out


@lru_cache(maxsize=64)
def _bytes(count: int) -> np.dtype:
    return np.dtype(f"V{count}")
