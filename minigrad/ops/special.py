"""More functions of one and two elements: powers of e, trigonometry, erf, logarithms of sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._check import broadcast_error
from ..engine import op
from ._operands import arrays, floating, tensors
from .arithmetic import reciprocal
from .choose import _where
from .elementwise import div, log, sigmoid

ndarray = np.ndarray
_LN2, _LN10 = math.log(2), math.log(10)


def _floats(name: str, input: Any, other: Any) -> tuple[Any, Any]:
    """Return two tensors' arrays promoted to one floating dtype."""
    a, b = tensors(name, input, other)
    return floating(a), floating(b)


# ------------------------------------------------------------------------ exponentials and roots
@op(input=lambda g, y: g * (y * _LN2))
def exp2(input: Any) -> Any:
    """Return 2 to the power of each element.

    >>> import minigrad as torch
    >>> torch.exp2(torch.tensor([0., 3.]))
    tensor([1., 8.])
    """
    return np.exp2(floating(input))


@op(input=lambda g, y: g * (y + 1))
def expm1(input: Any) -> Any:
    """Return exp(input) - 1, exact for small elements, too.

    >>> import minigrad as torch
    >>> torch.expm1(torch.tensor([0., 1.]))
    tensor([0.0000, 1.7183])
    """
    return np.expm1(floating(input))


@op(input=lambda g, input: g / (input * _LN2))
def log2(input: Any) -> Any:
    """Return the logarithm to base 2.

    >>> import minigrad as torch
    >>> torch.log2(torch.tensor([1., 8.]))
    tensor([0., 3.])
    """
    return np.log2(floating(input))


@op(input=lambda g, input: g / (input * _LN10))
def log10(input: Any) -> Any:
    """Return the logarithm to base 10.

    >>> import minigrad as torch
    >>> torch.log10(torch.tensor([1., 1000.]))
    tensor([0., 3.])
    """
    x = floating(input)  # NumPy's float32 log10 misses the powers of ten
    return np.log10(x, dtype=np.float64).astype(x.dtype, copy=False)


@op(input=lambda g, input: g / (input + 1), shown="Log1PBackward0")
def log1p(input: Any) -> Any:
    """Return log(1 + input), exact for small elements, too.

    >>> import minigrad as torch
    >>> torch.log1p(torch.tensor([0., 1.]))
    tensor([0.0000, 0.6931])
    """
    return np.log1p(floating(input))


@op(input=lambda g, y: g * (-0.5 * (y * y * y)))
def rsqrt(input: Any) -> Any:
    """Return 1 / sqrt(input).

    >>> import minigrad as torch
    >>> torch.rsqrt(torch.tensor([4., 0.]))
    tensor([0.5000,    inf])
    """
    return np.reciprocal(np.sqrt(floating(input)))


# --------------------------------------------------------------------------------- trigonometry
@op(input=lambda g, input: g * cos(input))
def sin(input: Any) -> Any:
    """Return the sine of angles in radians.

    >>> import minigrad as torch
    >>> torch.sin(torch.tensor([0., 1.]))
    tensor([0.0000, 0.8415])
    """
    return np.sin(floating(input))


@op(input=lambda g, input: g * -sin(input))
def cos(input: Any) -> Any:
    """Return the cosine of angles in radians.

    >>> import minigrad as torch
    >>> torch.cos(torch.tensor([0., 1.]))
    tensor([1.0000, 0.5403])
    """
    return np.cos(floating(input))


@op(input=lambda g, y: g * (1 + y * y))
def tan(input: Any) -> Any:
    """Return the tangent of angles in radians.

    >>> import minigrad as torch
    >>> torch.tan(torch.tensor([0., 1.]))
    tensor([0.0000, 1.5574])
    """
    return np.tan(floating(input))


@op(input=lambda g, input: g * rsqrt(1 - input * input))
def asin(input: Any) -> Any:
    """Return the angle in [-pi/2, pi/2] whose sine is given; nan outside of [-1, 1].

    >>> import minigrad as torch
    >>> torch.asin(torch.tensor([0., 1.]))
    tensor([0.0000, 1.5708])
    """
    return np.arcsin(floating(input))


