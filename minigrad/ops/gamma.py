"""The gamma function's family: lgamma, digamma, polygamma, zeta, the incomplete gamma functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check
from .._check import broadcast_error
from ..engine import op
from ..kernels import gamma as kernel
from ._operands import arrays, floating, tensors, underived, with_out
from .elementwise import exp
from .special import xlogy

_LOG_PI = math.log(math.pi)


def _wide(*operands: Any) -> tuple[list[Any], Any]:
    """Return operands as float64 arrays, and the dtype of the result."""
    made = [floating(a) for a in (arrays(*operands) if len(operands) == 2 else operands)]
    return [a.astype(np.float64) for a in made], made[0].dtype


def _two(name: str, input: Any, other: Any) -> tuple[list[Any], Any]:
    """Return what `_wide` does for two tensors; refuse numbers."""
    return _wide(*tensors(name, input, other))


@op(input=lambda g, input: g * digamma(input))
def lgamma(input: Any) -> Any:
    """Return log |Gamma(input)|, inf at 0, -1, -2, ...; its derivative is digamma.

    >>> import minigrad as torch
    >>> torch.lgamma(torch.tensor([1., 5.]))          # log 4! = 3.1781
    tensor([0.0000, 3.1781])
    """
    (x,), dtype = _wide(input)
    return kernel.lgamma(x).astype(dtype)


@op(input=lambda g, input: g * _polygamma(input, 1))
def digamma(input: Any) -> Any:
    """Return the derivative of log Gamma: nan at -1, -2, ..., -inf at 0.

    >>> import minigrad as torch
    >>> torch.digamma(torch.tensor([1., 0.5]))
    tensor([-0.5772, -1.9635])
    """
    (x,), dtype = _wide(input)
    return kernel.digamma(x).astype(dtype)


@op(input=lambda g, input, n: g * _polygamma(input, n + 1))
def _polygamma(input: Any, n: int) -> Any:
    if n < 0:
        raise NotImplementedError(f"polygamma(n, x) does not support negative n: got {n}")
    (x,), dtype = _wide(input)
    if n == 0:
        return kernel.digamma(x).astype(dtype)
    factorial = math.gamma(n + 1) if n < 170 else math.inf
    return ((-1) ** (n + 1) * factorial * kernel.zeta(np.array(n + 1.0), x)).astype(dtype)


@with_out
def polygamma(n: int, input: Any) -> Any:
    """Return the n-th derivative of digamma, (-1)^(n+1) n! zeta(n + 1, input), for n >= 0.

    Raises NotImplementedError if n is negative.

    >>> import minigrad as torch
    >>> torch.polygamma(1, torch.tensor([1., 0.5]))   # pi^2 / 6 and pi^2 / 2
    tensor([1.6449, 4.9348])
    """
    return _polygamma(input, _check.integer(n, "n"))


def _zeta_name(input: Any, other: Any) -> str:
    if type(input) is not np.ndarray:
        return "SpecialZetaBackward1"
    return f"SpecialZetaBackward{0 if type(other) is np.ndarray else 2}"


@op(input=underived("zeta's first argument"),
    other=lambda g, input, other: g * (-input * zeta(input + 1, other)), shown=_zeta_name,
    explain=broadcast_error)
def zeta(input: Any, other: Any) -> Any:
    """Return Hurwitz' zeta function, the sum of (other + k)^-input over k = 0, 1, ...

    It is inf for input = 1 and at the poles other = 0, -1, ..., nan for input < 1. No derivative by
    `input`.

    >>> import minigrad as torch
    >>> torch.special.zeta(torch.tensor([2.]), 1)     # pi^2 / 6
    tensor([1.6449])
    """
    (s, q), dtype = _wide(input, other)
    return kernel.zeta(s, q).astype(dtype)


def _density(a: Any, x: Any) -> Any:
    """Return the derivative of P(a, x) by x: x^(a-1) e^-x / Gamma(a)."""
    return exp(xlogy(a - 1, x) - x - lgamma(a))


@op(input=underived("igamma's first argument"),
    other=lambda g, input, other: g * _density(input, other), explain=broadcast_error)
def igamma(input: Any, other: Any) -> Any:
    """Return P(a, x), the share of Gamma(a)'s integral of t^(a-1) e^-t that lies below x.

    `input` is a and `other` x, both >= 0 (nan elsewhere). No derivative by `input`.

    >>> import minigrad as torch
    >>> torch.special.gammainc(torch.tensor([1.]), torch.tensor([2.]))     # 1 - e^-2
    tensor([0.8647])
    """
    (a, x), dtype = _two("igamma", input, other)
    return kernel.gammainc(a, x).astype(dtype)


@op(input=underived("igammac's first argument"),
    other=lambda g, input, other: g * -_density(input, other), explain=broadcast_error)
def igammac(input: Any, other: Any) -> Any:
    """Return Q(a, x) = 1 - P(a, x), exact where it is small: see `igamma`.

    >>> import minigrad as torch
    >>> torch.special.gammaincc(torch.tensor([1.]), torch.tensor([2.]))    # e^-2
    tensor([0.1353])
    """
    (a, x), dtype = _two("igammac", input, other)
    return kernel.gammaincc(a, x).astype(dtype)


@op(input=lambda g, input, p: g * sum(digamma(input - j / 2) for j in range(p)))
def mvlgamma(input: Any, p: int) -> Any:
    """Return the log of the multivariate gamma function of dimension p.

    It is p (p - 1) / 4 log(pi) + the sum of lgamma(input - j / 2) for j < p. Raises RuntimeError if
    p < 1.

    >>> import minigrad as torch
    >>> torch.mvlgamma(torch.tensor([3.]), 2)
    tensor([1.5502])
    """
    if not 1 <= p <= 1_000_000:
        raise RuntimeError(f"p has to be greater than or equal to 1, and at most 1000000 here, "
                           f"got {p}")
    (x,), dtype = _wide(input)
    total = np.full(x.shape, p * (p - 1) / 4 * _LOG_PI)
    for j in range(p):
        total += kernel.lgamma(x - j / 2)
    return total.astype(dtype)
