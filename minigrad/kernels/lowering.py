"""Lower an image batch for convolution: lay it out so that every tap is one contiguous matrix.

A convolution sums over the taps t = (t0, ..., tn) of the kernel

    y[k, o] = sum over t, c of  w[k, c, t] * x[c, o * stride + t * dilation - padding]

and is a matrix product as soon as the x of one tap lie in memory as a matrix (C, positions o).
Two ways to get there are combined, after Cho & Brand, MEC: Memory-efficient Convolution for Deep
Neural Network, 2017:

* The taps of all axes *but the first* are copied out, one copy of x for each: with J such taps
  the lowered batch has the shape (N, G, F, J, C, Q, o1, ..., on) for G groups.
* The taps of the first axis are not copied. Position o of tap t reads row o * stride + t *
  dilation. Rows are stored by their remainder modulo the stride (the F *phases* that occur), row
  q * stride + f as row q of phase f. Then tap t reads the rows shift, shift + 1, ... of one phase
  with shift = t * dilation // stride: for every (j, c) one contiguous run, hence a matrix.

Hence a 3x3 kernel copies x three times, not nine times. Where the products would be too thin, the
runs of the first axis are stacked as well, in long copies, and there is one product instead of
one for each row of the kernel.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np

Ints = tuple[int, ...]
LONG = 24  # elements of a row that is copied as fast by itself as with its neighbours


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


class Lowering:
    """The geometry of one convolution: which part of x goes where in the lowered batch."""

    def __init__(
        self, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
    ) -> None:
        self.sizes = (spatial, kernel, stride, padding, dilation)
        taps = [divmod(t * dilation[0], stride[0]) for t in range(kernel[0])]
        phases = sorted({phase for _, phase in taps})
        self.out = out
        self.positions = prod(out)
        self.row = prod(out[1:])  # elements of one row
        self.rows = max(shift for shift, _ in taps) + out[0]
        self.phases = len(phases)
        self.summed = kernel[0]  # taps of the first axis
        self.copied = prod(kernel[1:])  # taps of the other axes, J
        self.taps = [(phases.index(phase), shift) for shift, phase in taps]
        # every tap of the first axis has a phase for itself: the lowered batch is stacked already
        self.stacked = self.phases == kernel[0] and self.rows == out[0]
        # (phase, j, slices of the lowered batch, slices of x)
        self.copies: list[tuple[int, int, Any, Any]] = []
        for f, (j, tap) in product(range(self.phases), enumerate(np.ndindex(*kernel[1:]))):
            axes = [inside(self.rows, stride[0], phases[f] - padding[0], spatial[0])]
            for a, t in enumerate(tap, start=1):
                offset = t * dilation[a] - padding[a]
                axes.append(inside(out[a], stride[a], offset, spatial[a]))
            target, source = zip(*axes, strict=True)
            self.copies.append((f, j, (..., *target), (..., *source)))
        grid = (self.rows, *out[1:])
        covered = [tuple(s.stop - s.start for s in target[1:]) for _, _, target, _ in self.copies]
        self.padded = any(sizes != grid for sizes in covered)
        # the lowered batch is x itself: 1x1, (3, 1) and 1-D kernels without stride and padding
        self.identity = covered == [spatial] == [grid] and max(stride) == 1
        # taps and positions tile x: the lowered batch is x with its axes in another order
        ones, zeros = (1,) * len(out), (0,) * len(out)
        self.patches = kernel == stride != ones and (padding, dilation) == (zeros, ones)
        self.patches &= all(k * o <= n for k, o, n in zip(kernel, out, spatial, strict=True))
        same = stride == ones and out[1:] == spatial[1:] and out[-1] <= LONG
        self.shifts = self._find_shifts(kernel, padding, dilation, out) if same else []

    def bands(self, count: int) -> list[tuple[Lowering, slice]]:
        """Cut the result across the first axis: the geometry of each part and its rows."""
        spatial, kernel, stride, padding, dilation = self.sizes
        parts = []
        for start, stop in pairwise(i * self.out[0] // count for i in range(count + 1)):
            moved = (padding[0] - start * stride[0], *padding[1:])
            out = (stop - start, *self.out[1:])
            part = lowering(spatial, kernel, stride, moved, dilation, out)
            parts.append((part, slice(start, stop)))
        return parts

    def _find_shifts(self, kernel: Ints, padding: Ints, dilation: Ints, out: Ints) -> list[tuple]:
        """Return (j, run of the lowered rows, run of x, margins), if all strides are 1.

        Where the rows of x and of the result are equally long, a tap moves a whole image by a
        constant: one long run a channel. What wraps around into the margins is cleared.
        """
        shifts = []
        rows, source = self.copies[0][2][1], self.copies[0][3][1]
        for j, tap in enumerate(np.ndindex(*kernel[1:])):
            offset, margins = 0, []
            for a, t in enumerate(tap, start=1):
                by = t * dilation[a] - padding[a]
                offset = offset * out[a] + by
                if by:
                    margin = slice(0, -by) if by < 0 else slice(max(0, out[a] - by), None)
                    margins.append((..., margin, *(slice(None),) * (len(out) - 1 - a)))
            size = max(0, (rows.stop - rows.start) * self.row - abs(offset))
            to = rows.start * self.row + max(0, -offset)
            start = source.start * self.row + max(0, offset)
            shifts.append((j, slice(to, to + size), slice(start, start + size), margins))
        return shifts

    def shape(self, batch: Ints, channels: int, wide: bool) -> Ints:
        """Return the shape of the memory of a lowered batch (N, G) of images with C channels.

        One matrix an image, or one *wide* matrix (the images side by side in every row) for all:
        (N, G, F, J, C, rows, 1, o1, ..., on) or (1, G, F, J, C, rows, N, o1, ..., on).
        """
        n, groups = batch
        first, last = (1, n) if wide else (n, 1)
        grid = (self.rows, last, *self.out[1:])
        return (first, groups, self.phases, self.copied, channels, *grid)

    def _patches(self, x: np.ndarray, lowered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return equal views of both with the axes (N, G, k0, k1, ..., C, o0, o1, ...)."""
        n = len(self.out)
        whole: Any = tuple(slice(k * o) for k, o in zip(self.sizes[1], self.out, strict=True))
        x = x[..., *whole]
        pairs = [size for pair in zip(self.out, self.sizes[1], strict=True) for size in pair]
        x = x.reshape(*x.shape[:3], *pairs)
        x = x.transpose(0, 1, *range(4, 3 + 2 * n, 2), 2, *range(3, 3 + 2 * n, 2))
        return x, lowered.reshape(x.shape)

    def lower(self, x: np.ndarray, lowered: np.ndarray) -> None:
        """Copy x (N, G, C, *spatial) into `lowered`, whose margins are zero already."""
        images = _images(lowered)
        if self.patches and lowered.shape[6] == 1:
            parts, ordered = self._patches(x, lowered)
            ordered[...] = parts
            return
        if self.shifts and lowered.shape[6] == 1:
            runs = lowered.reshape(*lowered.shape[:2], self.copied, lowered.shape[4], -1)
            x = x.reshape(*x.shape[:3], -1)
            for j, to, start, margins in self.shifts:
                runs[:, :, j, :, to] = x[..., start]
                for margin in margins:
                    images[:, :, 0, j][margin] = 0
            return
        for f, j, target, source in self.copies:
            images[:, :, f, j][target] = x[source]

    def fold(self, lowered: np.ndarray, x: np.ndarray) -> None:
        """Add to x (N, G, C, *spatial) whatever `lower` would have copied from it: its adjoint."""
        if self.patches and lowered.shape[6] == 1:
            parts, ordered = self._patches(x, lowered)
            parts += ordered
            return
        images = _images(lowered)
        for f, j, target, source in self.copies:
            part = x[source]
            part += images[:, :, f, j][target]

    def views(self, lowered: np.ndarray) -> list[np.ndarray]:
        """Return for each tap of the first axis its matrix (N, G, J * C, positions), a view."""
        first, groups, _, _, channels, _, last = lowered.shape[:7]
        row = last * self.row
        runs = lowered.reshape(first, groups, self.phases, self.copied * channels, self.rows * row)
        size = self.out[0] * row
        return [runs[:, :, f, :, shift * row : shift * row + size] for f, shift in self.taps]


def _images(lowered: np.ndarray) -> np.ndarray:
    """Return the view (N, G, F, J, C, rows, o1, ..., on) of a lowered batch."""
    if lowered.shape[6] == 1:
        return lowered[:, :, :, :, :, :, 0]
    return np.moveaxis(lowered[0], 5, 0)


@lru_cache(maxsize=512)
def lowering(
    spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> Lowering:
    """Return the geometry, computed once for every combination of sizes."""
    return Lowering(spatial, kernel, stride, padding, dilation, out)