@op(input=lambda g, input: g * -rsqrt(1 - input * input))
def acos(input: Any) -> Any:
    """Return the angle in [0, pi] whose cosine is given; nan outside of [-1, 1].

    >>> import minigrad as torch
    >>> torch.acos(torch.tensor([0., 1.]))
    tensor([1.5708, 0.0000])
    """
    return np.arccos(floating(input))


@op(input=lambda g, input: g / (input * input + 1))
def atan(input: Any) -> Any:
    """Return the angle in (-pi/2, pi/2) whose tangent is given.

    >>> import minigrad as torch
    >>> torch.atan(torch.tensor([0., 1.]))
    tensor([0.0000, 0.7854])
    """
    return np.arctan(floating(input))


def _polar(g: Any, input: Any, other: Any, part: Any) -> Any:
    """Return g * part / (input^2 + other^2), 0 at the origin."""
    square = input * input + other * other
    return g * (part * _where(square == 0, 0.0, reciprocal(square)))


@op(input=lambda g, input, other: _polar(g, input, other, other),
    other=lambda g, input, other: _polar(g, input, other, -input), explain=broadcast_error)
def atan2(input: Any, other: Any) -> Any:
    """Return the angle of the points (x=other, y=input) in (-pi, pi], broadcast.

    >>> import minigrad as torch
    >>> torch.atan2(torch.tensor([1., -1.]), torch.tensor([1., -1.]))
    tensor([ 0.7854, -2.3562])
    """
    return np.arctan2(*_floats("atan2", input, other))


# ------------------------------------------------------------------------------------ hyperbolic
@op(input=lambda g, input: g * cosh(input))
def sinh(input: Any) -> Any:
    """Return the hyperbolic sine.

    >>> import minigrad as torch
    >>> torch.sinh(torch.tensor([0., 1.]))
    tensor([0.0000, 1.1752])
    """
    return np.sinh(floating(input))


@op(input=lambda g, input: g * sinh(input))
def cosh(input: Any) -> Any:
    """Return the hyperbolic cosine.

    >>> import minigrad as torch
    >>> torch.cosh(torch.tensor([0., 1.]))
    tensor([1.0000, 1.5431])
    """
    return np.cosh(floating(input))


@op(input=lambda g, input: g * rsqrt(input * input + 1))
def asinh(input: Any) -> Any:
    """Return the inverse of the hyperbolic sine.

    >>> import minigrad as torch
    >>> torch.asinh(torch.tensor([0., 1.]))
    tensor([0.0000, 0.8814])
    """
    return np.arcsinh(floating(input))


@op(input=lambda g, input: g * rsqrt(input * input - 1))
def acosh(input: Any) -> Any:
    """Return the inverse of the hyperbolic cosine; nan below 1.

    >>> import minigrad as torch
    >>> torch.acosh(torch.tensor([1., 2.]))
    tensor([0.0000, 1.3170])
    """
    return np.arccosh(floating(input))


@op(input=lambda g, input: g / (1 - input * input))
def atanh(input: Any) -> Any:
    """Return the inverse of the hyperbolic tangent; +-inf at +-1.

    >>> import minigrad as torch
    >>> torch.atanh(torch.tensor([0., 0.5]))
    tensor([0.0000, 0.5493])
    """
    return np.arctanh(floating(input))


@op(input=lambda g: g * (math.pi / 180), shown="Deg2RadBackward0")
def deg2rad(input: Any) -> Any:
    """Return degrees as radians.

    >>> import minigrad as torch
    >>> torch.deg2rad(torch.tensor([180., 90.]))
    tensor([3.1416, 1.5708])
    """
    return floating(input) * (math.pi / 180)


@op(input=lambda g: g * (180 / math.pi), shown="Rad2DegBackward0")
def rad2deg(input: Any) -> Any:
    """Return radians as degrees."""
    return floating(input) * (180 / math.pi)


