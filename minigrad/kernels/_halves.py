"""Pooling with windows of two elements along each axis that do not overlap: the usual case.

The last axis first. To compare neighbours in strides of two takes three times as long as to
compare all neighbours of the flat array (0.09 ns per element) and to pick every second result:
the lower half of each pair, taken as one integer. The other axes are done in the same way, where
neighbours are a whole row apart, and every second row is picked, as one item of so many bytes.

With the distances d0, d1 of two rows' winners from the first elements of their windows and `lower`
where the second row is larger, that of both is max(d0, lower (d1 + step)), for rows `step` apart.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minigrad.kernels._windows import Axis
    from minigrad.kernels._winners import Winners

__all__ = ["is_halving", "max_halves", "spread_halves", "sum_halves"]

Array = np.ndarray

SMALL = 1 << 15  # elements: of larger arrays no memory is kept
KEEP = 16  # shapes
_kept = threading.local()
_BYTE = np.dtype(np.uint8)
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


def max_halves(x: Array, y: Array, distance: Array, to: Winners) -> None:
    """Write the maxima of x (..., *spatial) without NaN to y, how far the winners are from the
    first elements of their windows to `distance`.

    Equal values leave the first one the winner.
    """
    x = (x if to.even else _even(x, to.shape)).reshape(-1)
    key = x.size, x.dtype, to
    kept: dict[Any, Any] = _kept.__dict__
    work = kept.get(key)
    if work is None:
        work = _MaxHalves(x.size, x.dtype, to.shape, to.steps, distance.dtype)
        if x.size <= SMALL:
            if len(kept) >= KEEP:
                kept.clear()
            kept[key] = work
    work(x, y.reshape(-1), distance.reshape(-1))


class _MaxHalves:
    """The memory of `max_halves` for one shape, and the views of it that are read and written.

    To make them takes as long as the arithmetic on 16,000 elements.
    """

    def __init__(
        self,
        size: int,
        kind: np.dtype,
        out: tuple[int, ...],
        steps: tuple[int, ...],
        far_kind: np.dtype,
    ) -> None:
        best, won = np.empty(size, kind), np.empty(size, bool)
        self.best, self.won = best[:-1], won[:-1]
        self.item, self.far_item, code = _HALVES.get(kind.itemsize, kind), _BYTE, _BYTE
        self.picked, self.far_picked = _every_second(best), _every_second(won.view(_BYTE))
        self.levels = []
        row = 1
        for axis in range(len(out) - 1, 0, -1):
            row *= out[axis]
            size //= 2
            values, far = np.empty(size, kind), np.empty(size, code)
            copies = [(values.view(self.item), self.picked),
                      (far.view(self.far_item), self.far_picked)]
            flags = np.empty(size - row, bool)
            better = wide = flags.view(_BYTE)
            if sum(steps[axis - 1 :]) > 255:
                near, code, wide = far, far_kind, np.empty(size - row, far_kind)
                far = near.astype(code)
                copies.append((far, near))
            total = np.empty(size, code)
            self.levels.append((
                copies, values[row:], values[:-row], best[: size - row], flags, better, wide,
                far[row:], far[:-row], total[:-row], np.array(steps[axis - 1], code),
            ))
            self.item, self.far_item = _bytes(row * kind.itemsize), _bytes(row * code.itemsize)
            self.picked = best[:size].view(self.item)[::2]
            self.far_picked = total.view(self.far_item)[::2]

    def __call__(self, x: Array, y: Array, distance: Array) -> None:
        left, right = x[:-1], x[1:]
        np.maximum(right, left, out=self.best)
        np.greater(right, left, out=self.won)
        for (copies, lower, upper, larger, flags, better, wide, far_lower, far_upper, total,
             step) in self.levels:
            for target, source in copies:
                target[...] = source
            np.maximum(lower, upper, out=larger)
            np.greater(lower, upper, out=flags)
            if wide is not better:
                wide[...] = better
            np.add(far_lower, step, out=total)
            np.multiply(total, wide, out=total)
            np.maximum(total, far_upper, out=total)
        y.view(self.item)[...] = self.picked
        distance.view(self.far_item)[...] = self.far_picked


def sum_halves(x: Array, y: Array) -> None:
    """Write the sums of the windows of floating x (planes, *spatial) to y."""
    out = y.shape[1:]
    x, y = _even(x, out).reshape(-1), y.reshape(-1)
    total, size, row = np.empty(x.size, x.dtype), x.size // 2, 1
    np.add(x[1:], x[:-1], out=total[:-1])
    item, picked = _HALVES.get(x.itemsize, x.dtype), _every_second(total)
    for axis in range(len(out) - 1, 0, -1):
        row *= out[axis]
        values = np.empty(size, x.dtype)
        values.view(item)[...] = picked
        np.add(values[row:], values[:-row], out=total[: size - row])
        item = _bytes(row * x.itemsize)
        picked = total[:size].view(item)[::2]
        size //= 2
    y.view(item)[...] = picked


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


def _even(x: Array, out: tuple[int, ...]) -> Array:
    """Return x (..., *spatial) without the last element of odd axes."""
    if x.shape[-len(out) :] == tuple([2 * n for n in out]):
        return x
    inside: Any = (..., *(slice(2 * n) for n in out))
    return np.ascontiguousarray(x[inside])


def _every_second(x: Array) -> Array:
    """Return what gives elements 0, 2, 4, ... of flat x when it is written to `_HALVES`."""
    pair = _PAIRS.get(x.itemsize)
    return x[::2] if pair is None else x.view(pair)


@lru_cache(maxsize=64)
def _bytes(count: int) -> np.dtype:
    """Return a dtype for items of so many bytes: a number, which is copied faster, if there is."""
    return np.dtype({1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}.get(count, f"V{count}"))
