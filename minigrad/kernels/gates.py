"""The logistic function and the activations made of it, without overflow and early underflow.

With s = 1 / (1 + exp(-x)) and r = 1 - s = 1 / (1 + exp(x)), each from exp(-|x|), every formula here
is a product of factors that are right to the last places in both tails:

    silu x s, slope s (1 + x r);
    mish x T, T = s (1 + r) / (1 + r^2), slope T + 4 x r^2 s / (1 + r^2)^2;
    gelu's tanh form x s(k(x)), slope s + x s r k'

because tanh(log(1 + exp(x))) = (1 - r^2) / (1 + r^2). float16 is computed in float32.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["gelu_tanh", "gelu_tanh_slope", "logistic", "mish", "mish_slope", "silu", "silu_slope"]

Array = np.ndarray

CUBIC = 0.044715
LINEAR = 2 * math.sqrt(2 / math.pi)
FAR = 30.0  # gelu's tanh form is 0 below -FAR and x above in every dtype
_OVERFLOW = {np.dtype("f4"): np.float32(-88), np.dtype("f8"): np.float64(-709)}


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _pair(x: Array) -> tuple[Array, Array]:
    """Return s and r."""
    small = np.exp(-np.abs(x))
    large = np.reciprocal(1 + small)
    small *= large
    left = x < 0
    return np.where(left, small, large), np.where(left, large, small)


def _gate(x: Array) -> Array:
    """Return s; where exp(-x) overflows it is exp(x)."""
    y = np.exp(-x)
    y += 1
    y = np.reciprocal(y)
    least = _OVERFLOW[x.dtype]
    if x.size and np.minimum.reduce(x, axis=None) < least:
        np.copyto(y, np.exp(np.minimum(x, 0)), where=x < least)
    return y


def logistic(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), down to the smallest numbers of the dtype."""
    return _gate(_wide(x)).astype(x.dtype, copy=False)


def silu(x: Array) -> Array:
    """Return x / (1 + exp(-x))."""
    y = _gate(_wide(x))
    y *= x
    return y.astype(x.dtype, copy=False)


def silu_slope(x: Array) -> Array:
    """Return the derivative of silu."""
    s, slope = _pair(_wide(x))
    slope *= x
    slope += 1
    slope *= s
    return slope.astype(x.dtype, copy=False)


def mish(x: Array) -> Array:
    """Return x tanh(log(1 + exp(x)))."""
    s, r = _pair(_wide(x))
    s /= 1 + r * r
    s *= 1 + r
    s *= x
    return s.astype(x.dtype, copy=False)


def mish_slope(x: Array) -> Array:
    """Return the derivative of mish."""
    s, r = _pair(_wide(x))
    square = r * r
    s /= 1 + square
    steep = square / (1 + square)
    steep *= s
    steep *= x
    steep *= 4
    r += 1
    s *= r
    s += steep
    return s.astype(x.dtype, copy=False)


def _inner(x: Array) -> Array:
    return LINEAR * (x + CUBIC * (x * x * x))


def gelu_tanh(x: Array) -> Array:
    """Return x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    wide = _wide(x)
    y = _gate(_inner(wide))
    y *= wide
    return y.astype(x.dtype, copy=False)


def gelu_tanh_slope(x: Array) -> Array:
    """Return the derivative of `gelu_tanh`."""
    near = np.clip(_wide(x), -FAR, FAR)
    s, slope = _pair(_inner(near))
    slope *= near * (LINEAR * (1 + 3 * CUBIC * (near * near)))
    slope += 1
    slope *= s
    return slope.astype(x.dtype, copy=False)
