"""Where the winners of a max pooling are, from their positions in the windows.

The positions of neighbouring windows are turned into flat indices by integer arithmetic on blocks
of planes (images x channels) that stay in the cache; NumPy's scatter and gather do the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod

import numpy as np

from minigrad.kernels._windows import Axis, Ints, axes, strides

_BLOCK = 1 << 15  # outputs


class Winners:
    """The geometry of one max pooling, and what is done at the winners."""

    def __init__(
        self, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
    ) -> None:
        self.plan = axes(spatial, kernel, stride, padding, dilation, out)
        self.size = prod(spatial)
        self.out = prod(out)
        self.weights, self.low = _weights(spatial, kernel, dilation)
        dilated = max(dilation) > 1
        self.disjoint = not dilated and all(s >= k for s, k in zip(stride, kernel, strict=True))
        self.gaps = dilated and any(axis.gaps().any() for axis in self.plan)

    def indices(self, choice: np.ndarray) -> np.ndarray:
        """Return the int64 indices into the flattened spatial axes, in the shape of `choice`."""
        corner = _corners(self.plan)
        return self._offsets(choice).reshape(choice.shape) + corner.reshape(choice.shape[2:])

    def scatter(self, g: np.ndarray, choice: np.ndarray, dx: np.ndarray) -> None:
        """Add each g to dx (zeros at first) where its winner is; PyTorch's order of additions."""
        flat = dx.reshape(-1)
        for part, start, at in self._blocks(choice):
            values = g.reshape(-1, self.out)[part].reshape(-1)
            target = flat[start : start + (part.stop - part.start) * self.size]
            if self.gaps:
                inside = self._inside(choice)[part].reshape(-1)
                values, at = values[inside], at[inside]
            if self.disjoint:
                target[at] = values
            else:
                with np.errstate(all="ignore"):
                    np.add.at(target, at, values)

    def gather(self, x: np.ndarray, choice: np.ndarray, y: np.ndarray) -> None:
        """Write x at the winners to y; zero where a window has no winner."""
        flat = x.reshape(-1)
        for part, start, at in self._blocks(choice):
            source = flat[start : start + (part.stop - part.start) * self.size]
            result = y.reshape(-1, self.out)[part].reshape(-1)
            if self.gaps:
                inside = self._inside(choice)[part].reshape(-1)
                result[...] = 0
                result[inside] = source[at[inside]]
            else:
                source.take(at, out=result, mode="clip")

    def _blocks(self, choice: np.ndarray) -> Iterator[tuple[slice, int, np.ndarray]]:
        """Yield (planes, first element of x, indices counted from there)."""
        planes = choice.shape[0] * choice.shape[1]
        if not planes * self.out:
            return
        step = max(1, min(planes, _BLOCK // self.out))
        codes = choice.reshape(planes, self.out)
        for start in range(0, planes, step):
            stop = min(planes, start + step)
            at = self._offsets(codes[start:stop]).astype(np.int64)
            at += _corner_block(self.plan, self.size, step)[: stop - start]
            yield slice(start, stop), start * self.size, at.reshape(-1)

    def _offsets(self, choice: np.ndarray) -> np.ndarray:
        """Return how far the winners are from the corners of their windows.

        With the winner's tap t along each axis, choice = (t0 * k1 + t1) * k2 + t2 and the offset
        is t0 * step0 + t1 * step1 + t2 * step2, which is linear in choice, choice // k2, ...
        """
        offset = choice.astype(self.low)
        if self.weights[-1][1] != 1:  # with dilation
            offset *= self.low.type(self.weights[-1][1])
        for divisor, weight in self.weights[:-1]:
            offset += (choice // choice.dtype.type(divisor)) * self.low.type(weight)
        return offset

    def _inside(self, choice: np.ndarray) -> np.ndarray:
        """Return where windows have a winner (planes, out); others lie in the padding."""
        inside = np.ones((), bool)
        for axis in self.plan:
            inside = np.logical_and.outer(inside, ~axis.gaps())
        planes = choice.shape[0] * choice.shape[1]
        return np.broadcast_to(inside.reshape(1, -1), (planes, self.out))


@lru_cache(maxsize=64)
def winners_of(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> Winners:
    """Return the `Winners` of this geometry."""
    return Winners(spatial, kernel, stride, padding, dilation, out)


def _weights(spatial: Ints, kernel: Ints, dilation: Ints) -> tuple[list[tuple[int, int]], np.dtype]:
    """Return (divisor, weight) pairs, and an integer dtype that holds every offset."""
    steps = [d * s for d, s in zip(dilation, strides(spatial), strict=True)]
    pairs = [(1, steps[-1])]
    for i in reversed(range(len(kernel) - 1)):
        pairs.insert(0, (prod(kernel[i + 1 :]), steps[i] - kernel[i + 1] * steps[i + 1]))
    bound = prod(kernel) * max(abs(weight) for _, weight in pairs)
    small = bound < 1 << 15 and choice_dtype(kernel) == np.uint8
    return pairs, np.dtype(np.int16 if small else np.int64)


@lru_cache(maxsize=64)
def choice_dtype(kernel: Ints) -> np.dtype:
    """Return the smallest unsigned dtype that holds the positions in a window."""
    return np.min_scalar_type(prod(kernel))


@lru_cache(maxsize=32)
def _corners(plan: tuple[Axis, ...]) -> np.ndarray:
    """Return the flat index of the first corner of every window; negative in the padding."""
    corner = np.zeros((), np.int64)
    for axis, step in zip(plan, strides(tuple(axis.size for axis in plan)), strict=True):
        start = np.arange(axis.out) * axis.stride - axis.padding
        corner = np.add.outer(corner, start * step)
    return corner.reshape(-1)


@lru_cache(maxsize=8)
def _corner_block(plan: tuple[Axis, ...], size: int, planes: int) -> np.ndarray:
    return _corners(plan) + (np.arange(planes) * size)[:, None]
