"""Batch, group, instance, layer and root-mean-square normalisation with their gradients.

All but the last are y = (x - mean) / sqrt(var + eps) * weight + bias with the biased variance, over
different groups of x. Statistics are float64 arrays whatever x is; float16 is computed in float32
and rounded once. Nothing but x and the statistics is needed for the gradients.

With s = 1 / sqrt(var + eps), xhat = (x - mean) * s and averages E over a group of count elements

    dx = s * (w g - E[w g] - xhat E[w g xhat]),   dw = sum g xhat,   db = sum g.

For x (N, C, L) and weights per channel every sum is made of the sums over L of g and of g x, and dx
is a g + b x + c with three numbers for each row.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from minigrad.kernels._blocks import BLOCK, each_block
from minigrad.kernels._moments import fine_dots, moments, shift_for, sums
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
    """How rows (N, C) form groups: one per channel, or `groups` per image."""

    groups: int | None

    def rows(self, sums: Array) -> Array:
        """Add the sums of rows (N, C) that share statistics and weight: (1, C) or (N, C)."""
        return np.add.reduce(sums, 0, keepdims=True) if self.groups is None else sums

    def combine(self, rows: Array) -> Array:
        """Add the results of `rows` to the sums of groups."""
        if self.groups is None:
            return rows[0]
        if self.groups == rows.shape[1]:
            return rows
        split = rows.reshape(len(rows), self.groups, rows.shape[1] // self.groups)
        return np.add.reduce(split, -1)

    def total(self, rows: Array) -> Array:
        return self.combine(self.rows(rows))

    def spread(self, values: Array, channels: int) -> Array:
        if self.groups is None:
            return values[None]
        return values if self.groups == channels else values.repeat(channels // self.groups, 1)

    def count(self, shape: tuple[int, ...]) -> int:
        images, channels, length = shape
        return images * length if self.groups is None else channels // self.groups * length

    def blocks(self, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
        """Cut into blocks of whole groups: index pairs for images and channels."""
        images, channels, length = shape
        everything = slice(None)
        if self.groups is None:
            step = max(1, BLOCK // max(1, images * length))
            return [(everything, slice(c, c + step)) for c in range(0, channels, step)]
        step = max(1, BLOCK // max(1, channels * length))
        return [(slice(n, n + step), everything) for n in range(0, images, step)]

    def statistics(self, block: tuple[slice, slice]) -> slice | tuple[slice, slice]:
        """Return the index of a block's statistics."""
        return block[1] if self.groups is None else block

    def shape(self, images: int, channels: int) -> tuple[int, ...]:
        return (channels,) if self.groups is None else (images, self.groups)


