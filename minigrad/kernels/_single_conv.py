"""Convolutions whose columns are one chunk, for one thread: the fewest calls around the product.

These are the copies and products of `_correlate`, with all views made once, as in `_small_conv`.
Images larger than there lie one after the other, and the columns are copied in runs (`lowering`).
"""

from __future__ import annotations

from math import prod

import numpy as np

from minigrad.kernels import _chunks, _correlate, _small_conv, _winograd
from minigrad.kernels._columns import Columns
from minigrad.kernels._product import ALONE, VOLUME, multiply
from minigrad.kernels._small_conv import (
    LINE,
    MEMORY,
    VECTOR,
    Geometry,
    Memory,
    Plan,
    channel_sums,
)
from minigrad.kernels.lowering import Ints, Lowering, lowering


def _lowering(like: Geometry) -> Lowering:
    x, w, stride, padding, dilation, _, _ = like
    return lowering(x[2:], w[2:], stride, padding, dilation, like.y[2:])


class _Single(Plan):
    """What both have in common."""

    @staticmethod
    def is_small(like: Geometry) -> bool:
        """Tell whether this is the way for these shapes: one chunk of copied columns."""
        (n, channels, *_), plan = like.x, _lowering(like)
        if plan.positions < _small_conv.WIDE or plan.identity or plan.patches:
            return False
        if min(like.w[:2]) >= _winograd.CHANNELS:
            return False
        rows, item = channels * plan.taps, like.dtype.itemsize
        chunks = _chunks.cut(plan, n, rows, like.w[0] // like.groups, item)
        room = MEMORY - LINE  # `take` begins each piece at a line
        return len(chunks) == 1 and (rows + like.w[0]) * n * plan.positions * item <= room

    def split(self, memory: Memory, wide: bool, ones: bool) -> Ints:
        """Make the columns; return the numbers of images, groups, rows of g, positions."""
        x, w, *_, groups, dtype = self.like
        plan = _lowering(self.like)
        sizes = x[0], groups, x[1] // groups
        self.columns = Columns(plan, sizes, wide, ones, memory.rest, dtype)
        memory.take(self.columns.matrices.shape)
        self.images = *sizes, *x[2:]
        work = self.columns.matrices[0, 0].size * w[0] // groups
        self.alone, self.multiply = work <= ALONE, np.matmul if work <= VOLUME else multiply
        return x[0], groups, w[0] // groups, plan.positions


class ForwardSingle(_Single):
    """The convolution of x with w, plus the bias, image by image."""

    def prepare(self, memory: Memory) -> None:
        self.results = _, groups, filters, _ = self.split(memory, False, True)
        self.rows = np.zeros((groups, filters, self.columns.matrices.shape[-2]), self.dtype)
        self.weights, self.bias = self.rows[..., :-1], self.rows[..., -1]

    def compute(self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        """Return y."""
        y = np.empty(self.shape, self.dtype)
        self.weights[...] = w.reshape(self.weights.shape)
        self.bias[...] = 0 if bias is None else bias.reshape(self.bias.shape)
        columns = self.columns.lower(x.reshape(self.images))
        self.multiply(self.rows, columns, y.reshape(self.results))
        return y


class WeightSingle(_Single):
    """The gradients for weight and bias."""

    def prepare(self, memory: Memory) -> None:
        self.wide = self.like.x[0] > 1 and prod(self.shape[2:]) < _correlate.NARROW
        self.results = n, groups, filters, size = self.split(memory, self.wide, False)
        self.alone &= prod(self.shape) <= VECTOR
        if self.wide:
            self.side = memory.take((1, groups, filters, n * size))
            self.beside = self.side.reshape(groups, filters, n, size)

    def compute(
        self, g: np.ndarray, x: np.ndarray, with_bias: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return dw and, if asked, db."""
        columns = self.columns.lower(x.reshape(self.images)).swapaxes(-1, -2)
        images = g.reshape(self.results)
        if self.wide:
            self.beside[...] = images.transpose(1, 2, 0, 3)
            images = self.side
        dw = np.empty((*images.shape[:-1], columns.shape[-1]), self.dtype)
        multiply(images, columns, dw)
        dw = dw[0] if len(dw) == 1 else np.add.reduce(dw, 0)
        return dw.reshape(self.like.w), channel_sums(g) if with_bias else None
