"""Layer normalisation of small float32 arrays: few calls of NumPy, in float64.

Below some thousand elements a call of NumPy costs more than what it computes. In float64 the plain
formulas keep all digits of float32, so that nothing has to be watched over: see `_row_norm.py` for
the others. With s = 1 / sqrt(var + eps) and xhat = (x - mean) * s,

    dx = s * (w g - E[w g] - xhat E[w g xhat]),   dw = sum g xhat,   db = sum g.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.softmax import ones

Array = np.ndarray
SMALL = 8192  # elements
_SINGLE, _DOUBLE = np.dtype("f4"), np.dtype("f8")


def is_small(x: Array) -> bool:
    """Tell whether the functions here are for x (M, D), and fast."""
    return x.dtype is _SINGLE and 0 < x.size <= SMALL


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (float32), xhat and s (float64) of the rows of x (M, D); weight, bias: (D,)."""
    length = x.shape[1]
    xhat = x.astype(_DOUBLE)
    xhat -= (xhat.dot(ones(length, _DOUBLE)) / length)[:, None]
    s = (xhat * xhat).dot(ones(length, _DOUBLE))
    s /= length
    s += eps
    np.sqrt(s, out=s)
    np.reciprocal(s, out=s)
    xhat *= s[:, None]
    y = xhat if weight is None else xhat * weight
    if bias is not None:
        y = y + bias if y is xhat else np.add(y, bias, out=y)
    return y.astype(_SINGLE), xhat, s


def layer_norm_backward(
    g: Array, xhat: Array, s: Array, weight: Array | None, needs: tuple[bool, bool, bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, weight and bias that `needs` asks for, None for the others."""
    rows, length = xhat.shape
    wide = g.astype(_DOUBLE)
    product = wide * xhat
    dx = dw = db = None
    if needs[1]:
        dw = ones(rows, _DOUBLE).dot(product).astype(_SINGLE)
    if needs[2]:
        db = ones(rows, _DOUBLE).dot(wide).astype(_SINGLE)
    if needs[0]:
        share = np.divide(1 if weight is None else weight, length, dtype=_DOUBLE)
        share = np.full(length, share) if weight is None else share
        along = xhat * product.dot(share)[:, None]
        along += wide.dot(share)[:, None]
        if weight is not None:
            wide *= weight
        wide -= along
        wide *= s[:, None]
        dx = wide.astype(_SINGLE)
    return dx, dw, db
