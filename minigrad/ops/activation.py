"""Smooth activations: the elu family, gelu, silu, mish, softplus and the rest. See also piecewise.

`sigmoid` and `tanh` are in elementwise, `softmax` and `log_softmax` in softmax.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check, views
from .._check import floats
from ..engine import op
from ..kernels import activation as kernels
from ..kernels import gates, normal
from ..kernels._blocks import product
from ..modes import state
from .choose import _where as where
from .choose import clamp
from .elementwise import abs, exp, sigmoid, tanh
from .piecewise import bend
from .reduce import wide
from .slicing import select_index

ndarray = np.ndarray


# ------------------------------------------------------------------------------ the elu family
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _elu_rule(g: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    if type(g) is ndarray:
        return kernels.elu_backward(g, input, alpha, scale, input_scale)
    return g * elu_slope(input, alpha, scale, input_scale)


@op(input=_elu_rule, shown=lambda name: "CeluBackward0" if name == "celu" else "EluBackward0")
def _elu(input: Any, alpha: float, scale: float, input_scale: float, name: str) -> Any:
    """Return scale * input above 0 and scale * alpha * (exp(input_scale * input) - 1) below."""
    return kernels.elu(input, alpha, scale, input_scale)


@op(input=lambda g, y, input, input_scale: where(input <= 0, g * y * input_scale, 0.0))
def elu_slope(input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """Return the derivative of `_elu`; at 0 it is the one from below."""
    return kernels.elu_slope(input, alpha, scale, input_scale)


def _checked_elu(name: str, input: Any, alpha: float, scale: float, input_scale: float,
                 inplace: bool) -> Any:
    floats(name, _check.tensor(input, name)._data)
    args = (input, alpha, scale, input_scale, name)
    return views.inplace(_elu, args) if inplace else _elu(*args)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Return `input` where it is positive, else alpha * (exp(input) - 1).

    Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units, 2015.

    >>> import minigrad as torch
    >>> torch.nn.functional.elu(torch.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """
    return _checked_elu("elu", input, alpha, 1.0, 1.0, inplace)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Return max(input, 0) + min(alpha * (exp(input / alpha) - 1), 0).

    Barron, Continuously Differentiable Exponential Linear Units, 2017: its slope at 0 is 1 for
    every alpha, elu's only for alpha = 1. RuntimeError if alpha is 0.

    >>> import minigrad as torch
    >>> torch.celu(torch.tensor([-1., 2.]), 0.5)
    tensor([-0.4323,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: celu: alpha must not be 0")
    return _checked_elu("celu", input, alpha, 1.0, 1.0 / alpha, inplace)


def selu(input: Any, inplace: bool = False) -> Any:
    """Return 1.0507 * elu(input, alpha=1.6733), which keeps mean 0 and variance 1.

    Klambauer et al., Self-Normalizing Neural Networks, 2017. It does so only after layers whose
    weights have variance 1 / fan_in (LeCun); use it with `alpha_dropout`.

    >>> import minigrad as torch
    >>> torch.selu(torch.tensor([-1., 2.]))
    tensor([-1.1113,  2.1014])
    """
    return _checked_elu("selu", input, SELU_ALPHA, SELU_SCALE, 1.0, inplace)


# ------------------------------------------------------------------ products with a soft gate
@op(input=lambda g, input: g * (logistic(input) * logistic(-input)), shown="SigmoidBackward0")
def logistic(input: Any) -> Any:
    """Return sigmoid(input) for rules: it keeps its input, so that no order cancels."""
    return gates.logistic(input)


def _near(x: Any, far: float) -> Any:
    """Return x moved into [-far, far], where what depends on it has long been 0 or 1."""
    return clamp(x, -far, far)


def _gelu_curvature(input: Any) -> Any:
    square = _near(input, 40.0) ** 2
    return (2 - square) * exp(square * -0.5) * (1 / math.sqrt(2 * math.pi))


@op(input=lambda g, input: g * _gelu_curvature(input))
def gelu_slope(input: Any) -> Any:
    """Return the derivative of the exact gelu, Phi(x) + x phi(x)."""
    return normal.gelu_slope(input)


def _gelu_tanh_curvature(input: Any) -> Any:
    # y = x s(k): y'' = s r (2 k' + x k'' + x k'^2 (r - s)) with r = 1 - s
    x = _near(input, gates.FAR)
    k = gates.LINEAR * (x + gates.CUBIC * (x * x * x))
    s, r = logistic(k), logistic(-k)
    first = gates.LINEAR * (1 + 3 * gates.CUBIC * (x * x))
    second = (6 * gates.CUBIC * gates.LINEAR) * x
    return s * r * (2 * first + x * second) + x * (s * r) * first * (first * (r - s))


@op(input=lambda g, input: g * _gelu_tanh_curvature(input))
def gelu_tanh_slope(input: Any) -> Any:
    """Return the derivative of gelu's approximation by tanh."""
    return gates.gelu_tanh_slope(input)


def _gelu_rule(g: Any, input: Any, approximate: str) -> Any:
    return g * (gelu_slope(input) if approximate == "none" else gelu_tanh_slope(input))


@op(input=_gelu_rule)
def _plain_gelu(input: Any, approximate: str) -> Any:
    """Return gelu without saving its slope, for derivatives of higher order."""
    return normal.gelu(input) if approximate == "none" else gates.gelu_tanh(input)


@op(input=None, smooth="slope", reference=lambda input, approximate: _plain_gelu(
    input, approximate))
def gelu(input: Any, *, approximate: str = "none") -> Any:
    """Return input * Phi(input), Phi the distribution function of the standard normal.

    Hendrycks & Gimpel, Gaussian Error Linear Units, 2016. `approximate`: "none" is exact, "tanh"
    takes Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; others raise RuntimeError.

    >>> import minigrad as torch
    >>> torch.nn.functional.gelu(torch.tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """
    floats("gelu", input)
    if approximate == "none":
        return normal.gelu_and_slope(input) if state.grad else (normal.gelu(input), None)
    if approximate == "tanh":
        return gates.gelu_tanh(input), None
    if not isinstance(approximate, str):
        raise TypeError(f"gelu(): argument 'approximate' must be str, 'none' or 'tanh', not "
                        f"{type(approximate).__name__}")
    raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


@gelu.fused
def _(g: Any, input: Any, slope: Any, needs: Any) -> Any:
    # one pass of forward finds Phi(x), and Phi(x) + x phi(x) takes little more
    return (product(g, gates.gelu_tanh_slope(input) if slope is None else slope),)


def _silu_curvature(input: Any) -> Any:
    x = _near(input, 1000.0)
    s, r = logistic(x), logistic(-x)
    return s * r * (2 + x * (r - s))


@op(input=lambda g, input: g * _silu_curvature(input))
def silu_slope(input: Any) -> Any:
    """Return the derivative of silu, s (1 + x (1 - s)) with s = sigmoid(x)."""
    return gates.silu_slope(input)


@op(input=lambda g, input: g * silu_slope(input))
def silu(input: Any) -> Any:
    """Return input * sigmoid(input), also called swish.

    Elfwing et al., Sigmoid-Weighted Linear Units for Neural Network Function Approximation, 2017.

    >>> import minigrad as torch
    >>> torch.nn.functional.silu(torch.tensor([-1., 2.]))
    tensor([-0.2689,  1.7616])
    """
    floats("silu", input)
    return gates.silu(input)


def _mish_curvature(input: Any) -> Any:
    # y = x T with T' = 4 r^2 s q^2, q = 1 / (1 + r^2), T'' = T' (r - 2 s + 4 r^2 s q)
    x = _near(input, 1000.0)
    s, r = logistic(x), logistic(-x)
    q = 1 / (1 + r * r)
    part = 4 * r * s * (q * q)  # T' / r, which is not subnormal as early
    return r * (2 * part + x * part * (r - 2 * s + 4 * (r * r) * s * q))


@op(input=lambda g, input: g * _mish_curvature(input))
def mish_slope(input: Any) -> Any:
    """Return the derivative of mish."""
    return gates.mish_slope(input)


@op(input=lambda g, input: g * mish_slope(input))
def mish(input: Any) -> Any:
    """Return input * tanh(softplus(input)).

    Misra, Mish: A Self Regularized Non-Monotonic Neural Activation Function, 2019.

    >>> import minigrad as torch
    >>> torch.nn.functional.mish(torch.tensor([-1., 2.]))
    tensor([-0.3034,  1.9440])
    """
    floats("mish", input)
    return gates.mish(input)


@_check.takes("input", error=AttributeError)
def glu(input: Any, dim: int = -1) -> Any:
    """Return a * sigmoid(b), where a and b are the two halves of the input along `dim`.

    Dauphin et al., Language Modeling with Gated Convolutional Networks, 2016. RuntimeError if the
    size of `dim` is odd.

    >>> import minigrad as torch
    >>> torch.nn.functional.glu(torch.tensor([1., 2., 0., 0.]))
    tensor([0.5000, 1.0000])
    """
    floats("glu", input._data)
    if not input.ndim:
        raise RuntimeError("glu: a 0-d tensor cannot be halved; give at least one dimension")
    dim = _check.dim(dim, input.ndim)
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"glu: the halved dimension must have an even size, but dimension {dim} "
                           f"has size {size}")
    return _glu(input, dim)


def _halves(x: Any, dim: int) -> tuple[Any, Any]:
    half = x.shape[dim] // 2
    before = (slice(None),) * dim
    return (select_index(x, (*before, slice(0, half))),
            select_index(x, (*before, slice(half, 2 * half))))


def _glu_reference(input: Any, dim: int) -> Any:
    a, b = _halves(input, dim)
    return a * sigmoid(b)


@op(input=None, reference=_glu_reference, smooth="gate")
def _glu(input: Any, dim: int) -> Any:
    a, b = np.split(wide(input), 2, dim)
    gate = 1 / (1 + np.exp(-b))
    return (a * gate).astype(input.dtype, copy=False), gate


@_glu.fused
def _(g: Any, input: Any, dim: int, gate: Any, needs: Any) -> Any:
    # y = a s(b): da = g s(b), db = g a s(b) (1 - s(b))
    da = g * gate
    return [np.concatenate([da, da * np.split(input, 2, dim)[0] * (1 - gate)], dim)]


# ------------------------------------------------------------------------------ soft versions
def _softplus(x: ndarray) -> ndarray:
    """Return log(1 + exp(x)) without overflow."""
    y = np.log1p(np.exp(-np.abs(x)))
    y += np.maximum(x, 0)
    return y


@op(input=lambda g, input, beta, threshold: bend(g, input * beta - threshold,
                                                 logistic(input * beta)))
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Return log(1 + exp(beta * input)) / beta, a smooth relu.

    Where beta * input > threshold, the input itself is returned.

    >>> import minigrad as torch
    >>> torch.nn.functional.softplus(torch.tensor([-1., 0., 30.]))
    tensor([ 0.3133,  0.6931, 30.0000])
    """
    floats("softplus", input)
    _check.number(beta, "softplus", "beta")
    _check.number(threshold, "softplus", "threshold")
    x = wide(input)
    scaled = x * beta
    return np.where(scaled > threshold, x, _softplus(scaled) / beta).astype(input.dtype, copy=False)


@op(input=lambda g, input: g * logistic(-input), shown="LogSigmoidBackward0")
def logsigmoid(input: Any) -> Any:
    """Return log(sigmoid(input)) = -softplus(-input), exact also where sigmoid is 0 in floats.

    >>> import minigrad as torch
    >>> torch.nn.functional.logsigmoid(torch.tensor([-200., 0.]))
    tensor([-200.0000,   -0.6931])
    """
    floats("logsigmoid", input)
    return np.negative(_softplus(-wide(input))).astype(input.dtype, copy=False)


@_check.takes("input", error=AttributeError)
def softsign(input: Any) -> Any:
    """Return input / (1 + |input|).

    >>> import minigrad as torch
    >>> torch.nn.functional.softsign(torch.tensor([-1., 3.]))
    tensor([-0.5000,  0.7500])
    """
    if input._data.dtype.kind == "b":
        raise NotImplementedError("softsign() is not implemented for bool; convert with .float()")
    return input / (abs(input) + 1)


def tanhshrink(input: Any) -> Any:
    """Return input - tanh(input).

    >>> import minigrad as torch
    >>> torch.nn.functional.tanhshrink(torch.tensor([-1., 3.]))
    tensor([-0.2384,  2.0049])
    """
    return input - tanh(input)
