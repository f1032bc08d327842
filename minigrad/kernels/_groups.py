"""How the elements of images (N, C, ...) form the groups that norms share their statistics in.

Batch normalisation has one group per channel, group normalisation some per image. Images are rows
(N * C, L) of the L positions of one channel each. Statistics are float64 arrays, one number per
group, (C,) or (N * G,). Factors, which differ from channel to channel also where statistics do not,
are (C,) or (N, G, K) for K channels in each of G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from minigrad.kernels._blocks import LONG, in_rows
from minigrad.kernels._moments import ALONE, SMALL
from minigrad.kernels._threads import scratch

Array = np.ndarray
Ints = tuple[int, ...]
_LONG = 1024  # elements: rows long enough to be multiplied by one number each


class Groups(NamedTuple):
    """Shapes: see `grouped`."""

    batch: bool  # one group per channel
    images: int
    channels: int
    length: int
    statistics: int  # how many groups there are
    outer: Ints  # of statistics that meet weights: (C,) or (N, G, 1)
    inner: Ints  # of weights that meet statistics: (C,) or (G, K)
    factors: Ints  # (C,) or (N, G, K)
    elements: Array  # of a group: their number, 0-d
    minus: Array  # and the negative of that
    repeat: int  # how often factors are repeated to make a row of `layout`, 0: once for each row
    layout: tuple[int, int]  # the rows that are multiplied
    ones: Array  # (N,)
    equal: bool  # channels of a group have no weights of their own

    def total(self, sums: Array) -> Array:
        """Add M sums of rows (M, N * C) that share statistics and weight: (M, *factors)."""
        if not self.batch:
            return sums.reshape(len(sums), *self.factors)
        sums = sums.reshape(len(sums), self.images, self.channels)
        if self.images * self.channels > ALONE:
            return np.add.reduce(sums, 1)
        return self.ones @ sums  # in half the time

    def by_channel(self, sums: Array) -> Array:
        """Add sums of the shape `factors` to those of each channel (C,)."""
        return sums if self.batch else np.add.reduce(sums, 0).reshape(-1)

    def shifted(self, x: Array, shift: Array) -> Array:
        """Return x less a number for each group, in the dtype of x."""
        factors = np.empty((1, *self.factors), x.dtype)
        factors[0] = shift.reshape(self.outer)
        y = np.empty(x.shape, x.dtype)
        self.sweep(subtract, factors, x, y)
        return y

    def spread(self, factors: Array) -> Array:
        """Make M factors (M, *factors) ready to be combined with rows of `layout`.

        NumPy multiplies short rows by one number each slowly: where the factors are those of all
        images, a row is a whole image, and the factors are repeated.
        """
        kinds = len(factors)
        if self.repeat:
            return factors.repeat(self.repeat, 1)
        if self.batch:
            factors = np.broadcast_to(factors[:, None], (kinds, self.images, self.channels))
        return factors.reshape(kinds, -1, 1)

    def sweep(self, work: Callable[..., None], factors: Array, *arrays: Array) -> None:
        """Call work(*factors, *arrays) for blocks of rows of `layout` of the arrays."""
        spread = tuple(self.spread(factors))
        rows = [array.reshape(self.layout) for array in arrays]

        def block(part: slice) -> None:
            some = spread if self.repeat else [values[part] for values in spread]
            work(*some, *[array[part] for array in rows])

        if arrays[0].size <= SMALL and (self.repeat or self.length < LONG):
            work(*spread, *rows)  # as `in_rows` would, at once
        else:
            in_rows(block, *self.layout)


@lru_cache(maxsize=256, typed=True)  # a number of groups 2.0 is refused
def grouped(shape: Ints, groups: int | None) -> Groups:
    """Return how images of a shape (N, C, ...) form groups: per channel, or `groups` per image."""
    images, channels, length = shape[0], shape[1], prod(shape[2:])
    rows = (images * channels, length)
    if groups is None:
        each = (channels,)
        repeat = length if length < _LONG and images > 1 else 0
        layout = (images, channels * length) if repeat else rows
        return Groups(True, images, channels, length, channels, each, each, each,
                      *_counts(images * length), repeat, layout, np.ones(images), True)
    inside = (groups, channels // max(groups, 1))
    return Groups(False, images, channels, length, images * groups, (images, groups, 1), inside,
                  (images, *inside), *_counts(inside[1] * length), 0, rows, np.ones(images),
                  inside[1] == 1)


def _counts(count: int) -> tuple[Array, Array]:
    return np.array(float(count)), np.array(-float(count))


def scale(a: Array, x: Array, out: Array) -> None:
    """Write a * x to out."""
    np.multiply(x, a, out)


def subtract(a: Array, x: Array, out: Array) -> None:
    """Write x - a to out."""
    np.subtract(x, a, out)


def scale_and_shift(a: Array, b: Array, x: Array, out: Array) -> None:
    """Write a * x + b to out."""
    np.multiply(x, a, out)
    np.add(out, b, out)


def combine_equal(a: Array, b: Array, c: Array, g: Array, x: Array, out: Array) -> None:
    """Write a * (g + b * x + c) to out."""
    np.multiply(x, b, out)
    np.add(out, c, out)
    np.add(out, g, out)
    np.multiply(out, a, out)


def combine(a: Array, b: Array, c: Array, g: Array, x: Array, out: Array) -> None:
    """Write a * g + b * x + c to out."""
    np.multiply(x, b, out)
    np.add(out, c, out)
    scaled = scratch("scaled", out.shape, out.dtype)
    np.multiply(g, a, scaled)
    np.add(out, scaled, out)
