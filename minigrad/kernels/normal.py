"""The standard normal distribution function Phi(x) times x, which is GELU, and its slope.

In float64 Phi(x) = (1 + erf(x / sqrt(2))) / 2 near 0 and erfc(-x / sqrt(2)) / 2 beyond sqrt(2),
where the former cancels; results are right to a few units in the last place.

In float32 Phi(x) = 1 / (1 + exp(-l(x))), where l = log(Phi / (1 - Phi)) is odd and grows like
x^2 / 2: x times a ratio of two cubic polynomials in x^2, to 2e-8 of x Phi(x). With z = c x the
polynomials in z^2 have the leading coefficients 1, which saves a pass over the array each:

    exp(-l(x)) = exp(z P(z^2) / Q(z^2)),   c = -p3 / q3.

Results are right to 1.5e-7 absolutely (slopes to 3e-7); below -5.5, where Phi loses its digits,
they are computed in float64. float16 is computed in float32 and rounded once.
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
# l(x) / x in x^2 for |x| <= 5.6, fitted for this module by Lawson's weighted least squares
_P = (1.5957695476, 0.196225610665, 0.01428306954, 0.000340109666939)
_Q = (1.0, 0.0774276143474, 0.00546911556502, 3.39243785434e-05)


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
        c = -_P[3] / _Q[3] * unit
        single = lambda value: np.array(value, np.float32)
        self.power = np.exp2 if base2 else np.exp
        self.c = single(c)
        self.p = [single(_P[i] / _P[3] * c ** (6 - 2 * i)) for i in (2, 1, 0)]
        self.q = [single(_Q[i] / _Q[3] * c ** (6 - 2 * i)) for i in (2, 1, 0)]
        self.half = single(-0.5 * unit / c**2)  # exp(-x^2 / 2) / sqrt(2 pi) = power(half z^2 + log)
        self.log = single(-0.5 * math.log(2 * math.pi) * unit)
        self.end = float(c**2) * 5.5**2
        self.huge = float(c**2) * 1e10


_ONE = np.array(1, np.float32)
_single_form = _Single(_exp2_is_fast())


def _single(x: Array, y: Array | None, slope: Array | None) -> None:
    """Write x Phi(x) to y and its derivative to slope; either may be None."""
    form = _single_form
    z = scratch("gelu power", x.shape, x.dtype)
    square = scratch("gelu square", x.shape, x.dtype)
    other = scratch("gelu other", x.shape, x.dtype)
    np.multiply(x, form.c, out=z)
    np.multiply(z, z, out=square)
    _monic(square, form.p, other)
    z *= other
    _monic(square, form.q, other)
    z /= other
    form.power(z, out=z)
    z += _ONE
    if slope is None:
        np.divide(x, z, out=y)
    else:
        cdf = np.divide(_ONE, z, out=z)
        if y is not None:
            np.multiply(x, cdf, out=y)
        np.multiply(square, form.half, out=other)
        other += form.log
        form.power(other, out=other)
        other *= x
        np.add(cdf, other, out=slope)
    top = np.maximum.reduce(square, initial=0)
    if not top <= form.end:  # NaN may hide a larger one
        _single_tail(x, y, slope)
    if not top <= form.huge:
        _single_huge(x, y, slope)


def _monic(x: Array, coefficients: list[Array], out: Array) -> None:
    """Write x^3 + a x^2 + b x + c."""
    a, b, c = coefficients
    np.add(x, a, out=out)
    out *= x
    out += b
    out *= x
    out += c


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
