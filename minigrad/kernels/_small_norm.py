"""Layer normalisation of small float32 arrays: few calls of NumPy, in float64.

Below some thousand elements a call of NumPy costs more than what it computes, and one that
broadcasts along short rows three times what a small product does: factors are spread over the array
by outer products, means are subtracted by a product with D I - 1, whose integers leave exactly 0 of
a constant row. In float64 the plain formulas keep all digits of float32, so that nothing has to be
watched over: see `_row_norm.py` for the others. With c = D (x - mean), h = 1 / (D std), std =
sqrt(var + eps) and means E over a row of D elements, c h is the normalised row and

    y = c (h w) + b,   dw = h @ (g c),   db = 1 @ g,
    dx = D (h w g - E[h w g]) - c h^3 ((g c) @ w).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from minigrad.kernels.softmax import ones

Array = np.ndarray
SMALL = 8192  # elements
# Lengths of rows that are centred by a product with a matrix; of length 1 it would be 0, which
# BLAS does not multiply with NaN
_NARROW = range(2, 25)
_SINGLE, _DOUBLE = np.dtype("f4"), np.dtype("f8")


def is_small(x: Array) -> bool:
    """Tell whether the functions here are for x (M, D), and fast."""
    return x.dtype is _SINGLE and 0 < x.size <= SMALL


@lru_cache(maxsize=16)
def _constants(length: int) -> tuple[Array, Array, Array, Array]:
    """Return D, ones, a vector with which a product is the mean, and D I - 1 for short rows."""
    centring = length * np.eye(length if length in _NARROW else 0) - 1
    return np.array(float(length)), np.ones(length), np.full(length, 1 / length), centring


@lru_cache(maxsize=16)
def _scaled(eps: float, length: int) -> Array:
    return np.array(eps * length * length)


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (float32), c and h (float64) of the rows of x (M, D); weight, bias: (D,)."""
    length = x.shape[1]
    size, one, share, centring = _constants(length)
    c = x.astype(_DOUBLE, "C")  # whose layout the result has
    if length in _NARROW:
        c = c.dot(centring)
    else:
        total = c.dot(one)
        c *= size
        c -= total[:, None]
    h = (c * c).dot(share)
    h += _scaled(eps, length)
    np.sqrt(h, h)
    np.reciprocal(h, h)
    factors = h[:, None].dot(one[None] if weight is None else weight.astype(_DOUBLE)[None])
    factors *= c
    y = factors.astype(_SINGLE)
    if bias is not None:
        y += bias
    return y, c, h


def layer_norm_backward(
    g: Array, c: Array, h: Array, weight: Array | None, needs: tuple[bool, bool, bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    rows, length = c.shape
    size, one, share, centring = _constants(length)
    wide = g.astype(_DOUBLE, "C")
    product = wide * c
    dx = dw = db = None
    if needs[1]:
        dw = h.dot(product).astype(_SINGLE)
    if needs[2]:
        db = ones(rows, _DOUBLE).dot(wide).astype(_SINGLE)
    if needs[0]:
        weights = one if weight is None else weight.astype(_DOUBLE)
        p = product.dot(weights)
        p *= h
        p *= h
        p *= h
        if length in _NARROW:
            wide *= h[:, None].dot(weights[None])
            wide = wide.dot(centring)
            product = p[:, None].dot(one[None])
            product *= c
        else:
            wide *= (h * size)[:, None].dot(weights[None])
            np.multiply(c, p[:, None], out=product)
            product += wide.dot(share)[:, None]
        wide -= product
        dx = wide.astype(_SINGLE)
    return dx, dw, db
