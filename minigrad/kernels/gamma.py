"""The gamma function's family: log-gamma, digamma, Hurwitz' zeta, incomplete gamma; in float64.

All of them are their defining series, shifted to where the asymptotic one is exact:

* zeta(s, q) = sum of (q + k)^-s. The first ten terms are added up, the rest is Euler's and
  Maclaurin's formula (NIST Handbook of Mathematical Functions, 2.10(i) and 25.11).
* digamma(x) = digamma(x + 1) - 1 / x, until x >= 10; then Stirling's series (5.11.2).
* P(a, x) = x^a e^-x / Gamma(a + 1) * sum of x^k / ((a + 1) ... (a + k)) for x < a + 1, and
  Legendre's continued fraction for Q = 1 - P beyond (8.7, 8.9).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["digamma", "gammainc", "gammaincc", "lgamma", "zeta"]

# Bernoulli numbers B2, B4, ...
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
              -174611 / 330, 854513 / 138, -236364091 / 2730)
_EULER = 0.57721566490153286061


def _one_lgamma(x: float) -> float:
    """Return log |Gamma(x)| by C's library, with inf at the poles."""
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


_lgamma = np.frompyfunc(_one_lgamma, 1, 1)


def lgamma(x: np.ndarray) -> np.ndarray:
    """Return log |Gamma(x)|."""
    return np.asarray(_lgamma(x.astype(np.float64)), np.float64)


def digamma(x: np.ndarray) -> np.ndarray:
    """Return the derivative of log Gamma(x): -+inf at +-0, nan at the negative integers."""
    x = x.astype(np.float64)
    mirrored = x < 0
    w = np.where(mirrored, 1 - x, x)
    y = np.zeros_like(w)
    for _ in range(10):
        low = w < 10
        y -= np.where(low, 1 / w, 0)
        w = w + low
    y += np.log(w) - 0.5 / w
    square = 1 / (w * w)
    rest = np.zeros_like(w)
    for k in range(len(_BERNOULLI), 0, -1):  # Horner's scheme, in 1 / w^2
        rest = (_BERNOULLI[k - 1] / (2 * k) + rest) * square
    y -= rest
    fraction = x - np.trunc(x)
    y = np.where(mirrored, y - np.pi / np.tan(np.pi * fraction), y)
    y = np.where(x == 0, -np.copysign(np.inf, x), y)
    return np.where(mirrored & (fraction == 0), np.nan, y)


def zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return Hurwitz' zeta function: inf for s = 1 and at q = 0, -1, ...; nan where undefined."""
    s, q = np.broadcast_arrays(s.astype(np.float64), q.astype(np.float64))
    whole = np.floor(q) == q
    negative = (q < 0) & ~whole
    f = np.where(negative, -q - np.floor(-q), 0.5)
    # The terms with q + k < 0 are (-1)^s (f + j)^-s for j <= floor(-q); the others start at 1 - f.
    sign = np.where(s % 2 == 0, 1.0, -1.0)
    left = sign * (_zeta_right(s, f) - _zeta_right(s, np.where(negative, 1 - q, 1.0)))
    y = np.where(negative, left + _zeta_right(s, 1 - f), _zeta_right(s, np.where(q > 0, q, 1.0)))
    y = np.where(negative & (np.floor(s) != s), np.nan, y)
    y = np.where((q <= 0) & whole, np.inf, y)
    y = np.where(np.isinf(s), np.where(q == 1, 1.0, np.where((q > 0) & (q < 1), np.inf, y)), y)
    y = np.where(s == 1, np.inf, np.where(s < 1, np.nan, y))
    return np.where(np.isnan(s) | np.isnan(q), np.nan, y)


