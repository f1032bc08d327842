"""Batch, group and instance normalisation of small float32 images: few calls of NumPy.

Below some ten thousand elements a call of NumPy costs as much as what it computes. So the mean is
subtracted at once, and what is left is kept for backward: then no sum loses digits, and nothing has
to be corrected. With c = x - mean, s = 1 / sqrt(E[c^2] + eps) and averages E over a group,

    y = s w c + b,   dw = sum s g c,   db = sum g,   dx = s w g - s^2 E[w s g c] c - s E[w g].

The mean is rounded to float32, which is as exact as PyTorch's x * scale + offset while it is not
far from zero. Rows are summed in float32, a few numbers after one another, their sums in float64.
What this does not suit (far means, squares that overflow, long rows) is left to `norm.py`.

Factors are repeated before they multiply: NumPy multiplies short rows by one number each slowly.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minigrad.kernels._moments import ALONE, PIECE, SMALL, divisor
from minigrad.kernels.softmax import ones

Array = np.ndarray
Ints = tuple[int, ...]
Needs = tuple[bool, bool, bool]
Gradients = tuple[Array | None, Array | None, Array | None]
_SINGLE, _DOUBLE = np.dtype("f4"), np.dtype("f8")
_SAFE_EPS = 1e-12  # next to it the digits do not matter that small squares lose
_LEAST = 1e-15  # 1 / std of numbers whose squares do not overflow
_TINY = 1e-30  # smaller products of float32 may have lost digits
_SUBNORMAL = 1e-72  # the variance of numbers that have few digits themselves
_NEAR = 4.0  # standard deviations: the largest mean
_SHORT, _LONG = 32, 64  # elements: a dot product each takes longer for shorter rows, and less time


class _Rows:
    """Sums over the rows (R, L) of float32 arrays of one size, float64 (R,)."""

    def __init__(self, count: int, length: int) -> None:
        # OpenBLAS would wake its threads for products with more than ALONE elements
        step = count if count * length <= ALONE else divisor(count, ALONE // length)
        self.shape = (count // step, step, length) if step < count else (count, length)
        self.ones = ones(length, _SINGLE)
        self.short = length < _SHORT
        self.product = np.vecdot if length > _LONG else np.dot if step == count else np.matmul

    def sums(self, a: Array) -> Array:
        """Return the sums of a."""
        sums: Array = self.product(a.reshape(self.shape), self.ones).astype(_DOUBLE)
        return sums

    def dots(self, a: Array, b: Array) -> Array:
        """Return the sums of a * b."""
        if self.short:
            dots = self.sums(a * b)
        else:
            dots = np.vecdot(a.reshape(self.shape), b.reshape(self.shape)).astype(_DOUBLE)
        if not abs(dots.item(-1)) > _TINY and not (np.abs(dots) > _TINY).any():
            shape = dots.size, -1  # subnormal products have lost digits
            return np.vecdot(a.astype(_DOUBLE).reshape(shape), b.astype(_DOUBLE).reshape(shape))
        return dots


class _ByChannel:
    """Batch normalisation: one group for each channel of all images (N, C, ...)."""

    def __init__(self, images: int, channels: int, length: int) -> None:
        self.flat, self.table = (images, channels * length), (images, channels)
        self.length = length
        self.rows = _Rows(images * channels, length)
        self.count = np.array(float(images * length))
        self.ones = ones(images, _DOUBLE)

    def mean(self, sums: Array) -> Array:
        """Return the averages of groups, of sums over rows."""
        mean: Array = self.ones.dot(sums.reshape(self.table))
        mean /= self.count
        return mean

    def spread(self, values: Array) -> Array:
        """Return numbers for each group, float32, ready to be combined with images (N, C * L)."""
        return values.astype(_SINGLE, copy=False).repeat(self.length)

    def scale(self, s: Array, weight: Array | None) -> Array:
        """Return s * weight, ready to be multiplied with images."""
        scale = s.astype(_SINGLE)
        if weight is not None:
            scale *= weight
        return scale.repeat(self.length)

    def slopes(self, g: Array, centred: Array, s: Array, weight: Array | None) -> list[Array]:
        """Return dw, db, s^2 E[w s g c] and s E[w g], all in float64."""
        db = self.ones.dot(self.rows.sums(g).reshape(self.table))
        dw = self.ones.dot(self.rows.dots(g, centred).reshape(self.table))
        dw *= s
        scale = s / self.count
        if weight is not None:
            scale *= weight
        slope = dw * s
        slope *= scale
        scale *= db
        return [dw, db, slope, scale]


class _InImages:
    """Group normalisation: groups of channels of each image (N, C, ...)."""

    def __init__(self, images: int, channels: int, length: int, groups: int) -> None:
        self.flat, self.table = (images, channels * length), (images, channels)
        self.length, each = length, channels // groups
        self.whole = each * length
        self.rows = _Rows(images * groups, self.whole)
        self.parts = _Rows(images * channels, length)
        self.count = np.array(float(self.whole))
        self.ones = ones(images, _DOUBLE)
        self.outer, self.inner = (images, groups, 1), (groups, each)
        self.factors = images, groups, each

    def mean(self, sums: Array) -> Array:
        sums = sums.reshape(-1)
        sums /= self.count
        return sums

    def spread(self, values: Array) -> Array:
        return values.astype(_SINGLE, copy=False).repeat(self.whole).reshape(self.flat)

    def scale(self, s: Array, weight: Array | None) -> Array:
        scale = s.astype(_SINGLE)
        if weight is None:
            return self.spread(scale)
        scale = scale.reshape(self.outer) * weight.reshape(self.inner)
        return scale.repeat(self.length).reshape(self.flat)

    def slopes(self, g: Array, centred: Array, s: Array, weight: Array | None) -> list[Array]:
        sum_g = self.parts.sums(g).reshape(self.factors)
        product = self.parts.dots(g, centred).reshape(self.factors)
        product *= s.reshape(self.outer)
        db = self.ones.dot(sum_g.reshape(self.table))
        dw = self.ones.dot(product.reshape(self.table))
        if weight is not None:
            weight = weight.astype(_DOUBLE).reshape(self.inner)
            sum_g *= weight
            product *= weight
        if self.factors[2] > 1:
            sum_g = np.add.reduce(sum_g, 2)
            product = np.add.reduce(product, 2)
        scale = s / self.count
        slope = product.reshape(-1)
        slope *= s
        slope *= scale
        scale *= sum_g.reshape(-1)
        return [dw, db, slope, scale]


@lru_cache(maxsize=256, typed=True)
def _form(shape: Ints, groups: int | None) -> _ByChannel | _InImages:
    """Return how x of a shape (N, C, ...) forms groups: per channel, or `groups` per image."""
    sizes = shape[0], shape[1], prod(shape[2:])
    return _ByChannel(*sizes) if groups is None else _InImages(*sizes, groups)


@lru_cache(maxsize=16)
def _number(eps: float) -> Array:
    """Return a number as an array: NumPy takes numbers slowly."""
    return np.array(float(eps))


def suits(x: Any, groups: int | None, eps: float) -> bool:
    """Tell whether `normalise` may do, by the dtype and shape of x alone."""
    return _suited(x, groups, eps) is not None


def _suited(x: Any, groups: int | None, eps: float) -> _ByChannel | _InImages | None:
    if x.dtype != _SINGLE or not 0 < prod(x.shape) <= SMALL or eps < _SAFE_EPS:
        return None
    by = _form(x.shape, groups)
    return by if by.rows.ones.size <= PIECE else None


def normalise(
    x: Array, groups: int | None, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array, Array] | None:
    """Return y, x - mean, 1 / std, mean and biased variance, or None: use `norm`.

    x (N, C, ...) has `groups` groups of channels in each image, or None: one for each channel of
    all images. weight, bias: (C,) or None. The statistics are float64, one for each group.
    """
    by = _suited(x, groups, eps)
    if by is None:
        return None
    if not x.flags.c_contiguous:
        x = np.ascontiguousarray(x)
    mean = by.mean(by.rows.sums(x))
    centred = x.reshape(by.flat) - by.spread(mean)
    var = by.mean(by.rows.dots(centred, centred))
    s = var + _number(eps)
    np.sqrt(s, s)
    np.reciprocal(s, s)
    far = mean * s
    np.abs(far, far)
    if not (far.item(far.argmax()) <= _NEAR and s.item(s.argmin()) > _LEAST):
        return None
    if 0 < var.item(-1) < _SUBNORMAL:
        return None
    y = centred * by.scale(s, weight)
    if bias is not None:
        y += bias.repeat(by.length)
    return y.reshape(x.shape), centred, s, mean, var


def gradients(
    g: Array, groups: int | None, centred: Array, s: Array, weight: Array | None, needs: Needs
) -> Gradients:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    by = _form(g.shape, groups)
    shape, g = g.shape, np.ascontiguousarray(g).reshape(by.flat)
    sums = by.slopes(g, centred, s, weight)
    dw = sums[0].astype(_SINGLE) if needs[1] else None
    db = sums[1].astype(_SINGLE) if needs[2] else None
    if not needs[0]:
        return None, dw, db
    dx = g * by.scale(s, weight)
    part = centred * by.spread(sums[2])
    part += by.spread(sums[3])
    dx -= part
    return dx.reshape(shape), dw, db