def _rows(x: Array) -> Array:
    """View or copy x (N, C, ...) as (N, C, L)."""
    return x.reshape(x.shape[:2] + (prod(x.shape[2:]),))


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _normalise(
    groups: _Groups, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    rows = _rows(x)
    images, channels, _ = rows.shape
    y = np.empty(rows.shape, x.dtype)
    mean, invstd, var = np.empty((3, *groups.shape(images, channels)))
    blocks = groups.blocks(rows.shape)
    count = groups.count(rows.shape)

    def work(index: int) -> None:
        block = blocks[index]
        part = _wide(rows[block])
        spread = lambda values: groups.spread(values, part.shape[1])
        found = moments(part, groups.total, spread, count, eps)
        s = 1 / np.sqrt(found.var + eps)
        at = groups.statistics(block)
        mean[at], invstd[at], var[at] = found.mean, s, found.var
        scale = spread(s)
        if weight is not None:
            scale = scale * weight[block[1]]
        if found.shift is not None:
            part = part - found.shift[..., None]
        offset = spread(found.rest) * scale
        offset = np.negative(offset, out=offset) if bias is None else bias[block[1]] - offset
        _scale_and_add(part, scale, offset, y[block])

    each_block(work, len(blocks), rows.size)
    return y.reshape(x.shape), mean, invstd, var


def _scale_and_add(x: Array, scale: Array, offset: Array, out: Array) -> None:
    """Write x * scale + offset, one number per row, to `out`."""
    target = out if out.dtype == x.dtype else np.empty(x.shape, x.dtype)
    np.multiply(x, scale.astype(x.dtype)[..., None], out=target)
    np.add(target, offset.astype(x.dtype)[..., None], out=target)
    if target is not out:
        out[...] = target


def _gradients(
    groups: _Groups,
    g: Array,
    x: Array,
    mean: Array,
    invstd: Array,
    weight: Array | None,
    needs: Needs,
) -> tuple[Array | None, Array | None, Array | None]:
    rows_g, rows_x = _rows(g), _rows(x)
    images, channels, _ = rows_x.shape
    dx = np.empty(rows_x.shape, x.dtype) if needs[0] else None
    lines = images if groups.groups else 1  # blocks are of whole columns without groups
    dw, db = np.zeros((lines, channels)), np.zeros((lines, channels))
    blocks = groups.blocks(rows_x.shape) if rows_x.size else []
    count = groups.count(rows_x.shape)

    def work(index: int) -> None:
        block = blocks[index]
        at = groups.statistics(block)
        part_g, part_x = _wide(rows_g[block]), _wide(rows_x[block])
        spread = lambda values: groups.spread(values, part_x.shape[1])
        centre, s = spread(mean[at]), spread(invstd[at])
        shift = shift_for(centre, s, part_x.dtype)
        if shift is not None:
            part_x = part_x - shift[..., None]
            centre = spread(groups.total(sums(part_x)) / count)  # the digits `mean` has lost
        sum_g = groups.rows(sums(part_g))
        sum_gxhat = groups.rows(fine_dots(part_g, part_x))
        sum_gxhat -= centre * sum_g
        sum_gxhat *= s
        db[block], dw[block] = sum_g, sum_gxhat
        if dx is None:
            return
        if weight is not None:
            w = weight[block[1]].astype(np.float64)
            sum_g, sum_gxhat = w * sum_g, w * sum_gxhat
        each = s / -count
        b = spread(groups.combine(sum_gxhat)) * each
        b *= s
        c = spread(groups.combine(sum_g)) * each
        c -= b * centre
        if np.minimum.reduce(s, axis=None, initial=np.inf) < _STEEP:
            part_x = part_x.astype(np.float64)  # in float32 b would be 0
        _combine(part_g, s if weight is None else s * w, part_x, b, c, dx[block])

    each_block(work, len(blocks), rows_x.size)
    kind = x.dtype if weight is None else weight.dtype
    return (
        None if dx is None else dx.reshape(x.shape),
        np.add.reduce(dw, 0).astype(kind) if needs[1] else None,
        np.add.reduce(db, 0).astype(kind) if needs[2] else None,
    )


def _combine(g: Array, a: Array, x: Array, b: Array, c: Array, out: Array) -> None:
    """Write a g + b x + c, three numbers per row, to `out`."""
    kind = x.dtype
    target = out if out.dtype == kind else np.empty(x.shape, kind)
    np.multiply(x, b.astype(kind)[..., None], out=target)
    np.add(target, c.astype(kind)[..., None], out=target)
    scaled = scratch("scaled", x.shape, kind)
    np.multiply(g, a.astype(kind)[..., None], out=scaled)
    np.add(target, scaled, out=target)
    if target is not out:
        out[...] = target


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    """Return y, mean, 1 / sqrt(var + eps) and the biased var of each channel of x (N, C, ...).

    weight, bias: (C,) or None; the statistics are float64 (C,).
    """
    return _normalise(_Groups(None), x, weight, bias, eps)


def batch_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(_Groups(None), g, x, mean, invstd, weight, needs)


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, mean and 1 / sqrt(var + eps) of each group of channels of each image.

    x (N, C, ...), weight and bias (C,) or None; the statistics are float64 (N, groups). With
    groups == C it is instance normalisation.
    """
    return _normalise(_Groups(groups), x, weight, bias, eps)[:3]


def group_norm_backward(
    g: Array, x: Array, mean: Array, invstd: Array, weight: Array | None, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return _gradients(_Groups(mean.shape[1]), g, x, mean, invstd, weight, needs)


def frozen_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float
) -> Array:
    """Return (x - mean) / sqrt(var + eps) * weight + bias with given statistics (C,).

    It is batch normalisation in evaluation mode; x (N, C, ...).
    """
    rows = _rows(x)
    y = np.empty(rows.shape, x.dtype)
    scale = 1 / np.sqrt(var.astype(np.float64) + eps)
    shift = shift_for(mean, scale, _wide(x[:0]).dtype)
    if weight is not None:
        scale = scale * weight
    offset = -mean * scale if shift is None else (shift - mean) * scale
    if bias is not None:
        offset = offset + bias
    part = _wide(rows)
    if shift is not None:
        part = part - shift[:, None]
    _scale_and_add(part, scale, offset, y)
    return y.reshape(x.shape)


def frozen_norm_backward(
    g: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, needs: Needs
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others.

    The statistics are constants: dx = g * weight / sqrt(var + eps).
    """
    s = 1 / np.sqrt(var.astype(np.float64) + eps)
    grad, part = _wide(_rows(g)), _wide(_rows(x))
    kind = x.dtype if weight is None else weight.dtype
    dx = dw = db = None
    if needs[0]:
        scale = s if weight is None else s * weight
        dx = (grad * scale.astype(grad.dtype)[:, None]).astype(x.dtype, copy=False).reshape(x.shape)
    sum_g = sums(grad)
    if needs[1]:
        shift = shift_for(mean, s, part.dtype)
        centred = part if shift is None else part - shift[:, None]
        centre = mean.astype(np.float64) - (0 if shift is None else shift)
        dw = ((fine_dots(grad, centred) - centre * sum_g) * s).sum(0).astype(kind)
    if needs[2]:
        db = sum_g.sum(0).astype(kind)
    return dx, dw, db
