"""Where the columns of a convolution come from: which run of which copy of x each tap reads.

A convolution sums over the taps t = (t0, ..., tn) of the kernel

    y[k, o] = sum over t, c of  w[k, c, t] * x[c, o * stride + t * dilation - padding]

and is one matrix product, W @ columns, with the row (t, c) of the columns holding what tap t reads
of channel c at all positions o. Copying speed depends on the length of the runs, so the columns
are copied from a *source* in which one tap's row is one run. Per axis, let t * dilation - padding
= shift * stride + phase: position o of the tap reads element o + shift of the phase, x[phase::
stride]. So the source holds each phase of x, and a stride is none of the later copies' business.

* `runs`: where no phase is longer than the result, in any axis but the first, the source has lines
  just as long as the result's, the rest of them zero. A tap moves such an image by a constant: one
  run a channel. What wraps around from one line to its neighbour has to be zero and is cleared.
* Otherwise the taps of all axes *but the first* are copied line by line into a source part for
  each. The taps of the first axis move these by whole lines: one run a channel again, after
  Cho & Brand, MEC: Memory-efficient Convolution for Deep Neural Network, 2017.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

Ints = tuple[int, ...]
Slices = tuple[slice, ...]
use_runs = True  # where they fit; tests switch it off


@lru_cache(maxsize=1024)
def output_size(spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """Return the spatial sizes of a convolution's result.

    >>> output_size((7, 8), (3, 3), (2, 1), (1, 1), (1, 2))
    (4, 6)
    """
    sizes = zip(spatial, kernel, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)


def inside(count: int, step: int, offset: int, size: int) -> tuple[slice, slice]:
    """Return the slices of those i in range(count) and i * step + offset in range(size)."""
    first = max(0, -(offset // step))
    last = min(count, (size - 1 - offset) // step + 1)
    if last <= first:
        return slice(0, 0), slice(0, 0)
    start = first * step + offset
    return slice(first, last), slice(start, start + (last - first - 1) * step + 1, step)


class Place(NamedTuple):
    """One copy from x into a part of the source: grid[target] = x[source]."""

    part: int
    target: Slices
    source: Slices


class Window(NamedTuple):
    """Taps that lie at equal distances in the source: one copy into the columns."""

    taps: Slices  # of the kernel's axes
    counts: Ints
    part: int
    start: int  # element of the part where the first of these taps begins
    steps: Ints  # elements from tap to tap; in the axis that counts parts: parts


class Clear(NamedTuple):
    """Positions of an axis that taps read beyond the image: one tap, or two that mirror it."""

    axis: int
    taps: Ints
    starts: Ints  # first position to clear, for each of these taps
    width: int


class Axis:
    """The taps of one axis: their phases and shifts."""

    def __init__(self, size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
        self.size, self.stride = size, stride
        offsets = [t * dilation - padding for t in range(kernel)]
        self.offsets = offsets
        self.shifts = [e // stride for e in offsets]
        self.phases = [e % stride for e in offsets]
        self.used = sorted(set(self.phases))

    def longest(self) -> int:
        """Return the length of the longest phase that is read."""
        return -(-(self.size - self.used[0]) // self.stride)

    def taps(self, phase: int) -> tuple[slice, int, int, int]:
        """Return the taps of a phase, their number, the first shift and the step of the shifts."""
        found = [t for t, f in enumerate(self.phases) if f == phase]
        step = found[1] - found[0] if len(found) > 1 else 1
        first = self.shifts[found[0]]
        return (
            slice(found[0], found[-1] + 1, step),
            len(found),
            first,
            self.shifts[found[1]] - first if len(found) > 1 else 0,
        )


class Lowering:
    """The geometry of one convolution: what is copied where, in numbers of elements."""

    def __init__(
        self, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
    ) -> None:
        self.sizes = (spatial, kernel, stride, padding, dilation)
        self.spatial, self.kernel, self.stride, self.out = spatial, kernel, stride, out
        self.taps = prod(kernel)
        self.row = prod(out[1:])  # elements of one line of the first axis
        self.positions = prod(out)
        self.axes = axes = [Axis(*each) for each in zip(*self.sizes, strict=True)]
        self.low = min(axes[0].shifts)
        self.rows = max(axes[0].shifts) - self.low + out[0]
        ones = (1,) * len(out)
        # 1x1: the columns are x itself
        self.identity = (kernel, stride, out) == (ones, ones, spatial) and not any(padding)
        inner = zip(axes[1:], out[1:], strict=True)
        self.runs = use_runs and all(axis.longest() <= size for axis, size in inner)
        # no tap reads what another reads: the columns are x with its axes in another order
        sizes = zip(spatial, kernel, stride, dilation, out, strict=True)
        self.patches = not self.identity and all(
            k <= s and (k == 1 or d == 1) and (o - 1) * s + k <= n for n, k, s, d, o in sizes
        )
        self.patches &= not any(padding)
        self.steps = tuple(prod(out[a + 1 :]) for a in range(len(out)))
        self.places: list[Place] = []
        self.windows: list[Window] = []
        self.clears: list[Clear] = []
        self.front = self.back = 0
        if self.patches:
            pass
        elif self.runs:
            self._find_runs(axes)
        else:
            self._find_lines(axes)
        self.parts = 1 + max((place.part for place in self.places), default=-1)
        self.length = self.front + self.rows * self.row + self.back  # of a channel of a part

    def _lines(self, axis: Axis, phase: int) -> tuple[slice, slice]:
        """Return the lines of a source part, and of x, that hold a phase of the first axis."""
        return inside(self.rows, axis.stride, phase + self.low * axis.stride, axis.size)

    def _find_runs(self, axes: list[Axis]) -> None:
        inner = list(zip(axes[1:], self.steps[1:], strict=True))
        self.front = max(0, -sum(min(a.shifts) * step for a, step in inner))
        self.back = max(0, sum(max(a.shifts) * step for a, step in inner))
        for part, phases in enumerate(product(*(a.used for a in axes))):
            pairs = [self._lines(axes[0], phases[0])]
            for a, phase, size in zip(axes[1:], phases[1:], self.out[1:], strict=True):
                pairs.append(inside(size, a.stride, phase, a.size))
            target, source = zip(*pairs, strict=True)
            self.places.append(Place(part, target, source))
            found = [a.taps(phase) for a, phase in zip(axes, phases, strict=True)]
            taps, counts, firsts, moves = zip(*found, strict=True)
            start = self.front - self.low * self.row
            start += sum(f * step for f, step in zip(firsts, self.steps, strict=True))
            steps = tuple(m * step for m, step in zip(moves, self.steps, strict=True))
            self.windows.append(Window(taps, counts, part, start, steps))
        for number, axis in enumerate(axes[1:], start=1):
            self._find_clears(number, axis)

    def _find_clears(self, number: int, axis: Axis) -> None:
        """Find what wraps around: zero as it is where the zeros behind the image are enough."""
        size = self.out[number]
        gap = size - axis.longest()
        found: dict[int, list[tuple[int, int]]] = {}
        for tap, shift in enumerate(axis.shifts):
            width = min(size, abs(shift))
            if shift > 0 or -shift > gap:
                found.setdefault(width, []).append((tap, size - width if shift > 0 else 0))
        for width, each in found.items():
            for i in range(0, len(each), 2):
                taps, starts = zip(*each[i : i + 2], strict=True)
                self.clears.append(Clear(number, taps, starts, width))

    def _find_lines(self, axes: list[Axis]) -> None:
        first, inner = axes[0], axes[1:]
        part = 0
        for phase in first.used:
            taps, count, shift, move = first.taps(phase)
            start = (shift - self.low) * self.row
            copied = tuple(slice(0, k, 1) for k in self.kernel[1:])
            across = tuple(prod(self.kernel[a + 1 :]) for a in range(1, len(axes)))
            steps = (move * self.row, *across)
            self.windows.append(
                Window((taps, *copied), (count, *self.kernel[1:]), part, start, steps)
            )
            for tap in product(*map(range, self.kernel[1:])):
                pairs = [self._lines(first, phase)]
                for a, t, size in zip(inner, tap, self.out[1:], strict=True):
                    pairs.append(inside(size, a.stride, a.offsets[t], a.size))
                target, source = zip(*pairs, strict=True)
                self.places.append(Place(part, target, source))
                part += 1

    def band(self, start: int, stop: int) -> Lowering:
        """Return the geometry of the lines start ... stop - 1 of the result."""
        if (start, stop) == (0, self.out[0]):
            return self
        spatial, kernel, stride, padding, dilation = self.sizes
        moved = (padding[0] - start * stride[0], *padding[1:])
        return lowering(spatial, kernel, stride, moved, dilation, (stop - start, *self.out[1:]))


def tiles(x: np.ndarray, kernel: Ints, stride: Ints, out: Ints) -> np.ndarray:
    """Return the view (n, G, *kernel, C, *out) of x (n, G, C, *spatial), cut into tiles."""
    n, groups, channels = x.shape[:3]
    outer, channel, inner = x.strides[:2], x.strides[2], x.strides[3:]
    steps = (step * size for step, size in zip(stride, inner, strict=True))
    shape = (n, groups, *kernel, channels, *out)
    return as_strided(x, shape, (*outer, *inner, channel, *steps))


@lru_cache(maxsize=1024)
def lowering(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> Lowering:
    """Return the geometry, computed once for every combination of sizes."""
    return Lowering(spatial, kernel, stride, padding, dilation, out)
