"""Batch, group, instance, layer and root-mean-square normalisation with their gradients.

All but the last are y = (x - mean) / sqrt(var + eps) * weight + bias with the biased variance, over
different groups of x. Statistics are float64 arrays whatever x is; float16 is computed in float32
and rounded once. Nothing but x and the statistics is needed for the gradients.

With s = 1 / sqrt(var + eps), xhat = (x - mean) * s and averages E over a group of count elements

    dx = s * (w g - E[w g] - xhat E[w g xhat]),   dw = sum g xhat,   db = sum g.

For x (N, C, L) and weights per channel every sum is made of the sums over L of g and of g x, and dx
is a g + b x + c with three numbers for each row. So all of them take two sweeps over the array, one
for the sums and one for y or dx, each in blocks that stay in the cache.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from minigrad.kernels._blocks import LONG, in_rows
from minigrad.kernels._moments import (
    Moments,
    fine_row_sums,
    inverse_root,
    moments,
    near,
    smallest,
    sums,
)
from minigrad.kernels._row_norm import (
    layer_norm,
    layer_norm_backward,
    rms_norm,
    rms_norm_backward,
)
from minigrad.kernels._threads import scratch

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "frozen_norm",
    "frozen_norm_backward",
    "group_norm",
    "group_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "rms_norm",
    "rms_norm_backward",
]

Array = np.ndarray
Needs = tuple[bool, bool, bool]
_STEEP = 1e-15  # the square of 1 / std is just a normal number in float32


class _Groups(NamedTuple):
    """How rows x (N * C, L) form groups: one per channel, or `groups` per image.

    Sums and factors of rows that share both statistics and weight are arrays (I, G, K) of K
    channels in each of G groups, with I = 1 for batch normalisation, else N images.
    """

    images: int
    channels: int
    length: int
    groups: int | None

    @property
    def shape(self) -> tuple[int, int, int]:
        if self.groups is None:
            return 1, self.channels, 1
        return self.images, self.groups, self.channels // self.groups

    @property
    def size(self) -> int:
        """The elements of a group."""
        if self.groups is None:
            return self.images * self.length
        return self.channels // self.groups * self.length

    def alike(self, sums: Array) -> Array:
        """Add the sums (N * C,) of rows that share statistics and weight: (I, G, K)."""
        if self.groups is None:
            sums = np.add.reduce(sums.reshape(self.images, self.channels), 0)
        return sums.reshape(self.shape)

    def spread(self, values: Array) -> Array:
        """Make statistics (C,) or (N, G) ready to be combined with (I, G, K)."""
        return values[None, :, None] if self.groups is None else values[..., None]

    def weights(self, weight: Array) -> Array:
        return weight.reshape(self.shape[1:])

    def rows(self, values: Array) -> Array:
        """Give every row the value (C,) or (N, G) of its group: (N * C,)."""
        shape = self.images, *self.shape[1:]
        return np.broadcast_to(self.spread(values), shape).reshape(-1)


def _combine(sums: Array) -> Array:
    """Add (I, G, K) to sums of groups (I, G, 1)."""
    return sums if sums.shape[2] == 1 else np.add.reduce(sums, 2, keepdims=True)


class _Layout(NamedTuple):
    """Rows (R, D) as which x is scaled, and how M factors (M, I, G, K) become (M, R or 1, D or 1).

    NumPy multiplies short rows by one number each slowly; where the factors are those of all images
    a row is a whole image, and the factors are repeated.
    """

    shape: tuple[int, int]
    repeat: int  # 0: one number per row

    def factors(self, values: Array, dtype: np.dtype, groups: _Groups) -> Array:
        values = values.astype(dtype, copy=False)
        if groups.groups is not None:
            return values.reshape(len(values), -1, 1)
        values = values.reshape(len(values), 1, groups.channels)
        if self.repeat:
            return values.repeat(self.repeat, 2)
        shape = len(values), groups.images, groups.channels
        return np.broadcast_to(values, shape).reshape(len(values), -1, 1)


def _layout(groups: _Groups) -> _Layout:
    images, channels, length, _ = groups
    if groups.groups is None and length < LONG and images > 1:
        return _Layout((images, channels * length), length)
    return _Layout((images * channels, length), 0)


def _grouped(x: Array, groups: int | None) -> _Groups:
    return _Groups(x.shape[0], x.shape[1], prod(x.shape[2:]), groups)


def _rows(x: Array) -> Array:
    """View or copy x (N, C, ...) as contiguous rows (N * C, L), in float32 or more."""
    x = np.ascontiguousarray(x, np.float32 if x.dtype == np.float16 else None)
    return x.reshape(x.shape[0] * x.shape[1], prod(x.shape[2:]))


def _statistics(groups: _Groups, rows: Array, eps: float) -> Moments:
    """Return the moments of (C,) or (N, G) groups; its x are the rows (N * C, L)."""
    if groups.groups is None:
        return moments(rows, lambda sums: groups.alike(sums)[0, :, 0], groups.rows, groups.size,
                       eps)
    found = moments(rows.reshape(-1, groups.size), _same, _same, groups.size, eps)
    mean, var, invstd, rest = (values.reshape(groups.shape[:2]) for values in found[:4])
    return Moments(mean, var, invstd, rest, found.x)


def _same(values: Array) -> Array:
    return values


def _normalise(
    groups: _Groups, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    if not x.size:
        shape = (groups.channels,) if groups.groups is None else (groups.images, groups.groups)
        mean, invstd, var = np.zeros((3, *shape))
        return np.empty_like(x), mean, invstd, var
    found = _statistics(groups, _rows(x), eps)
    scale = groups.spread(found.invstd)
    if weight is not None:
        scale = scale * groups.weights(weight)
    factors = np.empty((2, *groups.shape))
    factors[0] = scale
    offset = np.multiply(groups.spread(found.rest), scale, out=factors[1])
    if bias is None:
        np.negative(offset, out=offset)
    else:
        np.subtract(groups.weights(bias), offset, out=offset)
    return _scaled(groups, found.x, factors, x), found.mean, found.invstd, found.var


def _scaled(groups: _Groups, rows: Array, factors: Array, like: Array) -> Array:
    """Return rows * scale + offset, or without the offset, in the shape and dtype of `like`."""
    layout = _layout(groups)
    rows = rows.reshape(layout.shape)
    scale, *offset = layout.factors(factors, rows.dtype, groups)
    y = np.empty(layout.shape, rows.dtype)

    def work(block: slice) -> None:
        part = slice(None) if layout.repeat else block
        out = np.multiply(rows[block], scale[part], out=y[block])
        if offset:
            out += offset[0][part]

    in_rows(work, *layout.shape)
    return y.reshape(like.shape).astype(like.dtype, copy=False)


def _gradients(
    groups: _Groups,
    g: Array,
    x: Array,
    mean: Array,
    invstd: Array,
    weight: Array | None,
    needs: Needs,
) -> tuple[Array | None, Array | None, Array | None]:
    kind = x.dtype if weight is None else weight.dtype
    if not x.size:
        zeros = [np.zeros(groups.channels, kind) if need else None for need in needs[1:]]
        return (np.empty_like(x) if needs[0] else None), zeros[0], zeros[1]
    rows_g, rows_x = _rows(g), _rows(x)
    centre, s = groups.spread(mean), groups.spread(invstd)
    if not near(mean, invstd):
        rows_x = rows_x - groups.rows(mean.astype(rows_x.dtype))[:, None]
        centre = _combine(groups.alike(sums(rows_x))) / groups.size  # digits `mean` has lost
    sum_g, sum_gxhat = map(groups.alike, fine_row_sums(rows_g, rows_x))
    sum_gxhat -= centre * sum_g
    sum_gxhat *= s
    dw = np.add.reduce(sum_gxhat, 0).reshape(-1).astype(kind) if needs[1] else None
    db = np.add.reduce(sum_g, 0).reshape(-1).astype(kind) if needs[2] else None
    if not needs[0]:
        return None, dw, db
    a = s
    if weight is not None:
        w = groups.weights(weight)
        sum_g, sum_gxhat, a = w * sum_g, w * sum_gxhat, w * s
    each = s / -groups.size
    b = _combine(sum_gxhat)
    b *= each
    b *= s
    c = _combine(sum_g)
    c *= each
    c -= b * centre
    factors = np.empty((3, *sum_g.shape))
    factors[0], factors[1], factors[2] = a, b, c
    if smallest(invstd) < _STEEP:
        rows_x = rows_x.astype(np.float64)  # in float32 b would be 0
        rows_g = rows_g.astype(np.float64)
    dx = _combined(groups, rows_g, rows_x, factors)
    return dx.reshape(x.shape).astype(x.dtype, copy=False), dw, db


def _combined(groups: _Groups, g: Array, x: Array, factors: Array) -> Array:
    """Return g a + x b + c with factors a, b and c."""
    layout = _layout(groups)
    x, g = x.reshape(layout.shape), g.reshape(layout.shape)
    a, b, c = layout.factors(factors, x.dtype, groups)
    out = np.empty(layout.shape, x.dtype)

    def work(block: slice) -> None:
        part = slice(None) if layout.repeat else block
        target = np.multiply(x[block], b[part], out=out[block])
        target += c[part]
        scaled = scratch("scaled", target.shape, x.dtype)
        target += np.multiply(g[block], a[part], out=scaled)

    in_rows(work, *layout.shape)
    return out


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    """Return y, mean, 1 / sqrt(var + eps) and the biased var of each channel of x (N, C, ...).

    weight, bias: (C,) or None; the statistics are float64 (C,).
    """
    return _normalise(_grouped(x, None), x, weight, bias, eps)


def batch_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(_grouped(x, None), g, x, mean, invstd, weight, needs)


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, mean and 1 / sqrt(var + eps) of each group of channels of each image.

    x (N, C, ...), weight and bias (C,) or None; the statistics are float64 (N, groups). With
    groups == C it is instance normalisation.
    """
    return _normalise(_grouped(x, groups), x, weight, bias, eps)[:3]


