"""Orthogonal polynomials by their three-term recurrences (NIST Handbook, table 18.9.1).

The degree n may differ from element to element: the recurrence runs to the largest one, and every
element keeps the value of its own degree. Degrees below 0 give 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["chebyshev_t", "gegenbauer", "hermite", "laguerre"]

Array = np.ndarray
LARGEST = 100_000


def _three_term(x: Array, n: Array, first: Array, step: Callable[[int, Array, Array], Array]
                ) -> Array:
    """Return P_n, where P_0 = 1, P_1 = first and P_k+1 = step(k, P_k, P_k-1)."""
    x, n = np.broadcast_arrays(x, np.trunc(n))
    top = int(n.max(initial=-1))
    if top > LARGEST:
        raise RuntimeError(f"n: degrees up to {LARGEST} are supported, got {top}")
    before, now = np.ones(x.shape), np.broadcast_to(first, x.shape)
    y = np.where(n == 0, 1.0, np.where(n == 1, now, 0.0))
    for k in range(1, top):
        before, now = now, step(k, now, before)
        y = np.where(n == k + 1, now, y)
    return np.where(np.isnan(x) & (n >= 0), np.nan, y)


def chebyshev_t(x: Array, n: Array) -> Array:
    """Return Chebyshev's T_n, cos(n arccos(x))."""
    return _three_term(x, n, x, lambda k, p, q: 2 * x * p - q)


def gegenbauer(x: Array, n: Array, a: float) -> Array:
    """Return Gegenbauer's C_n^(a): Legendre's P_n for a = 1/2, Chebyshev's U_n for a = 1."""
    return _three_term(x, n, 2 * a * x, lambda k, p, q: (
        2 * (k + a) * x * p - (k + 2 * a - 1) * q) / (k + 1))


def laguerre(x: Array, n: Array, a: float) -> Array:
    """Return Laguerre's L_n^(a)."""
    return _three_term(x, n, 1 + a - x, lambda k, p, q: (
        (2 * k + 1 + a - x) * p - (k + a) * q) / (k + 1))


def hermite(x: Array, n: Array, scale: float) -> Array:
    """Return Hermite's polynomials: the physicists' H_n for scale 2, probabilists' He_n for 1."""
    return _three_term(x, n, scale * x, lambda k, p, q: scale * (x * p - k * q))
