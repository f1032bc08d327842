"""Sparsemax and entmax with alpha = 1.5: like softmax, but with exact zeros.

Both project the scores onto the simplex: p = [(alpha - 1) z - tau]_+ ^ (1 / (alpha - 1)), where
the threshold tau makes the sum 1. Sorting finds tau exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _check
from ...engine import op
from ...ops.reduce import sum

ndarray = np.ndarray


def _below_max(x: ndarray, dim: int, scale: float) -> ndarray:
    """Return scale * (x - max) in float64, cut at -2: what lies 1 below the max has no share.

    The cut makes -inf (a mask) a number. A row of -inf alone becomes nan, as with softmax.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        z = x.astype(np.float64)
        z -= z.max(dim, keepdims=True)
    z *= scale
    return np.maximum(z, -2, out=z)


def _ordered(z: ndarray, dim: int) -> tuple[ndarray, ndarray]:
    """Return the values in descending order, and 1, 2, ... in the shape that multiplies them."""
    ranks = np.arange(1, z.shape[dim] + 1).reshape(-1, *(1,) * (z.ndim - 1 - dim))
    return -np.sort(-z, dim), ranks


def _at_size(values: ndarray, inside: ndarray, dim: int) -> ndarray:
    """Return the candidate threshold that belongs to the size of the support."""
    size = np.maximum(inside.sum(dim, keepdims=True), 1)
    return np.take_along_axis(values, size - 1, dim)


def _sparsemax_rule(g: Any, support: Any, count: Any, dim: int) -> Any:
    """On the support p_i = z_i - tau with tau = (sum z - 1) / count: subtract the mean of g."""
    g = g * support
    return g - support * (sum(g, dim, True) / count)


@op(input=_sparsemax_rule, aux="support count")
def sparsemax_op(input: Any, dim: int) -> Any:
    """Return [z - tau]_+; the support and its size do not change for small changes of z."""
    _check.floats("sparsemax", input)
    dim = _check.dim(dim, input.ndim)
    x = input if input.ndim else input[None]
    z = _below_max(x, dim, 1.0)
    ordered, ranks = _ordered(z, dim)
    above = ordered.cumsum(dim) - 1
    z -= _at_size(above / ranks, ranks * ordered > above, dim)
    p = np.maximum(z, 0).astype(input.dtype).reshape(input.shape)
    support = p > 0
    return p, support, np.maximum(support.sum(dim, keepdims=True), 1).astype(input.dtype)


def _root_rule(g: Any, y: Any, support: Any, dim: int) -> Any:
    """From u_i = z_i / 2 - tau on the support and sum u^2 = 1: d tau = sum(u dz) / (2 sum u)."""
    g = g * support
    return (g - y * (sum(g, dim, True) / sum(y, dim, True))) / 2


@op(input=_root_rule, aux="support")
def entmax15_root(input: Any, dim: int) -> Any:
    """Return u = [z / 2 - tau]_+ with sum u^2 = 1: the square root of entmax15.

    An op of its own, because u is piecewise smooth where p = u^2 is 0, unlike sqrt(p).
    With k values in the support, mean m and sum s of squared deviations: k (m - tau)^2 + s = 1.
    """
    _check.floats("entmax15", input)
    dim = _check.dim(dim, input.ndim)
    x = input if input.ndim else input[None]
    z = _below_max(x, dim, 0.5)
    ordered, ranks = _ordered(z, dim)
    mean = ordered.cumsum(dim) / ranks
    spread = (ordered * ordered).cumsum(dim) / ranks - mean * mean
    tau = mean - np.sqrt(np.maximum(1 / ranks - spread, 0))
    z -= _at_size(tau, tau <= ordered, dim)
    u = np.maximum(z, 0).astype(input.dtype).reshape(input.shape)
    return u, u > 0
