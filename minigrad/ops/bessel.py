"""Bessel functions and Airy's function, with derivatives of every order.

One op per family takes the order n, and its rule names the orders next to it (NIST Handbook,
10.6.1 and 10.29.1): J_n' = (J_(n-1) - J_(n+1)) / 2, also for Y; I_n' = (I_(n-1) + I_(n+1)) / 2, and
-K for K. The spherical ones have j_n' = (n j_(n-1) - (n+1) j_(n+1)) / (2n+1) (10.51.2). Nothing is
divided by x, so that x = 0 needs no case of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine import op
from ..kernels import bessel as kernel
from ._operands import floating, with_out
from .elementwise import sign


def _computed(function: Any, input: Any, *options: Any) -> np.ndarray:
    """Call a kernel on a flat float64 array; return its result in the shape and dtype of the op."""
    x = floating(input)
    y = function(*options, x.astype(np.float64).reshape(-1))
    return y.reshape(x.shape).astype(x.dtype)


def _down(function: Any, input: Any, n: int, mirror: float) -> Any:
    """Return the function of order n - 1; of order -1 it is `mirror` times that of order 1."""
    return function(input, n - 1) if n else mirror * function(input, 1)


@op(input=lambda g, input, n: g * (_down(_jv, input, n, -1.0) - _jv(input, n + 1)) / 2,
    shown="BesselJBackward0")
def _jv(input: Any, n: int = 0) -> Any:
    return _computed(kernel.jv, input, n)


@op(input=lambda g, input, n: g * (_down(_yv, input, n, -1.0) - _yv(input, n + 1)) / 2,
    shown="BesselYBackward0")
def _yv(input: Any, n: int = 0) -> Any:
    return _computed(kernel.yv, input, n)


@op(input=lambda g, input, n, y: g * ((_down(_iv_scaled, input, n, 1.0) + _iv_scaled(input, n + 1))
                                      / 2 - sign(input) * y),
    shown=lambda n: f"SpecialI{n}EBackward0")
def _iv_scaled(input: Any, n: int = 0) -> Any:
    return _computed(kernel.iv_scaled, input, n)


@op(input=lambda g, input, n: g * (_down(_iv, input, n, 1.0) + _iv(input, n + 1)) / 2,
    shown=lambda n: f"SpecialI{n}Backward0")
def _iv(input: Any, n: int = 0) -> Any:
    return _computed(kernel.iv, input, n)


@op(input=lambda g, input, n, y: g * (y - (_down(_kv_scaled, input, n, 1.0)
                                           + _kv_scaled(input, n + 1)) / 2),
    shown="ScaledBesselKBackward0")
def _kv_scaled(input: Any, n: int = 0) -> Any:
    return _computed(kernel.kv_scaled, input, n)


@op(input=lambda g, input, n: g * (_down(_kv, input, n, 1.0) + _kv(input, n + 1)) / -2,
    shown="BesselKBackward0")
def _kv(input: Any, n: int = 0) -> Any:
    return _computed(lambda x: kernel.kv_scaled(n, x) * np.exp(-x), input)


@op(input=lambda g, input, n: g * ((n * _spherical(input, n - 1) if n else 0.0)
                                   - (n + 1) * _spherical(input, n + 1)) / (2 * n + 1),
    shown="SphericalBesselJBackward0")
def _spherical(input: Any, n: int = 0) -> Any:
    return _computed(kernel.spherical_jn, input, n)


@op(input=lambda g, input: g * _airy_prime(input))
def airy_ai(input: Any) -> Any:
    """Return Airy's function Ai, the solution of y'' = x y that vanishes at +inf.

    >>> import minigrad as torch
    >>> torch.special.airy_ai(torch.tensor([0., 1.]))
    tensor([0.3550, 0.1353])
    """
    return _computed(kernel.airy, input)


@op(input=lambda g, input: g * (input * airy_ai(input)), shown="AiryAiPrimeBackward0")
def _airy_prime(input: Any) -> Any:
    return _computed(kernel.airy_prime, input)


@with_out
def bessel_j0(input: Any) -> Any:
    """Return the Bessel function of the first kind J_0.

    >>> import minigrad as torch
    >>> torch.special.bessel_j0(torch.tensor([0., 1.]))
    tensor([1.0000, 0.7652])
    """
    return _jv(input, 0)


@with_out
def bessel_j1(input: Any) -> Any:
    """Return the Bessel function of the first kind J_1."""
    return _jv(input, 1)


@with_out
def bessel_y0(input: Any) -> Any:
    """Return the Bessel function of the second kind Y_0: -inf at 0, nan below."""
    return _yv(input, 0)


@with_out
def bessel_y1(input: Any) -> Any:
    """Return the Bessel function of the second kind Y_1: -inf at 0, nan below."""
    return _yv(input, 1)


@op(input=lambda g, input: g * _iv(input, 1))
def i0(input: Any) -> Any:
    """Return the modified Bessel function of the first kind I_0.

    >>> import minigrad as torch
    >>> torch.i0(torch.tensor([0., 1.]))
    tensor([1.0000, 1.2661])
    """
    return _iv.op.forward(input, 0)


@with_out
def i1(input: Any) -> Any:
    """Return the modified Bessel function of the first kind I_1."""
    return _iv(input, 1)


@with_out
def i0e(input: Any) -> Any:
    """Return exp(-|input|) I_0(input), which does not overflow."""
    return _iv_scaled(input, 0)


@with_out
def i1e(input: Any) -> Any:
    """Return exp(-|input|) I_1(input), which does not overflow."""
    return _iv_scaled(input, 1)


@with_out
def modified_bessel_k0(input: Any) -> Any:
    """Return the modified Bessel function of the second kind K_0: inf at 0, nan below."""
    return _kv(input, 0)


@with_out
def modified_bessel_k1(input: Any) -> Any:
    """Return the modified Bessel function of the second kind K_1: inf at 0, nan below."""
    return _kv(input, 1)


@with_out
def scaled_modified_bessel_k0(input: Any) -> Any:
    """Return exp(input) K_0(input), which does not underflow."""
    return _kv_scaled(input, 0)


@with_out
def scaled_modified_bessel_k1(input: Any) -> Any:
    """Return exp(input) K_1(input), which does not underflow."""
    return _kv_scaled(input, 1)


@with_out
def spherical_bessel_j0(input: Any) -> Any:
    """Return the spherical Bessel function sin(x) / x, 1 at 0."""
    return _spherical(input, 0)
