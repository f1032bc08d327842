"""The logistic function and the activations made of it, without overflow and early underflow.

With s = 1 / (1 + exp(-x)) and r = 1 - s = exp(-x) s, every formula here is a product of factors
that are right to the last places in both tails:

    silu x s, slope s (1 + x r);
    mish x T, T = s (1 + r) / (1 + r^2), slope T + 4 x r^2 s / (1 + r^2)^2;
    gelu's tanh form x s(k(x)), slope s + x s r k'

because tanh(log(1 + exp(x))) = (1 - r^2) / (1 + r^2). float16 is computed in float32 and rounded
once; arrays are worked on in blocks that stay in the cache.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.special import in_blocks

__all__ = ["gelu_tanh", "gelu_tanh_slope", "logistic", "mish", "mish_slope", "silu", "silu_slope"]

Array = np.ndarray

CUBIC = 0.044715
LINEAR = 2 * math.sqrt(2 / math.pi)
FAR = 30.0  # gelu's tanh form is 0 below -FAR and x above in every dtype
_OVERFLOW = {np.dtype("f4"): np.float32(-88), np.dtype("f8"): np.float64(-709)}


def logistic(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), down to the smallest numbers of the dtype."""
    return in_blocks(_gate, x)


def silu(x: Array) -> Array:
    """Return x / (1 + exp(-x))."""
    return in_blocks(_silu, x)


def silu_slope(x: Array) -> Array:
    """Return the derivative of silu."""
    return in_blocks(_silu_slope, x)


def mish(x: Array) -> Array:
    """Return x tanh(log(1 + exp(x)))."""
    return in_blocks(_mish, x)


def mish_slope(x: Array) -> Array:
    """Return the derivative of mish."""
    return in_blocks(_mish_slope, x)


def gelu_tanh(x: Array) -> Array:
    """Return x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    return in_blocks(_gelu_tanh, x)


def gelu_tanh_slope(x: Array) -> Array:
    """Return the derivative of `gelu_tanh`."""
    return in_blocks(_gelu_tanh_slope, x)


# ---- blocks
def _overflows(x: Array) -> bool:
    """Tell whether exp(-x) may be infinite (nan says nothing, so it counts)."""
    return not np.minimum.reduce(x) >= _OVERFLOW[x.dtype]


def _gate(x: Array, out: Array) -> None:
    """Write s; where exp(-x) overflows it is exp(x)."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)
    if _overflows(x):
        np.copyto(out, np.exp(np.minimum(x, 0)), where=x < _OVERFLOW[x.dtype])


def _pair(x: Array, out: Array) -> Array:
    """Write s and return r."""
    r = np.exp(-x)
    np.add(r, 1, out=out)
    np.reciprocal(out, out=out)
    r *= out
    if _overflows(x):
        far = x < _OVERFLOW[x.dtype]
        np.copyto(out, np.exp(np.minimum(x, 0)), where=far)
        np.copyto(r, 1, where=far)
    return r


def _silu(x: Array, out: Array) -> None:
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    np.divide(x, out, out=out)
    if _overflows(x):
        np.copyto(out, x * np.exp(np.minimum(x, 0)), where=x < _OVERFLOW[x.dtype])


def _silu_slope(x: Array, out: Array) -> None:
    slope = _pair(x, out)
    slope *= x
    slope += 1
    out *= slope


def _mish(x: Array, out: Array) -> None:
    r = _pair(x, out)
    square = r * r
    square += 1
    out /= square
    r += 1
    out *= r
    out *= x


def _mish_slope(x: Array, out: Array) -> None:
    r = _pair(x, out)
    square = r * r
    sum_ = 1 + square
    out /= sum_
    square /= sum_
    square *= out
    square *= x
    square *= 4
    r += 1
    out *= r
    out += square


def _inner(x: Array) -> Array:
    """Return k(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3)."""
    k = x * x
    k *= LINEAR * CUBIC
    k += LINEAR
    k *= x
    return k


def _gelu_tanh(x: Array, out: Array) -> None:
    _gate(_inner(x), out)
    out *= x


def _gelu_tanh_slope(x: Array, out: Array) -> None:
    near = np.clip(x, -FAR, FAR)
    slope = _pair(_inner(near), out)
    inner = near * near
    inner *= 3 * CUBIC * LINEAR
    inner += LINEAR
    inner *= near
    slope *= inner
    slope += 1
    out *= slope
