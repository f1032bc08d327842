"""Bessel functions of whole orders n >= 0 and Airy's function, in float64, without tables.

Three expressions cover the line (formula numbers: NIST Handbook of Mathematical Functions):

* near 0 the power series (10.8, 10.25, 10.31);
* in the middle a form without cancellation: Miller's backward recurrence for J (10.74(iv)),
  Neumann's series of J for Y (10.8), the integral of exp(-x cosh t) cosh(n t) for K, on which the
  trapezoidal rule converges exponentially (10.32.9);
* far out Hankel's asymptotic series (10.17, 10.40), exact to exp(-2 x).

Higher orders follow from n = 0, 1 by recurrence in the direction in which errors shrink.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["airy", "airy_prime", "iv", "iv_scaled", "jv", "kv_scaled", "spherical_jn", "yv"]

_EULER = 0.57721566490153286061
_FAR, _MIDDLE = 25.0, 2.0


def _coefficients(n: int, count: int) -> list[float]:
    """Return Hankel's a_k = (4n^2 - 1)(4n^2 - 9) ... (4n^2 - (2k-1)^2) / (k! 8^k)."""
    found = [1.0]
    for k in range(1, count):
        found.append(found[-1] * (4 * n * n - (2 * k - 1) ** 2) / (8 * k))
    return found


