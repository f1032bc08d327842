"""Where the windows of a pooling lie: output sizes, and which outputs read which input by tap.

Output o of an axis reads the inputs o * stride - padding + t * dilation for the taps t in
range(kernel), as far as they lie inside the input.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

Ints = tuple[int, ...]


class Axis(NamedTuple):
    """One spatial axis of a pooling."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    out: int

    def inside(self, tap: int) -> tuple[slice, slice]:
        """Return the slices of the outputs that find this tap inside, and of what they read."""
        return _inside(self)[tap]

    def starts_full(self) -> bool:
        """Return whether every output finds the first two taps inside."""
        return _starts_full(self)

    def first_taps(self) -> np.ndarray:
        """Return for each output the first tap that is not in the left padding."""
        start = self.padding - np.arange(self.out) * self.stride
        return np.maximum(0, -(-start // self.dilation))

    def gaps(self) -> np.ndarray:
        """Return which outputs have no tap inside: where the dilation steps over the input."""
        gap = np.ones(self.out, bool)
        for tap in range(self.kernel):
            gap[self.inside(tap)[0]] = False
        return gap


@lru_cache(maxsize=256)
def _inside(axis: Axis) -> tuple[tuple[slice, slice], ...]:
    return tuple(_inside_tap(axis, tap) for tap in range(axis.kernel))


@lru_cache(maxsize=256)
def _starts_full(axis: Axis) -> bool:
    taps, every = _inside(axis)[:2], slice(0, axis.out)
    return len(taps) == 2 and all(to == every for to, _ in taps)


def _inside_tap(axis: Axis, tap: int) -> tuple[slice, slice]:
    offset = tap * axis.dilation - axis.padding
    first = min(axis.out, max(0, -(offset // axis.stride)))
    last = max(first, min(axis.out, (axis.size - 1 - offset) // axis.stride + 1))
    if first == last:
        return slice(first, first), slice(0, 0)
    start = first * axis.stride + offset
    stop = start + (last - first - 1) * axis.stride + 1
    return slice(first, last), slice(start, stop, axis.stride)


@lru_cache(maxsize=256)
def output_size(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Ints:
    """Return the spatial sizes of a pooling's result.

    Sizes are rounded down, or up with `ceil_mode`; but a window that would begin beyond the input
    and its left padding is left out.

    >>> output_size((6, 5), (3, 2), (2, 2), (0, 0), (1, 1), ceil_mode=True)
    (3, 3)
    """
    return tuple(
        _length(*numbers, ceil_mode)
        for numbers in zip(spatial, kernel, stride, padding, dilation, strict=True)
    )


def _length(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (out - 1) * stride >= size + padding:
        out -= 1
    return out


@lru_cache(maxsize=256)
def axes(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Axis, ...]:
    """Return one `Axis` for each spatial axis."""
    numbers = zip(spatial, kernel, stride, padding, dilation, out, strict=True)
    return tuple(Axis(*each) for each in numbers)


def at(axis: int, index: slice | np.ndarray) -> tuple[Any, ...]:
    """Return an index that takes `index` along `axis` and everything along the others."""
    return (slice(None),) * axis + (index,)


def strides(sizes: Ints) -> Ints:
    """Return the steps between neighbours of a C-contiguous array, in elements."""
    return tuple(prod(sizes[i + 1 :]) for i in range(len(sizes)))


@lru_cache(maxsize=256)
def adaptive_bounds(size: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the windows of an adaptive pooling begin and end along one axis.

    Window o is floor(o * size / out) ... ceil((o + 1) * size / out) - 1.

    >>> adaptive_bounds(5, 3)
    (array([0, 1, 3]), array([2, 4, 5]))
    """
    o = np.arange(out)
    return o * size // max(out, 1), -(-(o + 1) * size // max(out, 1))
