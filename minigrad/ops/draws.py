"""Random numbers of rarer distributions: Poisson, binomial, geometric, Cauchy, log-normal.

Poisson and binomial: inversion by sequential search where the mean is below 10, else Hörmann's
transformed rejection (PTRS, "The transformed rejection method for generating Poisson random
variables", 1993; BTRS, "The generation of binomial random variates", 1993). Elements whose proposal
is refused draw again, so one seed gives the same numbers everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check, _dtype, _random
from ..engine import op
from ..kernels.gamma import lgamma
from ..views import inplace
from .convert import fill
from .random import _float_kind, draw

ndarray = np.ndarray
_MANY = 10.0  # from this mean on rejection is the shorter way


def _unit(count: int, generator: Any) -> ndarray:
    return _random.uniform((count,), np.float64, generator)


def _searched(ratio: Callable[[int, ndarray], ndarray], first: ndarray, generator: Any) -> ndarray:
    """Invert the distribution function: P(0) = first, P(k) = P(k-1) * ratio(k)."""
    u = _unit(len(first), generator)
    found = np.zeros(len(first))
    p, total = first.copy(), first.copy()
    left = np.flatnonzero(u > total)
    k = 0
    while left.size and k < 1000:
        k += 1
        p[left] *= ratio(k, left)
        total[left] += p[left]
        found[left] = k
        left = left[(u[left] > total[left]) & (p[left] > 0)]
    return found


def _rejected(propose: Callable[..., tuple[ndarray, ndarray]], count: int, generator: Any
              ) -> ndarray:
    """Draw u and v until the proposal for every element is accepted."""
    found = np.zeros(count)
    left = np.arange(count)
    while left.size:
        u, v = _unit(left.size, generator) - 0.5, _unit(left.size, generator)
        k, good = propose(u, v, left)
        found[left[good]] = k[good]
        left = left[~good]
    return found


def _poisson_many(rate: ndarray, generator: Any) -> ndarray:
    """PTRS: k = floor((2a / (1/2 - |u|) + b) u + rate + 0.43), accepted by the density's ratio."""
    b = 0.931 + 2.53 * np.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)

    def propose(u: ndarray, v: ndarray, at: ndarray) -> tuple[ndarray, ndarray]:
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a[at] / us + b[at]) * u + rate[at] + 0.43)
        log = np.log(v) + np.log(inverse[at]) - np.log(a[at] / (us * us) + b[at])
        fits = log <= k * np.log(rate[at]) - rate[at] - lgamma(np.maximum(k, 0) + 1)
        sure = (us >= 0.07) & (v <= quick[at])
        return k, sure | (fits & (k >= 0) & ~((us < 0.013) & (v > us)))

    return _rejected(propose, len(rate), generator)


@op(input=lambda g: fill(g, 0.0))
def _poisson(input: Any, generator: Any) -> Any:
    _float_kind("poisson", input.dtype)
    rate = input.astype(np.float64).reshape(-1)
    if not (rate >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    found = np.zeros(rate.shape)
    few = rate < _MANY
    small = rate[few]
    found[few] = _searched(lambda k, at: small[at] / k, np.exp(-small), generator)
    if not few.all():
        found[~few] = _poisson_many(rate[~few], generator)
    return found.reshape(input.shape).astype(input.dtype)


@_check.takes("input")
def poisson(input: Any, generator: Any = None) -> Any:
    """Return numbers of the Poisson distributions whose rates are the elements of `input`.

    Raises RuntimeError for negative rates and NotImplementedError for integers.

    >>> import minigrad as torch
    >>> torch.poisson(torch.tensor([0., 0.]))
    tensor([0., 0.])
    """
    return _poisson(input, generator)


def _binomial_many(n: ndarray, p: ndarray, generator: Any) -> ndarray:
    """BTRS for p <= 1/2 and n p >= 10."""
    odds = np.log(p / (1 - p))
    spread = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    quick = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    mode = np.floor((n + 1) * p)
    top = lgamma(mode + 1) + lgamma(n - mode + 1)

    def propose(u: ndarray, v: ndarray, at: ndarray) -> tuple[ndarray, ndarray]:
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a[at] / us + b[at]) * u + n[at] * p[at] + 0.5)
        inside = (k >= 0) & (k <= n[at])
        c = np.clip(k, 0, n[at])
        bound = top[at] - lgamma(c + 1) - lgamma(n[at] - c + 1) + (c - mode[at]) * odds[at]
        fits = np.log(v * alpha[at] / (a[at] / (us * us) + b[at])) <= bound
        return k, inside & (((us >= 0.07) & (v <= quick[at])) | fits)

    return _rejected(propose, len(n), generator)


