"""The standard normal distribution function Phi(x) times x, which is GELU, and its slope.

Phi(x) = (1 + erf(x / sqrt(2))) / 2 near 0 and erfc(-x / sqrt(2)) / 2 in the left tail, where the
former cancels. In float64 the tails begin at sqrt(2), and results are right to a few units in the
last place. In float32 they are right to 2e-7 absolutely; only below -5.5, where 1 + erf is 0, the
tail is computed in float64. float16 is computed in float32 and rounded once.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.erfc import scaled_tail
from minigrad.kernels.special import erf_single, in_blocks, near_erf, scaled_erfc

__all__ = ["gelu", "gelu_slope"]

Array = np.ndarray

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_FAR = math.sqrt(2)
_SINGLE_END = np.float32(-5.5)


def gelu(x: Array) -> Array:
    """Return x Phi(x) (Hendrycks & Gimpel 2016)."""
    return in_blocks(_gelu, x)


def gelu_slope(x: Array) -> Array:
    """Return gelu'(x) = Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)."""
    return in_blocks(_gelu_slope, x)


def _power(x: Array) -> Array:
    """Return exp(-x^2 / 2) of float64 |x| <= 40 with all digits.

    The square of h, x in single precision, is exact, and r = (x - h) (x + h) / 2 is below 1e-4:
    exp(-h^2 / 2 - r) = exp(-h^2 / 2) (1 - r + r^2 / 2 - r^3 / 6).
    """
    h = x.astype(np.float32).astype(np.float64)
    r = (x - h) * (x + h) * 0.5
    return np.exp(h * h * -0.5) * (1 - r * (1 - r * (0.5 - r / 6)))


def _left(x: Array, power: Array) -> Array:
    """Return Phi(x) of float64 x <= -sqrt(2), where power is exp(-x^2 / 2)."""
    a = x * -_SQRT_HALF
    y = scaled_erfc(np.minimum(a, 6))
    further = np.flatnonzero(a > 6)
    if further.size:
        y[further] = scaled_tail(a[further])
    y *= power
    y *= 0.5
    return y


def _far(x: Array) -> tuple[Array, Array, Array, Array]:
    """Return where float64 x is in the tails, x there, exp(-x^2 / 2) and Phi(x)."""
    far = np.flatnonzero(np.abs(x) > _FAR)
    signed = x[far]
    left = -np.minimum(np.abs(signed), 40)
    power = _power(left)
    tail = _left(left, power)
    return far, signed, power, np.where(signed < 0, tail, 1 - tail)


def _single_tail(x: Array) -> tuple[Array, Array]:
    """Return where float32 x is below the end, and x there in float64."""
    if np.minimum.reduce(x) >= _SINGLE_END:
        return np.empty(0, np.intp), np.empty(0)
    far = np.flatnonzero(x < _SINGLE_END)
    return far, np.maximum(x[far].astype(np.float64), -40)


def _near(x: Array, out: Array) -> None:
    """Write Phi(x) as it is near 0."""
    if x.dtype == np.float32:
        erf_single(x * x.dtype.type(_SQRT_HALF), out)
    else:
        near_erf(x * _SQRT_HALF, out)
    out += 1
    out *= 0.5


def _gelu(x: Array, out: Array) -> None:
    _near(x, out)
    if x.dtype == np.float64:
        far, _, _, values = _far(x)
        out[far] = values
        out *= x
        return
    out *= x
    far, left = _single_tail(x)
    if far.size:
        out[far] = left * _left(left, _power(left))


def _gelu_slope(x: Array, out: Array) -> None:
    _near(x, out)
    density = x * x
    density *= -0.5
    np.exp(density, out=density)
    density *= x
    density *= _DENSITY
    out += density
    if x.dtype == np.float64:
        far, signed, power, values = _far(x)
        out[far] = values + signed * power * _DENSITY
        return
    far, left = _single_tail(x)
    if far.size:
        power = _power(left)
        out[far] = _left(left, power) + left * power * _DENSITY
