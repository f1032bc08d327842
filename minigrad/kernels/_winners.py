"""Where the winners of a max pooling are, from their distances to the corners of their windows.

The corners of a channel's windows are the same for all images and channels, so that the places in
a block of planes (images x channels) are one sum; NumPy's scatter and gather do the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod

import numpy as np

from minigrad.kernels._halves import is_halving
from minigrad.kernels._windows import Axis, Ints, axes, output_size, strides

_BLOCK = 1 << 15  # outputs


class Winners:
    """The geometry of one max pooling, and what is done at the winners.

    `steps` has for each axis how far apart a window's neighbours are in the flattened channel,
    `dtype` holds the distance between a window's first element and its last.
    """

    def __init__(
        self, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
    ) -> None:
        self.plan = axes(spatial, kernel, stride, padding, dilation, out)
        self.size, self.out = prod(spatial), prod(out)
        self.shape = out
        self.steps = tuple([d * s for d, s in zip(dilation, strides(spatial), strict=True)])
        self.dtype = distance_dtype(spatial, kernel, dilation)
        self.halving = is_halving(self.plan)
        self.even = not any(n % 2 for n in spatial)
        dilated = max(dilation) > 1
        self.disjoint = not dilated and all(s >= k for s, k in zip(stride, kernel, strict=True))
        self.gaps = dilated and any(axis.gaps().any() for axis in self.plan)

    def indices(self, distance: np.ndarray) -> np.ndarray:
        """Return the int64 indices into the flattened spatial axes, in the shape of `distance`."""
        return distance + _corners(self.plan).reshape(distance.shape[2:])

    def scatter(self, g: np.ndarray, distance: np.ndarray, dx: np.ndarray) -> None:
        """Add each g to dx (zeros at first) where its winner is; PyTorch's order of additions."""
        flat, g = dx.reshape(-1), g.reshape(-1)
        if self.disjoint and not self.gaps and 0 < distance.size <= _BLOCK:  # one block
            at = distance.reshape(-1).astype(np.int64)
            at += _corner_block(self, distance.size // self.out)
            flat[at] = g
            return
        for start, stop, at in self._blocks(distance):
            values = g[start * self.out : stop * self.out]
            target = flat[start * self.size : stop * self.size]
            if self.gaps:
                inside = self._inside(stop - start)
                values, at = values[inside], at[inside]
            if self.disjoint:
                target[at] = values
            else:
                with np.errstate(all="ignore"):
                    np.add.at(target, at, values)

    def gather(self, x: np.ndarray, distance: np.ndarray, y: np.ndarray) -> None:
        """Write x at the winners to y; zero where a window has no winner."""
        flat, y = x.reshape(-1), y.reshape(-1)
        for start, stop, at in self._blocks(distance):
            source = flat[start * self.size : stop * self.size]
            result = y[start * self.out : stop * self.out]
            if self.gaps:
                inside = self._inside(stop - start)
                result[...] = 0
                result[inside] = source[at[inside]]
            else:
                source.take(at, out=result, mode="clip")

    def _blocks(self, distance: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield first plane, last plane + 1, and flat indices from the first one's beginning."""
        planes = distance.shape[0] * distance.shape[1]
        if not planes * self.out:
            return
        step = max(1, min(planes, _BLOCK // self.out))
        corners = _corner_block(self, step)
        flat = distance.reshape(-1)
        for start in range(0, planes, step):
            stop = min(planes, start + step)
            at = flat[start * self.out : stop * self.out].astype(np.int64)
            at += corners[: at.size]
            yield start, stop, at

    def _inside(self, planes: int) -> np.ndarray:
        """Return where windows have a winner (planes * out,); others lie in the padding."""
        inside = np.ones((), bool)
        for axis in self.plan:
            inside = np.logical_and.outer(inside, ~axis.gaps())
        return np.tile(inside.reshape(-1), planes)


@lru_cache(maxsize=64)
def winners_of(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> Winners:
    """Return the `Winners` of this geometry."""
    return Winners(spatial, kernel, stride, padding, dilation, out)


@lru_cache(maxsize=64)
def winners_to_find(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Winners:
    """Return the `Winners` of the pooling with these options."""
    out = output_size(spatial, kernel, stride, padding, dilation, ceil_mode)
    return winners_of(spatial, kernel, stride, padding, dilation, out)


def distance_dtype(spatial: Ints, kernel: Ints, dilation: Ints) -> np.dtype:
    """Return the smallest unsigned dtype that holds the distances within a window."""
    steps = zip(kernel, dilation, strides(spatial), strict=True)
    return np.min_scalar_type(sum([(k - 1) * d * s for k, d, s in steps]))


@lru_cache(maxsize=32)
def _corners(plan: tuple[Axis, ...]) -> np.ndarray:
    """Return the flat index of the first corner of every window; negative in the padding."""
    corner = np.zeros((), np.int64)
    for axis, step in zip(plan, strides(tuple([axis.size for axis in plan])), strict=True):
        start = np.arange(axis.out) * axis.stride - axis.padding
        corner = np.add.outer(corner, start * step)
    return corner.reshape(-1)


@lru_cache(maxsize=8)
def _corner_block(winners: Winners, planes: int) -> np.ndarray:
    return (_corners(winners.plan) + (np.arange(planes) * winners.size)[:, None]).reshape(-1)
