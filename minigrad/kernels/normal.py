"""The standard normal distribution function Phi(x) times x, which is GELU, and its slope.

In float64 Phi(x) = (1 + erf(x / sqrt(2))) / 2 near 0 and erfc(-x / sqrt(2)) / 2 beyond sqrt(2),
where the former cancels; results are right to a few units in the last place.

In float32 Phi(x) = 1 / (1 + exp(-l(x))), where l = log(Phi / (1 - Phi)) is odd and grows like
x^2 / 2: x times a ratio of two cubic polynomials in x^2, to 2e-8 of x Phi(x). As a continued
fraction, in s = x^2 / 2 or, for powers of 2, s = x^2 / (2 log 2), the ratio takes fewer passes over
an array than the polynomials, most of them in place, and no memory but that of the two results:

    -l(x) = x (a s / (s + b1 + c1 / (s + b2 + c2 / (s + b3))) + l0).

a and l0 have one sign; of the others only c1 is negative, and b1 is five times larger than the
fraction below it: nothing cancels. The slope's exp(-x^2 / 2) is exp(-s).
Results are right to 1.5e-7 absolutely or, beyond 1, relatively (slopes to 2e-7); below -5.5, where
Phi loses its digits, they are computed in float64. float16 is computed in float32 and rounded once.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels._threads import scratch
from minigrad.kernels.erfc import scaled_tail
from minigrad.kernels.special import in_blocks, near_erf, scaled_erfc

__all__ = ["gelu", "gelu_and_slope", "gelu_slope"]

Array = np.ndarray

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_FAR = math.sqrt(2)


def gelu(x: Array) -> Array:
    """Return x Phi(x) (Hendrycks & Gimpel 2016)."""
    if x.dtype == np.float64:
        return in_blocks(_double_gelu, x)
    return in_blocks(lambda part, y: _single(part, y, None), x)


def gelu_slope(x: Array) -> Array:
    """Return gelu'(x) = Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)."""
    if x.dtype == np.float64:
        return in_blocks(_double_slope, x)
    return in_blocks(lambda part, slope: _single(part, None, slope), x)


def gelu_and_slope(x: Array) -> tuple[Array, Array]:
    """Return both; together they take two thirds of the time."""
    if x.dtype == np.float64:
        return gelu(x), gelu_slope(x)
    return tuple(in_blocks(_single, x, 2))


# ------------------------------------------------------------------------------------- float64
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


def _near(x: Array, out: Array) -> None:
    """Write Phi(x) as it is near 0."""
    near_erf(x * _SQRT_HALF, out)
    out += 1
    out *= 0.5


def _double_gelu(x: Array, out: Array) -> None:
    _near(x, out)
    far, _, _, values = _far(x)
    out[far] = values
    out *= x


def _double_slope(x: Array, out: Array) -> None:
    _near(x, out)
    density = x * x
    density *= -0.5
    np.exp(density, out=density)
    density *= x
    density *= _DENSITY
    out += density
    far, signed, power, values = _far(x)
    out[far] = values + signed * power * _DENSITY


# ------------------------------------------------------------------------------------- float32
# l(x) / x for |x| <= 5.6 as l0 + a u / (u + b1 + c1 / (u + b2 + c2 / (u + b3))), u = x^2: a ratio
# of cubic polynomials fitted for this module by Lawson's weighted least squares, and expanded
_L0, _A = 1.5957695476, 8.42975432468
_B = (141.787903998, 10.404904013, 9.02209996483)
_C = (-726.265359073, 160.236207838)


def _exp2_is_fast() -> bool:
    """Return whether NumPy has a vectorised exp2 on this processor: half of exp's time."""
    try:
        from numpy.lib.introspect import opt_func_info

        found = opt_func_info(func_name="^exp2$")["exp2"]["ff"]["current"]
    except (ImportError, KeyError):  # an older NumPy
        return False
    return not found.startswith("baseline")


class _Single:
    """Constants of the float32 formula for powers of 2 or of e, as 0-d arrays, and the power."""

    def __init__(self, base2: bool) -> None:
        unit = 1 / math.log(2) if base2 else 1.0
        half = 0.5 * unit
        single = lambda value: np.array(value, np.float32)
        self.power = np.exp2 if base2 else np.exp
        self.half, self.a, self.l0 = single(half), single(-unit * _A), single(-unit * _L0)
        self.b1, self.b2, self.b3 = [single(half * b) for b in _B]
        self.c1, self.c2 = [single(half**2 * c) for c in _C]
        self.log = single(-0.5 * math.log(2 * math.pi) * unit)  # of 1 / sqrt(2 pi)
        self.end = half * 5.5**2
        self.huge = half * 1e10


_ONE = np.array(1, np.float32)
_single_form = _Single(_exp2_is_fast())


def _single(x: Array, y: Array | None, slope: Array | None) -> None:
    """Write x Phi(x) to y and its derivative to slope; either may be None."""
    form = _single_form
    s = scratch("gelu square", x.shape, x.dtype) if slope is None else slope
    t = scratch("gelu fraction", x.shape, x.dtype) if y is None else y
    np.multiply(x, x, out=s)
    s *= form.half
    top = np.maximum.reduce(s, initial=0)
    np.add(s, form.b3, out=t)
    np.divide(form.c2, t, out=t)
    t += s
    t += form.b2
    np.divide(form.c1, t, out=t)
    t += s
    t += form.b1
    np.divide(s, t, out=t)
    t *= form.a
    t += form.l0
    t *= x
    form.power(t, out=t)
    t += _ONE
    if slope is None:
        np.divide(x, t, out=y)
    else:
        cdf = np.divide(_ONE, t, out=t)
        np.subtract(form.log, s, out=s)
        form.power(s, out=s)
        s *= x
        s += cdf
        if y is not None:
            t *= x
    if not top <= form.end:  # NaN may hide a larger one
        _single_tail(x, y, slope)
    if not top <= form.huge:
        _single_huge(x, y, slope)


def _single_tail(x: Array, y: Array | None, slope: Array | None) -> None:
    """Write the results below -5.5, where float32 leaves few digits."""
    far = np.flatnonzero(x < -5.5)
    if not far.size:
        return
    left = np.maximum(x[far].astype(np.float64), -40)
    power = _power(left)
    tail = _left(left, power)
    if y is not None:
        y[far] = left * tail
    if slope is not None:
        slope[far] = tail + left * power * _DENSITY


def _single_huge(x: Array, y: Array | None, slope: Array | None) -> None:
    """Write the results where polynomials of x^2 overflow."""
    far = np.flatnonzero(x > 1e4)
    if y is not None:
        y[far] = x[far]
    if slope is not None:
        slope[far] = 1
