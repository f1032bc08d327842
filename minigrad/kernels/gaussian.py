"""The normal distribution's functions in float64: scaled erfc, log of its integral, its inverse."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.erfc import erfc, scaled_tail
from minigrad.kernels.special import erfinv

__all__ = ["erfcx", "log_ndtr", "ndtri"]

_ROOT2 = math.sqrt(2)


def erfcx(x: np.ndarray) -> np.ndarray:
    """Return exp(x^2) erfc(x); for x < 0 it is 2 exp(x^2) - erfcx(-x)."""
    x = x.astype(np.float64)
    size = np.abs(x)
    inner = np.minimum(size, 1.0)
    y = np.where(size < 1, np.exp(inner * inner) * erfc(inner), scaled_tail(np.maximum(size, 1.0)))
    return np.where(x < 0, 2 * np.exp(x * x) - y, y)


def log_ndtr(x: np.ndarray) -> np.ndarray:
    """Return the log of the normal distribution's integral, also where that underflows."""
    x = x.astype(np.float64)
    low = np.minimum(x, -1.0) / _ROOT2
    left = np.log(erfcx(-low) / 2) - low * low
    right = np.log1p(-erfc(np.maximum(x, -1.0) / _ROOT2) / 2)
    return np.where(np.isneginf(x), -np.inf, np.where(x < -1, left, right))


def ndtri(p: np.ndarray) -> np.ndarray:
    """Return x with ndtr(x) = p, by Newton's method on the logarithm of the smaller tail.

    It starts from formula 26.2.22 of Abramowitz and Stegun (1964), whose error is below 0.003.
    """
    p = p.astype(np.float64)
    inside = (p > 0) & (p < 1)
    tail = np.where(inside, np.minimum(p, 1 - p), 0.5)
    log = np.log(tail)
    t = np.sqrt(-2 * log)
    z = t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t)
    for _ in range(4):  # log ndtr(-z) has the derivative -sqrt(2 / pi) / erfcx(z / sqrt(2))
        z = z + (log_ndtr(-z) - log) * erfcx(z / _ROOT2) * math.sqrt(math.pi / 2)
    y = np.where(p < 0.5, -z, z)
    edge = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, np.nan))
    middle = np.abs(p - 0.5) < 0.2  # where log p says little about x
    centre = _ROOT2 * erfinv(np.where(middle, 2 * p - 1, 0.0))
    return np.where(middle, centre, np.where(inside, y, edge))
