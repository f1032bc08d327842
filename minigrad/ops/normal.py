"""The normal distribution's functions, entropy, scaled erfc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._check import broadcast_error
from ..engine import op
from ..kernels import gaussian as kernel
from ._operands import arrays, floating
from .choose import _where
from .elementwise import div, exp, log
from .errorfunction import erfc_kernel
from .special import log1p

_ROOT_2PI = math.sqrt(2 * math.pi)


@op(input=lambda g, input: g * (exp(input * input * -0.5) / _ROOT_2PI), shown="MulBackward1")
def ndtr(input: Any) -> Any:
    """Return the share of the standard normal distribution below each element.

    >>> import minigrad as torch
    >>> torch.special.ndtr(torch.tensor([-1.96, 0., 1.96]))
    tensor([0.0250, 0.5000, 0.9750])
    """
    x = floating(input)
    return (erfc_kernel(x.astype(np.float64) / -math.sqrt(2)) / 2).astype(x.dtype)


def _log_ndtr_slope(x: Any) -> Any:
    """Return density / ndtr; far on the left, where both vanish, by the scaled erfc."""
    far = x < -1
    near = _where(far, 0.0, x)
    left = math.sqrt(2 / math.pi) / erfcx(_where(far, x, -1.0) * -math.sqrt(0.5))
    return _where(far, left, exp(near * near * -0.5) / _ROOT_2PI / ndtr(near))


@op(input=lambda g, input: g * _log_ndtr_slope(input), shown="SpecialLogNdtrBackward0")
def log_ndtr(input: Any) -> Any:
    """Return log(ndtr(input)), exact far out on the left, where ndtr is 0.

    >>> import minigrad as torch
    >>> torch.special.log_ndtr(torch.tensor([-100., 0.]))
    tensor([-5.0055e+03, -6.9315e-01])
    """
    x = floating(input)
    return kernel.log_ndtr(x).astype(x.dtype)


@op(input=lambda g, y: g * (exp(y * y * 0.5) * _ROOT_2PI), shown="SpecialNdtriBackward0")
def ndtri(input: Any) -> Any:
    """Return x with ndtr(x) = input, for elements in (0, 1): -inf at 0, inf at 1, nan outside.

    >>> import minigrad as torch
    >>> torch.special.ndtri(torch.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
    """
    x = floating(input)
    return kernel.ndtri(x).astype(x.dtype)


@op(input=lambda g, input, y: g * (input * y * 2 - 2 / math.sqrt(math.pi)),
    shown="SpecialErfcxBackward0")
def erfcx(input: Any) -> Any:
    """Return exp(input^2) erfc(input), which does not underflow.

    >>> import minigrad as torch
    >>> torch.special.erfcx(torch.tensor([0., 100.]))
    tensor([1.0000, 0.0056])
    """
    x = floating(input)
    return kernel.erfcx(x).astype(x.dtype)


@op(input=lambda g, input: g * (-log(input) - 1), shown="SpecialEntrBackward0")
def entr(input: Any) -> Any:
    """Return -x log(x), the terms of an entropy: 0 at 0, -inf for negative elements.

    >>> import minigrad as torch
    >>> torch.special.entr(torch.tensor([0., 0.5, -1.]))
    tensor([0.0000, 0.3466,   -inf])
    """
    x = floating(input)
    y = np.where(x > 0, -x * np.log(np.where(x > 0, x, 1)), 0)
    return np.where(x < 0, -np.inf, np.where(np.isnan(x), x, y)).astype(x.dtype)


def _log1p_of(x: Any) -> Any:
    """Return log(1 + x) of an array, a tensor or a number."""
    if type(x) in (int, float):
        return math.log1p(x) if x > -1 else -math.inf if x == -1 else math.nan
    return log1p(x)


def _xlog1py_name(input: Any, other: Any) -> str:
    if type(input) is not np.ndarray:
        return "SpecialXlog1PyBackward1"
    return f"SpecialXlog1PyBackward{0 if type(other) is np.ndarray else 2}"


@op(input=lambda g, input, other: _where((input == 0) & (other <= -1), 0.0, g * _log1p_of(other)),
    other=lambda g, input, other: div(g * input, other + 1), shown=_xlog1py_name,
    explain=broadcast_error)
def xlog1py(input: Any, other: Any) -> Any:
    """Return input * log(1 + other), broadcast; 0 where `input` is 0 (but nan where `other` is).

    >>> import minigrad as torch
    >>> torch.special.xlog1py(torch.tensor([0., 2.]), torch.tensor([-1., 0.]))
    tensor([0., 0.])
    """
    a, b = (floating(x) for x in arrays(input, other))
    return np.where(np.isnan(b), b, np.where(np.equal(a, 0), 0, a * np.log1p(b)))