@op(count=lambda g: fill(g, 0.0), prob=lambda g: fill(g, 0.0))
def _binomial(count: Any, prob: Any, generator: Any) -> Any:
    for name, x in (("count", count), ("prob", prob)):
        if x.dtype.kind != "f":
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: "
                             f"{_dtype.dtype_of(x)}; convert with .float()")
    n, p = (x.astype(np.float64) for x in np.broadcast_arrays(count, prob))
    shape = n.shape
    undefined = (~np.isfinite(n) | np.isnan(p)).reshape(-1)
    n, p = np.where(np.isfinite(n), n, 0), np.nan_to_num(p)
    n, p = np.maximum(np.floor(n), 0).reshape(-1), np.clip(p, 0, 1).reshape(-1)
    mirrored = p > 0.5
    p = np.where(mirrored, 1 - p, p)
    found = np.zeros(n.shape)
    few = n * p < _MANY
    small_n, odds = n[few], p[few] / (1 - p[few])
    found[few] = _searched(lambda k, at: odds[at] * np.maximum(small_n[at] - k + 1, 0) / k,
                           (1 - p[few]) ** small_n, generator)
    if not few.all():
        found[~few] = _binomial_many(n[~few], p[~few], generator)
    found = np.where(undefined, np.nan, np.where(mirrored, n - found, found))
    return found.reshape(shape).astype(count.dtype)


def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """Return numbers of successes in `count` trials of probability `prob`, broadcast.

    Raises ValueError if one of them has no floating dtype.

    >>> import minigrad as torch
    >>> torch.binomial(torch.tensor([3., 5.]), torch.tensor([0., 1.]))
    tensor([0., 5.])
    """
    return _binomial(count, prob, generator)


# --------------------------------------------------------------------------------------- in place
def _put_geometric(input: ndarray, p: float, generator: Any) -> None:
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    if input.dtype.kind == "b":
        raise NotImplementedError("geometric_ is not implemented for torch.bool")
    u = 1 - _unit(input.size, generator)
    input[...] = np.maximum(np.ceil(np.log(u) / np.log1p(-p)), 1).reshape(input.shape)


def _put_cauchy(input: ndarray, median: float, sigma: float, generator: Any) -> None:
    if input.dtype.kind != "f":
        raise RuntimeError(f"Cauchy distribution is a continuous probability distribution. dtype "
                           f"must be a floating point but you specified {_dtype.dtype_of(input)}")
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    u = _unit(input.size, generator)
    input[...] = (median + sigma * np.tan(np.pi * (u - 0.5))).reshape(input.shape)


def _put_log_normal(input: ndarray, mean: float, std: float, generator: Any) -> None:
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    kind = _float_kind("log_normal_", input.dtype)
    z = _random.normal(input.shape, np.float64, generator)
    input[...] = np.exp(mean + std * z).astype(kind)


def geometric_(input: Any, p: float, *, generator: Any = None) -> Any:
    """Write numbers of trials up to the first success of probability `p`: 1, 2, 3, ..."""
    return inplace(draw, (input, _put_geometric, (p, generator)))


@_check.takes("input")
def cauchy_(input: Any, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Any:
    """Write numbers of the Cauchy distribution, sigma / (pi (sigma^2 + (x - median)^2))."""
    return inplace(draw, (input, _put_cauchy, (median, sigma, generator)))


@_check.takes("input")
def log_normal_(input: Any, mean: float = 1, std: float = 2, *, generator: Any = None) -> Any:
    """Write numbers whose logarithm has the normal distribution with `mean` and `std`."""
    return inplace(draw, (input, _put_log_normal, (mean, std, generator)))