def group_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(_grouped(x, mean.shape[1]), g, x, mean, invstd, weight, needs)


def frozen_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float
) -> Array:
    """Return (x - mean) / sqrt(var + eps) * weight + bias with given statistics (C,).

    It is batch normalisation in evaluation mode; x (N, C, ...).
    """
    rows, groups = _rows(x), _grouped(x, None)
    if not x.size:
        return np.empty_like(x)
    scale = inverse_root(var.astype(np.float64), eps)
    rest = mean
    if not near(mean, scale, 1.0):  # running statistics need not be close to those of x
        shift = mean.astype(rows.dtype)
        rows = rows - groups.rows(shift)[:, None]
        rest = mean - shift
    if weight is not None:
        scale = scale * weight
    offset = -rest * scale if bias is None else bias - rest * scale
    return _scaled(groups, rows, np.stack([scale, offset])[:, None, :, None], x)


def frozen_norm_backward(
    g: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others.

    The statistics are constants: dx = g * weight / sqrt(var + eps).
    """
    kind = x.dtype if weight is None else weight.dtype
    if not x.size:
        zeros = [np.zeros(x.shape[1], kind) if need else None for need in needs[1:]]
        return (np.empty_like(x) if needs[0] else None), zeros[0], zeros[1]
    s = inverse_root(var.astype(np.float64), eps)
    groups, rows_g, rows_x = _grouped(x, None), _rows(g), _rows(x)
    dx = dw = db = None
    if needs[0]:
        scale = s if weight is None else s * weight
        dx = _scaled(groups, rows_g, scale[None, None, :, None], x)
    if not (needs[1] or needs[2]):
        return dx, dw, db
    centre = mean.astype(np.float64)
    if not near(centre, s, 1.0):
        shift = mean.astype(rows_x.dtype)
        rows_x = rows_x - groups.rows(shift)[:, None]
        centre = centre - shift
    sum_g, sum_gx = map(groups.alike, fine_row_sums(rows_g, rows_x))
    if needs[1]:
        dw = ((sum_gx[0, :, 0] - centre * sum_g[0, :, 0]) * s).astype(kind)
    if needs[2]:
        db = sum_g[0, :, 0].astype(kind)
    return dx, dw, db
