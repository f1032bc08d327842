"""Batch, group, instance, layer and root-mean-square normalisation with their gradients.

All but the last are y = (x - mean) / sqrt(var + eps) * weight + bias with the biased variance, over
different groups of x. Statistics are float64 arrays whatever x is; float16 is computed in float32
and rounded once. Nothing but x and the statistics is needed for the gradients.

With s = 1 / sqrt(var + eps), xhat = (x - mean) * s and averages E over a group of count elements

    dx = s * (w g - E[w g] - xhat E[w g xhat]),   dw = sum g xhat,   db = sum g.

For x (N, C, L) and weights per channel every sum is made of the sums over L of g and of g x, and dx
is a g + b x + c with three numbers for each row, or a (g + b x + c) where w is the same for all of
a group. So all of them take two sweeps over the array, one for the sums and one for y or dx. Where
x is far from zero both are taken of x less a number close to its mean (`_moments.py`), the `shift`;
then the mean in these formulas is what is left of it.
"""

from __future__ import annotations

import numpy as np

from minigrad._quiet import quietly
from minigrad.kernels._groups import (
    Groups,
    combine,
    combine_equal,
    grouped,
    scale,
    scale_and_shift,
)
from minigrad.kernels._moments import (
    Moments,
    fine_row_sums,
    inverse_root,
    loud_moments,
    near,
    smallest,
)
from minigrad.kernels._row_norm import (
    layer_norm,
    layer_norm_backward,
    rms_norm,
    rms_norm_backward,
)

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
Gradients = tuple[Array | None, Array | None, Array | None]
_STEEP = 1e-15  # the square of 1 / std is just a normal number in float32


def _contiguous(x: Array) -> Array:
    """View or copy x as a contiguous array of float32 or more."""
    return np.ascontiguousarray(x, np.float32 if x.dtype == np.float16 else None)


def _moments(groups: Groups, x: Array, eps: float) -> Moments:
    if groups.batch:
        rows = x.reshape(groups.images * groups.channels, groups.length)
        return loud_moments(rows, groups.total, groups.shifted, groups.elements, eps)
    rows = x.reshape(groups.images * groups.inner[0], groups.inner[1] * groups.length)
    return loud_moments(rows, _same, groups.shifted, groups.elements, eps)


def _same(values: Array) -> Array:
    return values


def _normalise(
    groups: Groups, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    if not x.size:
        zeros = np.zeros((2, groups.statistics))
        return np.empty_like(x), zeros, zeros[0], zeros[1]
    found = _moments(groups, _contiguous(x), eps)
    rows = found.x
    a = found.invstd.reshape(groups.outer)
    if weight is not None:
        a = a * weight.reshape(groups.inner)
    factors = np.empty((2, *groups.factors), rows.dtype)
    factors[0] = a
    # of the rounded factor, so that its rounding error is multiplied by x - centre only
    offset = factors[0] * found.rest.reshape(groups.outer)
    if bias is None:
        np.negative(offset, offset)
    else:
        np.subtract(bias.reshape(groups.inner), offset, offset)
    factors[1] = offset
    y = np.empty(x.shape, rows.dtype) if len(found.kept) == 2 else rows
    groups.sweep(scale_and_shift, factors, rows, y)
    y = y.reshape(x.shape).astype(x.dtype, copy=False)
    return y, found.kept, found.mean, found.var


def _gradients(
    groups: Groups, g: Array, x: Array, kept: Array, weight: Array | None, needs: Needs
) -> Gradients:
    kind = x.dtype if weight is None else weight.dtype
    if not x.size:
        zeros = [np.zeros(groups.channels, kind) if need else None for need in needs[1:]]
        return (np.empty_like(x) if needs[0] else None), zeros[0], zeros[1]
    shape = (groups.images * groups.channels, groups.length)
    rows_g, rows_x = _contiguous(g).reshape(shape), _contiguous(x).reshape(shape)
    if len(kept) == 3:
        rows_x = groups.shifted(rows_x, kept[2])
    centre, s = kept[0].reshape(groups.outer), kept[1].reshape(groups.outer)
    sums = groups.total(fine_row_sums(rows_g, rows_x))
    sum_g, sum_gxhat = sums
    sum_gxhat -= centre * sum_g
    sum_gxhat *= s
    dw = db = None
    if needs[1]:
        dw = groups.by_channel(sum_gxhat).astype(kind)
    if needs[2]:
        db = groups.by_channel(sum_g).astype(kind)
    if not needs[0]:
        return None, dw, db
    w = None if weight is None else weight.reshape(groups.inner)
    equal = w is None or groups.equal
    if not equal:
        sums *= w
    if not groups.equal:
        sums = np.add.reduce(sums, 3, keepdims=True)
    sums /= groups.minus
    a = s if w is None else s * w
    if not equal:
        sums *= s
        if smallest(s) < _STEEP:
            rows_x = rows_x.astype(np.float64)  # in float32 b would be 0
            rows_g = rows_g.astype(np.float64)
    b = (sums[1] * s).astype(rows_x.dtype, copy=False)
    factors = np.empty((3, *groups.factors), rows_x.dtype)
    factors[0] = a
    factors[1] = b
    factors[2] = sums[0] - b * centre
    dx = np.empty(x.shape, rows_x.dtype)
    groups.sweep(combine_equal if equal else combine, factors, rows_g, rows_x, dx)
    return dx.astype(x.dtype, copy=False), dw, db


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    """Return y, statistics for backward, the mean and the biased variance of each channel.

    x (N, C, ...), mean and var (C,); statistics (2, C): mean and 1 / sqrt(var + eps), or (3, C):
    the mean of x - shift, 1 / sqrt(var + eps) and the shift. All are float64.
    weight, bias: (C,) or None.
    """
    return quietly(_normalise, grouped(x.shape, None), x, weight, bias, eps)


def batch_norm_backward(
    g: Array, x: Array, kept: Array, weight: Array | None, needs: Needs
) -> Gradients:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return quietly(_gradients, grouped(x.shape, None), g, x, kept, weight, needs)


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array]:
    """Return y and statistics of each group of channels of each image, as `batch_norm` does.

    x (N, C, ...), statistics (2 or 3, N * groups), weight and bias (C,) or None. With groups == C
    it is instance normalisation.
    """
    return quietly(_normalise, grouped(x.shape, groups), x, weight, bias, eps)[:2]