def _zeta_right(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return zeta(s, q) for q > 0 and s > 1."""
    total = sum((q + k) ** -s for k in range(10))
    w = q + 10
    power = w ** -s
    total = total + power * w / (s - 1) + power / 2
    factor = s * power / w  # s (s+1) ... (s+2k-2) w^(-s-2k+1) / (2k)!
    for k, bernoulli in enumerate(_BERNOULLI, start=1):
        factor = factor / ((2 * k - 1) * (2 * k))
        total = total + bernoulli * factor
        factor = factor * ((s + 2 * k - 1) / w) * ((s + 2 * k) / w)
    return np.asarray(np.where(np.isinf(q), 0.0, total))


# ------------------------------------------------------------------- the incomplete gamma function
def gammainc(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return P(a, x), the regularised lower incomplete gamma function."""
    return _incomplete(a, x, upper=False)


def gammaincc(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return Q(a, x) = 1 - P(a, x)."""
    return _incomplete(a, x, upper=True)


def _incomplete(a: np.ndarray, x: np.ndarray, upper: bool) -> np.ndarray:
    a, x = np.broadcast_arrays(a.astype(np.float64), x.astype(np.float64))
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    p, q = np.zeros(a.shape), np.ones(a.shape)  # x = 0
    low = inside & (x <= a + 1)
    high = inside & ~low
    if low.any():
        p[low] = _lower_series(a[low], x[low])
        q[low] = 1 - p[low]
    if high.any():
        q[high] = _upper_fraction(a[high], x[high])
        p[high] = 1 - q[high]
    small = low & (p > 0.5)  # near x = 0 with tiny a, Q is far below 1 and 1 - P has no digits
    if upper and small.any():
        q[small] = _upper_series(a[small], x[small], q[small])
    all_below = ((a == 0) & (x > 0)) | (np.isfinite(a) & np.isposinf(x))
    p, q = np.where(all_below, 1.0, p), np.where(all_below, 0.0, q)
    y = q if upper else p
    wrong = (a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | ((a == 0) & (x == 0))
    return np.where(wrong | (np.isinf(a) & np.isinf(x)), np.nan, y)


def _density(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return x^a e^-x / Gamma(a + 1), exact for large a as well.

    With u = (x - a) / a it is exp(a (log(1 + u) - u)) / sqrt(2 pi a), times Stirling's correction.
    """
    u = (x - a) / a
    near = np.abs(u) < 0.4
    v = np.where(near, u, 0.0)
    t = v / (2 + v)  # log(1 + u) - u = 2 (t + t^3/3 + t^5/5 ...) - u, and 2 t - u = -u t
    tail = sum(t ** (2 * k + 1) / (2 * k + 1) for k in range(1, 13))
    exponent = np.where(near, 2 * tail - v * t, np.log1p(np.where(near, 0.0, u)) - u)
    stirling = sum(b / (2 * k * (2 * k - 1) * a ** (2 * k - 1))
                   for k, b in enumerate(_BERNOULLI[:8], start=1))
    large = np.exp(a * exponent - stirling) / np.sqrt(2 * np.pi * a)
    return np.where(a < 10, np.exp(a * np.log(x) - x - lgamma(a + 1)), large)


def _lower_series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    term = np.ones_like(x)
    total = np.ones_like(x)
    k = 0
    while (term > total * 1e-17).any():
        k += 1
        term = term * (x / (a + k))
        total = total + term
    return total * _density(a, x)


def _upper_fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return Q by Lentz' evaluation of Legendre's continued fraction."""
    b = x + 1 - a
    c = np.full_like(x, 1e300)
    d = 1 / b
    h = d
    k = 0
    change = np.zeros_like(x)
    while (np.abs(change - 1) > 1e-16).any() and k < 10_000:
        k += 1
        factor = -k * (k - a)
        b = b + 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        change = c * d
        h = h * change
    return h * a * _density(a, x)


def _upper_series(a: np.ndarray, x: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return Q for a < 1 from 1 - x^a / Gamma(a + 1) and the alternating rest of the series."""
    use = (a < 1) & (x < 1.5)
    e, z = np.where(use, a, 0.5), np.where(use, x, 0.5)
    exponent = e * np.log(z) - _lgamma_one_plus(e)
    head = -np.expm1(exponent)
    term = np.ones_like(z)
    rest = np.zeros_like(z)
    for k in range(1, 40):
        term = -term * z / k
        rest = rest + term / (e + k)
    return np.where(use, head - np.exp(exponent) * e * rest, q)


def _lgamma_one_plus(e: np.ndarray) -> np.ndarray:
    """Return log Gamma(1 + e) for 0 < e < 1, with all digits for tiny e (5.7.3)."""
    small = np.minimum(e, 0.1)
    orders = np.arange(2.0, 18.0)
    series = -_EULER * small
    for k, value in zip(orders, _zeta_right(orders, np.ones(16)), strict=True):
        series = series + value * (-small) ** k / k
    return np.where(e < 0.1, series, lgamma(e + 1))
