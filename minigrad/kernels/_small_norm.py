"""Layer normalisation of small float32 arrays: few calls of NumPy, in float64.

Below some thousand elements a call of NumPy costs more than what it computes. In float64 the plain
formulas keep all digits of float32, so that nothing has to be watched over: see `_row_norm.py` for
the others. With s = 1 / sqrt(var + eps) and xhat = (x - mean) * s,

    dx = s * (w g - E[w g] - xhat E[w g xhat]),   dw = sum g xhat,   db = sum g.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from minigrad.kernels.softmax import ones

Array = np.ndarray
SMALL = 8192  # elements
_SINGLE, _DOUBLE = np.dtype("f4"), np.dtype("f8")


def is_small(x: Array) -> bool:
    """Tell whether the functions here are for x (M, D), and fast."""
    return x.dtype is _SINGLE and 0 < x.size <= SMALL


@lru_cache(maxsize=16)
def _shares(length: int) -> Array:
    """Return a vector with which a product is the mean."""
    return np.full(length, 1 / length)


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (float32), xhat and s (float64) of the rows of x (M, D); weight, bias: (D,)."""
    length = x.shape[1]
    xhat = x.astype(_DOUBLE, "C")  # whose layout the result has
    mean = xhat.dot(ones(length, _DOUBLE))
    mean /= length  # exactly that of a constant row
    xhat -= mean[:, None]
    s = (xhat * xhat).dot(_shares(length))
    s += eps
    np.sqrt(s, out=s)
    np.reciprocal(s, out=s)
    xhat *= s[:, None]
    y = xhat.astype(_SINGLE)
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    return y, xhat, s


def layer_norm_backward(
    g: Array, xhat: Array, s: Array, weight: Array | None, needs: tuple[bool, bool, bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    rows, length = xhat.shape
    wide = g.astype(_DOUBLE, "C")
    product = wide * xhat
    dx = dw = db = None
    if needs[1]:
        dw = ones(rows, _DOUBLE).dot(product).astype(_SINGLE)
    if needs[2]:
        db = ones(rows, _DOUBLE).dot(wide).astype(_SINGLE)
    if needs[0]:
        share = _shares(length)
        weights = ones(length, _DOUBLE) if weight is None else weight.astype(_DOUBLE)
        p = product.dot(weights * share)
        p *= s
        wide *= s[:, None].dot(weights[None])
        np.multiply(xhat, p[:, None], out=product)
        product += wide.dot(share)[:, None]
        wide -= product
        dx = wide.astype(_SINGLE)
    return dx, dw, db