def group_norm_backward(
    g: Array, x: Array, groups: int, kept: Array, weight: Array | None, needs: Needs
) -> Gradients:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    return quietly(_gradients, grouped(x.shape, groups), g, x, kept, weight, needs)


def frozen_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float
) -> Array:
    """Return (x - mean) / sqrt(var + eps) * weight + bias with given statistics (C,).

    It is batch normalisation in evaluation mode; x (N, C, ...).
    """
    if not x.size:
        return np.empty_like(x)
    groups, rows = grouped(x.shape, None), _contiguous(x)
    a = inverse_root(var.astype(np.float64), eps)
    rest = mean
    if not near(mean, a, 1.0):  # running statistics need not be close to those of x
        shift = mean.astype(rows.dtype)
        rows = groups.shifted(rows, shift)
        rest = mean - shift
    if weight is not None:
        a = a * weight
    factors = np.empty((2, groups.channels), rows.dtype)
    factors[0] = a
    factors[1] = -rest * a if bias is None else bias - rest * a
    y = np.empty(x.shape, rows.dtype)
    groups.sweep(scale_and_shift, factors, rows, y)
    return y.astype(x.dtype, copy=False)


def frozen_norm_backward(
    g: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, needs: Needs
) -> Gradients:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others.

    The statistics are constants: dx = g * weight / sqrt(var + eps).
    """
    kind = x.dtype if weight is None else weight.dtype
    if not x.size:
        zeros = [np.zeros(x.shape[1], kind) if need else None for need in needs[1:]]
        return (np.empty_like(x) if needs[0] else None), zeros[0], zeros[1]
    s = inverse_root(var.astype(np.float64), eps)
    groups, rows_g = grouped(x.shape, None), _contiguous(g)
    dx = dw = db = None
    if needs[0]:
        a = s if weight is None else s * weight
        y = np.empty(x.shape, rows_g.dtype)
        groups.sweep(scale, a.astype(y.dtype)[None], rows_g, y)
        dx = y.astype(x.dtype, copy=False)
    if not (needs[1] or needs[2]):
        return dx, dw, db
    shape = (groups.images * groups.channels, groups.length)
    rows_x, centre = _contiguous(x).reshape(shape), mean.astype(np.float64)
    if not near(mean, s, 1.0):
        shift = mean.astype(rows_x.dtype)
        rows_x = groups.shifted(rows_x, shift)
        centre = centre - shift
    sum_g, sum_gx = groups.total(fine_row_sums(rows_g.reshape(shape), rows_x))
    if needs[1]:
        dw = ((sum_gx - centre * sum_g) * s).astype(kind)
    if needs[2]:
        db = sum_g.astype(kind)
    return dx, dw, db