def _hankel(n: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return J_n and Y_n for x >= 25."""
    p, q = np.zeros_like(x), np.zeros_like(x)
    for k, a in enumerate(_coefficients(n, 24)):
        term = (-1) ** (k // 2) * a / x ** k
        if k % 2:
            q = q + term
        else:
            p = p + term
    c, s = np.cos(x), np.sin(x)
    for _ in range(n % 4):  # the angle x - n pi / 2
        c, s = s, -c
    c, s = (c + s) / math.sqrt(2), (s - c) / math.sqrt(2)  # and - pi / 4
    scale = np.sqrt(2 / (np.pi * x))
    return scale * (p * c - q * s), scale * (p * s + q * c)


def _miller(x: np.ndarray) -> list[np.ndarray]:
    """Return J_0 .. J_80 for 2 <= x < 25."""
    values = [np.zeros_like(x), np.full_like(x, 1e-200)]
    for k in range(81, 0, -1):
        values.append(2 * k / x * values[-1] - values[-2])
    values = values[:0:-1]  # J_0 first
    norm = values[0] + 2 * sum(values[2:81:2])
    return [v / norm for v in values]


def _j_series(n: int, x: np.ndarray, sign: float = -1.0, count: int = 24) -> np.ndarray:
    """Return sum of sign^k (x/2)^(2k+n) / (k! (k+n)!): J_n for sign -1, I_n for +1."""
    term = (x / 2) ** n / math.factorial(n)
    total = term
    for k in range(1, count):
        term = term * (sign * x * x / (4 * k * (k + n)))
        total = total + term
    return total


def jv(n: int, x: np.ndarray) -> np.ndarray:
    """Return J_n(x)."""
    size = np.abs(x.astype(np.float64))
    near, far = size < _MIDDLE, size >= _FAR
    y = _j_series(n, np.where(near, size, 0.0))
    middle = ~near & ~far
    if middle.any():
        y[middle] = _miller(size[middle])[n]
    finite = far & np.isfinite(size)
    if finite.any():
        y[finite] = _hankel(n, size[finite])[0]
    y[np.isinf(size)] = 0.0
    return np.where(np.isnan(size), np.nan, y if n % 2 == 0 else np.where(x < 0, -y, y))


def yv(n: int, x: np.ndarray) -> np.ndarray:
    """Return Y_n(x): -inf at 0, nan below."""
    x = x.astype(np.float64)
    pair = [_y01(0, x), _y01(1, x)]
    for k in range(1, n):
        pair.append(2 * k / x * pair[-1] - pair[-2])
    return np.where(x == 0, -np.inf, pair[n])


def _y01(n: int, x: np.ndarray) -> np.ndarray:
    """Return Y_0 or Y_1 by Neumann's series below 25, Hankel's above."""
    y = np.full(x.shape, np.nan)
    low = (x > 0) & (x < _FAR)
    if low.any():
        z = x[low]
        small = z < _MIDDLE
        j = [np.where(small, _j_series(k, np.where(small, z, 0.0)), m)
             for k, m in enumerate(_miller(np.maximum(z, _MIDDLE))[:72])]
        log = np.log(z / 2) + _EULER
        if n == 0:
            rest = sum((-1) ** k * j[2 * k] / k for k in range(1, 35))
            y[low] = 2 / np.pi * (log * j[0] - 2 * rest)
        else:
            rest = sum((-1) ** k * (2 * k + 1) / (k * (k + 1)) * j[2 * k + 1] for k in range(1, 35))
            y[low] = 2 / np.pi * ((log - 1) * j[1] - rest - j[0] / z)
    high = (x >= _FAR) & np.isfinite(x)
    if high.any():
        y[high] = _hankel(n, x[high])[1]
    y[x == 0] = -np.inf
    y[np.isposinf(x)] = 0.0
    return y


def iv_scaled(n: int, x: np.ndarray) -> np.ndarray:
    """Return exp(-|x|) I_n(x)."""
    size = np.abs(x.astype(np.float64))
    near = size < 30
    z = np.where(near, size, 0.0)
    y = np.exp(-z) * _j_series(n, z, sign=1.0, count=70)
    w = np.where(near, 30.0, size)
    total = sum((-1) ** k * a / w ** k for k, a in enumerate(_coefficients(n, 30)))
    y = np.where(near, y, total / np.sqrt(2 * np.pi * w))
    y = np.where(np.isnan(size), np.nan, y)
    return y if n % 2 == 0 else np.where(x < 0, -y, y)


def iv(n: int, x: np.ndarray) -> np.ndarray:
    """Return I_n(x), inf from |x| = 714 on."""
    far = np.abs(x) >= 714
    scaled = iv_scaled(n, x)
    return np.where(far, np.sign(x) ** n * np.inf, scaled * np.exp(np.where(far, 0.0, np.abs(x))))


def kv_scaled(n: int, x: np.ndarray) -> np.ndarray:
    """Return exp(x) K_n(x): inf at 0, nan below."""
    x = x.astype(np.float64)
    found = [_k01(0, x), _k01(1, x)]
    for k in range(1, n):
        found.append(found[-2] + 2 * k / x * found[-1])
    return np.where(x < 0, np.nan, np.where(x == 0, np.inf, found[n]))


def _k01(n: int, x: np.ndarray) -> np.ndarray:
    """Return exp(x) K_0(x) or exp(x) K_1(x)."""
    near, far = x < _MIDDLE, x >= 30
    z = np.where(near & (x > 0), x, 1.0)
    log = np.log(z / 2)
    square, term, harmonic = z * z / 4, np.ones_like(z), 0.0
    rest = np.zeros_like(z)
    for k in range(24):  # harmonic = 1 + 1/2 + ... + 1/k
        weight = harmonic if n == 0 else 2 * (harmonic - _EULER) + 1 / (k + 1)
        rest = rest + weight * term
        harmonic += 1 / (k + 1)
        term = term * square / ((k + 1) * (k + 1 + n))
    if n == 0:
        series = rest - (log + _EULER) * _j_series(0, z, sign=1.0)
    else:
        series = 1 / z + log * _j_series(1, z, sign=1.0) - z / 4 * rest
    y = np.exp(z) * series
    w = np.where(near | far, 3.0, x)
    middle = 0.05 + 0.1 * sum(np.exp(-w * (math.cosh(t) - 1)) * math.cosh(n * t)
                              for t in np.arange(1, 46) * 0.1)
    y = np.where(near, y, middle)
    w = np.where(far, x, 30.0)
    total = sum(a / w ** k for k, a in enumerate(_coefficients(n, 30)))
    return np.where(far, total * np.sqrt(np.pi / (2 * w)), y)


def spherical_jn(n: int, x: np.ndarray) -> np.ndarray:
    """Return the spherical Bessel function j_n(x): the series below n + 2, recurrence above."""
    size = np.abs(x.astype(np.float64))
    z = np.minimum(size, n + 2)
    term = z ** n / math.prod(range(1, 2 * n + 2, 2))
    near = term
    for k in range(1, 30):
        term = term * (-z * z / (2 * k * (2 * n + 2 * k + 1)))
        near = near + term
    w = np.maximum(size, n + 2)
    sine, cosine = np.where(np.isinf(w), 0.0, np.sin(w)), np.where(np.isinf(w), 0.0, np.cos(w))
    found = [sine / w, sine / w / w - cosine / w]
    for k in range(1, n):
        found.append((2 * k + 1) / w * found[-1] - found[-2])
    y = np.where(size < n + 2, near, found[n])
    return np.where(np.isnan(size), np.nan, np.where((x < 0) & (n % 2 == 1), -y, y))


# -------------------------------------------------------------------------------- Airy's function
def airy(x: np.ndarray) -> np.ndarray:
    """Return Ai(x), the solution of y'' = x y that vanishes at +inf."""
    return _airy(x.astype(np.float64), derivative=False)


def airy_prime(x: np.ndarray) -> np.ndarray:
    """Return Ai'(x)."""
    return _airy(x.astype(np.float64), derivative=True)


def _airy(x: np.ndarray, derivative: bool) -> np.ndarray:
    """Integrate along z = s + i e, parallel to the real axis (9.5.1, after Cauchy's theorem).

    Ai(x) = exp(e^3/3 - x e) / pi * integral over s >= 0 of exp(-e s^2) cos(s^3/3 + (x - e^2) s);
    with e = sqrt(x), the saddle point, nothing oscillates at first order. Ai' has a factor iz more.
    Below -9 the oscillating asymptotic series (9.7.9, 9.7.10) is exact.
    """
    middle = np.where(x > -9, np.minimum(x, 120.0), 0.0)  # Ai(104) is below the smallest number
    e = np.where(middle > 1, np.sqrt(np.maximum(middle, 1.0)), np.where(middle < 0, 0.25, 1.0))
    step = np.where(middle < 0, 0.02, 0.05) / np.sqrt(np.maximum(e, 1.0))
    total = np.zeros_like(x)
    for k in range(650):
        s = k * step
        angle = s * s * s / 3 + (middle - e * e) * s
        value = np.cos(angle)
        if derivative:  # Re(i (s + i e) exp(i angle))
            value = -s * np.sin(angle) - e * value
        total += np.exp(-e * s * s) * value * (0.5 if k == 0 else 1.0)
    exponent = np.where(middle > 1, -2 / 3 * middle * e, e ** 3 / 3 - middle * e)
    y = np.exp(exponent) / np.pi * total * step
    w = np.where(x > -9, 9.0, -x)
    y = np.where(x > -9, y, _airy_far(w, derivative))
    return np.where(np.isposinf(x), 0.0, y)


def _airy_far(w: np.ndarray, derivative: bool) -> np.ndarray:
    """Return Ai(-w) or Ai'(-w) for w >= 9."""
    zeta = 2 / 3 * w * np.sqrt(w)
    u, parts = 1.0, [np.zeros_like(w), np.zeros_like(w)]
    for k in range(24):
        factor = u if not derivative or k == 0 else u * (6 * k + 1) / (1 - 6 * k)
        parts[k % 2] = parts[k % 2] + (-1) ** (k // 2) * factor / zeta ** k
        u = u * (6 * k + 5) * (6 * k + 3) * (6 * k + 1) / (216 * (k + 1) * (2 * k + 1))
    c, s = np.cos(zeta - np.pi / 4), np.sin(zeta - np.pi / 4)
    root = w ** 0.25 / math.sqrt(math.pi)
    even, odd = parts
    if derivative:
        return root * (s * even - c * odd)
    return (c * even + s * odd) / (math.sqrt(math.pi) * w ** 0.25)
