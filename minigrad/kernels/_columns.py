"""The columns of some images of a batch, in memory that is used again.

The zeros around the images in a source are written once, so a source belongs to one geometry. Each
thread keeps the sources it used last, up to KEEP bytes, with all the views that the copies go
through: making them takes longer than copying a small image. The columns are written whole each
time, so all geometries share one piece of memory for them (or two, for two at a time).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import prod
from typing import Any

import numpy as np

from minigrad.kernels._threads import aligned
from minigrad.kernels.lowering import Clear, Ints, Lowering, tiles

KEEP = 1 << 23  # bytes of sources that a thread keeps
LARGEST = 1 << 23  # bytes of columns that are not kept
_ALL = slice(None)
Sizes = tuple[int, int, int]  # images, groups, channels of a group


class Columns:
    """The source and the columns of a geometry for n images with G groups of C channels.

    The columns are the matrices (n, G, C * T, positions) for T taps or, if `wide`, with the images
    side by side, (1, G, C * T, n * positions). `ones` adds a row of ones, which a bias multiplies.
    """

    def __init__(
        self, plan: Lowering, sizes: Sizes, wide: bool, ones: bool, memory: np.ndarray, dtype: Any
    ) -> None:
        n, groups, channels = sizes
        item, size = dtype.itemsize, plan.positions
        shape = column_shape(plan, sizes, wide, ones)
        self.matrices = np.ndarray(shape, dtype, memory)
        self.ones = self.matrices[:, :, -1] if ones else None
        per_image, per_group, row, _ = self.matrices.strides
        if wide:
            per_image = size * item
        self.plan = plan
        axes = len(plan.out)
        taps = tuple(row * prod(plan.kernel[a + 1 :]) for a in range(axes))
        self.strides = (per_image, per_group, *taps, plan.taps * row, item)
        whole = (n, groups, *plan.kernel, channels, size)
        columns: np.ndarray = np.ndarray(whole, dtype, memory, 0, self.strides)
        self.places: list[tuple[np.ndarray, Any]] = []
        self.copies: list[tuple[np.ndarray, np.ndarray]] = []
        self.margins: list[np.ndarray] = []
        self.tiles: np.ndarray | None = None
        if plan.patches:
            self.tiles = columns.reshape(*whole[:-1], *plan.out)
            self.source = columns[:0]
            return
        self.source = np.zeros((plan.parts, *sizes, plan.length), dtype)
        grid = self.source[..., plan.front : plan.front + plan.rows * plan.row]
        grid = grid.reshape(*self.source.shape[:-1], plan.rows, *plan.out[1:])
        for place in plan.places:
            inside: Any = (place.part, _ALL, _ALL, _ALL, *place.target)
            self.places.append((grid[inside], (..., *place.source)))
        part, *outer, channel, _ = self.source.strides
        for taken, counts, first, start, steps in plan.windows:
            units = [item if plan.runs or a == 0 else part for a in range(axes)]
            moves = [step * unit for step, unit in zip(steps, units, strict=True)]
            window: np.ndarray = np.ndarray(
                (n, groups, *counts, channels, size),
                dtype,
                self.source,
                first * part + start * item,
                (*outer, *moves, channel, item),
            )
            these: Any = (_ALL, _ALL, *taken)
            self.copies.append((columns[these], window))
        self.margins = [self._margin(plan, sizes, c, memory, dtype) for c in plan.clears]

    def _margin(
        self, plan: Lowering, sizes: Sizes, clear: Clear, memory: np.ndarray, dtype: Any
    ) -> np.ndarray:
        """Return the view of the columns that a `Clear` sets to zero."""
        n, groups, channels = sizes
        axis, taps, starts, width = clear
        outer, moves, channel = self.strides[:2], [*self.strides[2:-2]], self.strides[-2]
        steps = tuple(step * dtype.itemsize for step in plan.steps)
        offset = taps[0] * moves[axis] + starts[0] * steps[axis]
        moves[axis] = (taps[-1] - taps[0]) * moves[axis] + (starts[-1] - starts[0]) * steps[axis]
        kernel, out = [*plan.kernel], [*plan.out]
        kernel[axis], out[axis] = len(taps), width
        shape = (n, groups, *kernel, channels, *out)
        return np.ndarray(shape, dtype, memory, offset, (*outer, *moves, channel, *steps))

    def lower(self, x: np.ndarray) -> np.ndarray:
        """Return the columns of x (n, G, C, *spatial), valid until this thread makes others."""
        if self.tiles is not None:
            self.tiles[...] = tiles(x, self.plan.kernel, self.plan.stride, self.plan.out)
        for target, source in self.places:
            target[...] = x[source]
        for target, window in self.copies:
            target[...] = window
        for margin in self.margins:
            margin.fill(0)
        if self.ones is not None:
            self.ones.fill(1)
        return self.matrices


    def fold(self, x: np.ndarray) -> None:
        """Add to x, from the columns, whatever `lower` would have copied from it: its adjoint."""
        for margin in self.margins:
            margin.fill(0)
        self.source.fill(0)
        for target, window in self.copies:
            for tap in np.ndindex(*window.shape[2:-2]):
                where: Any = (_ALL, _ALL, *tap)
                part = window[where]
                part += target[where]
        for target, source in self.places:
            part = x[source]
            part += target


def column_shape(plan: Lowering, sizes: Sizes, wide: bool, ones: bool) -> Ints:
    """Return the shape of the columns as matrices."""
    n, groups, channels = sizes
    rows = plan.taps * channels + ones
    if wide:
        return (1, groups, rows, n * plan.positions)
    return (n, groups, rows, plan.positions)


class _Kept(threading.local):
    """The columns that this thread used last, the latest at the end, and their memory."""

    def __init__(self) -> None:
        self.clear()
        self.memory = {False: aligned(0), True: aligned(0)}

    def clear(self) -> None:
        self.found: OrderedDict[Any, Columns] = OrderedDict()
        self.bytes = 0

    def make(self, key: Any) -> Columns:
        """Make columns and keep them, instead of the oldest ones if there is no room."""
        plan, sizes, wide, ones, _, second, dtype = key
        size = prod(column_shape(plan, sizes, wide, ones)) * dtype.itemsize
        source = 0 if plan.patches else plan.parts * prod(sizes) * plan.length * dtype.itemsize
        if size > LARGEST or source > KEEP:
            return Columns(plan, sizes, wide, ones, aligned(size), dtype)
        if size > len(self.memory[second]):
            self.clear()
            self.memory[second] = aligned(size)
        while self.bytes + source > KEEP:
            _, old = self.found.popitem(last=False)
            self.bytes -= old.source.nbytes
        made = self.found[key] = Columns(plan, sizes, wide, ones, self.memory[second], dtype)
        self.bytes += source
        return made


_kept = _Kept()


def lower(
    plan: Lowering, x: np.ndarray, wide: bool = False, ones: bool = False, second: bool = False
) -> np.ndarray:
    """Return the columns of images x (n, G, C, *spatial); see `Columns` for their layouts.

    `second`: in another memory, so that they leave other columns of this thread valid.
    """
    return _find(plan, x.shape[:3], wide, ones, False, second, x.dtype).lower(x)


def foldable(plan: Lowering, sizes: Ints, wide: bool, dtype: np.dtype) -> Columns:
    """Return columns to write and to `fold`; their source is not zero around the images."""
    return _find(plan, sizes, wide, False, True, False, dtype)


def _find(*key: Any) -> Columns:
    found = _kept.found.get(key)
    if found is None:
        return _kept.make(key)
    _kept.found.move_to_end(key)
    return found
