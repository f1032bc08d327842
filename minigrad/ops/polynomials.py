"""Orthogonal polynomials: Chebyshev, Legendre, Hermite, Laguerre; degrees may differ by element.

PyTorch has no derivatives of them. Here every order exists, because each family contains its own
derivatives (NIST Handbook, 18.9(iii)): T_n' = n U_(n-1), C_n^(a)' = 2a C_(n-1)^(a+1),
L_n^(a)' = -L_(n-1)^(a+1), H_n' = 2n H_(n-1), He_n' = n He_(n-1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import broadcast_error
from ..engine import op
from ..kernels import polynomials as kernel
from ._operands import arrays, floating, with_out
from .arithmetic import trunc


def _wide(input: Any, n: Any) -> tuple[Any, Any, Any]:
    """Return input and degree as float64, and the dtype of the result."""
    x, degree = (floating(a) for a in arrays(input, n))
    return x.astype(np.float64), degree.astype(np.float64), x.dtype


@op(input=lambda g, input, n: g * (n * _gegenbauer(input, n - 1, 1.0)), n=None,
    explain=broadcast_error)
def chebyshev_polynomial_t(input: Any, n: Any) -> Any:
    """Return Chebyshev's polynomial of the first kind, T_n(cos(a)) = cos(n a); 0 for n < 0.

    >>> import minigrad as torch
    >>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5, 2.]), 2)
    tensor([-0.5000,  7.0000])
    """
    x, degree, dtype = _wide(input, n)
    return kernel.chebyshev_t(x, degree).astype(dtype)


@op(input=lambda g, input, n, a: g * (2 * a * _gegenbauer(input, n - 1, a + 1)), n=None,
    explain=broadcast_error, shown="GegenbauerBackward0")
def _gegenbauer(input: Any, n: Any, a: float = 1.0) -> Any:
    """Return Gegenbauer's polynomial C_n^(a)."""
    x, degree, dtype = _wide(input, n)
    return kernel.gegenbauer(x, degree, a).astype(dtype)


@op(input=lambda g, input, n, a: g * -_laguerre(input, n - 1, a + 1), n=None,
    explain=broadcast_error, shown="LaguerreBackward0")
def _laguerre(input: Any, n: Any, a: float = 0.0) -> Any:
    """Return Laguerre's polynomial L_n^(a)."""
    x, degree, dtype = _wide(input, n)
    return kernel.laguerre(x, degree, a).astype(dtype)


@op(input=lambda g, input, n, scale: g * (scale * n * _hermite(input, n - 1, scale)), n=None,
    explain=broadcast_error, shown="HermiteBackward0")
def _hermite(input: Any, n: Any, scale: float = 2.0) -> Any:
    """Return Hermite's polynomial H_n (scale 2) or He_n (scale 1)."""
    x, degree, dtype = _wide(input, n)
    return kernel.hermite(x, degree, scale).astype(dtype)


def _whole(n: Any) -> Any:
    """Return degrees as whole numbers."""
    if not hasattr(n, "_data"):
        return int(n)
    return trunc(n) if n._data.dtype.kind == "f" else n.long()


@with_out
def chebyshev_polynomial_u(input: Any, n: Any) -> Any:
    """Return Chebyshev's polynomial of the second kind, U_n(cos(a)) = sin((n + 1) a) / sin(a)."""
    return _gegenbauer(input, n, 1.0)


@with_out
def chebyshev_polynomial_v(input: Any, n: Any) -> Any:
    """Return Chebyshev's polynomial of the third kind, U_n - U_(n-1)."""
    n = _whole(n)
    return _gegenbauer(input, n, 1.0) - _gegenbauer(input, n - 1, 1.0)


@with_out
def chebyshev_polynomial_w(input: Any, n: Any) -> Any:
    """Return Chebyshev's polynomial of the fourth kind, U_n + U_(n-1)."""
    n = _whole(n)
    return _gegenbauer(input, n, 1.0) + _gegenbauer(input, n - 1, 1.0)


@with_out
def shifted_chebyshev_polynomial_t(input: Any, n: Any) -> Any:
    """Return Chebyshev's T_n(2 input - 1), orthogonal on [0, 1]."""
    return chebyshev_polynomial_t(2 * input - 1, n)


@with_out
def shifted_chebyshev_polynomial_u(input: Any, n: Any) -> Any:
    """Return Chebyshev's U_n(2 input - 1), orthogonal on [0, 1]."""
    return chebyshev_polynomial_u(2 * input - 1, n)


@with_out
def shifted_chebyshev_polynomial_v(input: Any, n: Any) -> Any:
    """Return Chebyshev's V_n(2 input - 1), orthogonal on [0, 1]."""
    return chebyshev_polynomial_v(2 * input - 1, n)


@with_out
def shifted_chebyshev_polynomial_w(input: Any, n: Any) -> Any:
    """Return Chebyshev's W_n(2 input - 1), orthogonal on [0, 1]."""
    return chebyshev_polynomial_w(2 * input - 1, n)


@with_out
def hermite_polynomial_h(input: Any, n: Any) -> Any:
    """Return the physicists' Hermite polynomial: H_2(x) = 4 x^2 - 2."""
    return _hermite(input, n, 2.0)


@with_out
def hermite_polynomial_he(input: Any, n: Any) -> Any:
    """Return the probabilists' Hermite polynomial: He_2(x) = x^2 - 1."""
    return _hermite(input, n, 1.0)


@with_out
def laguerre_polynomial_l(input: Any, n: Any) -> Any:
    """Return Laguerre's polynomial: L_1(x) = 1 - x."""
    return _laguerre(input, n, 0.0)


@with_out
def legendre_polynomial_p(input: Any, n: Any) -> Any:
    """Return Legendre's polynomial: P_2(x) = (3 x^2 - 1) / 2.

    >>> import minigrad as torch
    >>> torch.special.legendre_polynomial_p(torch.tensor([0.5]), torch.tensor([1, 2]))
    tensor([ 0.5000, -0.1250])
    """
    return _gegenbauer(input, n, 0.5)