@op(input=lambda g, input: g * _sinc_slope(input))
def sinc(input: Any) -> Any:
    """Return sin(pi x) / (pi x), 1 at 0.

    >>> import minigrad as torch
    >>> torch.sinc(torch.tensor([0., 0.5]))
    tensor([1.0000, 0.6366])
    """
    return np.sinc(floating(input)).astype(floating(input).dtype, copy=False)


def _sinc_slope(x: Any) -> Any:
    """Return sinc'(x) = (cos(pi x) - sinc(x)) / x; a series near 0, where that cancels."""
    near = (x < 1e-2) & (x > -1e-2)
    far = _where(near, 1.0, x)
    a = x * x * math.pi ** 2
    series = x * (math.pi ** 2 * (-1 / 3 + a * (1 / 30 - a * (1 / 840 - a / 45360))))
    return _where(near, series, (cos(far * math.pi) - sinc(far)) / far)


# ----------------------------------------------------------------------------------------- logit
@op(input=lambda g, input, eps: _where(_inside(input, eps), div(g, input * (1 - input)),
                                       math.nan if eps is None else 0.0))
def logit(input: Any, eps: float | None = None) -> Any:
    """Return log(p / (1 - p)), the inverse of sigmoid; with `eps` p is clamped to [eps, 1 - eps].

    >>> import minigrad as torch
    >>> torch.logit(torch.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    p = floating(input)
    if eps is not None:
        p = np.minimum(np.maximum(p, p.dtype.type(eps)), p.dtype.type(1 - eps))
    return np.log(p / (1 - p))


def _inside(p: Any, eps: float | None) -> Any:
    low = 0.0 if eps is None else eps
    return (p >= low) & (p <= 1 - low)


# ------------------------------------------------------------------------------- of two elements
@op(input=lambda g, input, y: div(g * input, y), other=lambda g, other, y: div(g * other, y),
    explain=broadcast_error)
def hypot(input: Any, other: Any) -> Any:
    """Return sqrt(input^2 + other^2), broadcast, without overflow.

    >>> import minigrad as torch
    >>> torch.hypot(torch.tensor([3.]), torch.tensor([4.]))
    tensor([5.])
    """
    return np.hypot(*_floats("hypot", input, other))


def _xlogy_name(input: Any, other: Any) -> str:
    if type(input) is not ndarray:
        return "XlogyBackward1"
    return "XlogyBackward0" if type(other) is ndarray else "XlogyBackward2"


def _log_of(x: Any) -> Any:
    """Return the logarithm of an array, a tensor or a number."""
    if type(x) in (int, float):
        return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan
    return log(x)


@op(input=lambda g, input, other: _where((input == 0) & (other <= 0), 0.0, g * _log_of(other)),
    other=lambda g, input, other: div(g * input, other), shown=_xlogy_name,
    explain=broadcast_error)
def xlogy(input: Any, other: Any) -> Any:
    """Return input * log(other), broadcast; 0 where `input` is 0 (but nan where `other` is).

    >>> import minigrad as torch
    >>> torch.xlogy(torch.tensor([0., 2.]), torch.tensor([0., 1.]))
    tensor([0., 0.])
    """
    a, b = (floating(x) for x in arrays(input, other))
    return np.where(np.isnan(b), b, np.where(np.equal(a, 0), 0, a * np.log(b)))


@op(input=lambda g, input, other: g * sigmoid(input - other),
    other=lambda g, input, other: g * sigmoid(other - input), explain=broadcast_error)
def logaddexp(input: Any, other: Any) -> Any:
    """Return log(exp(input) + exp(other)), broadcast, without overflow.

    >>> import minigrad as torch
    >>> torch.logaddexp(torch.tensor([1000.]), torch.tensor([1000.]))
    tensor([1000.6932])
    """
    return np.logaddexp(*_floats("logaddexp", input, other))


@op(input=lambda g, input, other: g * sigmoid((input - other) * _LN2),
    other=lambda g, input, other: g * sigmoid((other - input) * _LN2), explain=broadcast_error)
def logaddexp2(input: Any, other: Any) -> Any:
    """Return log2(2^input + 2^other), broadcast, without overflow."""
    return np.logaddexp2(*_floats("logaddexp2", input, other))
