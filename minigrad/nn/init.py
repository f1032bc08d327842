"""Fill parameters with their first values, in place.

Every function returns the tensor it was given, writes under no_grad and takes `generator=`.
Sources: X. Glorot & Y. Bengio, "Understanding the difficulty of training deep feedforward neural
networks", 2010 (`xavier_*`); K. He et al., "Delving deep into rectifiers", 2015 (`kaiming_*`);
A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
networks", 2013 (`orthogonal_`); J. Martens, "Deep learning via Hessian-free optimization", 2010
(`sparse_`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from .. import _random
from .._check import takes
from .._random import Generator
from ..tensor import Tensor
from ..views import wrote

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
           "conv_transpose3d", "sigmoid")
_FIXED_GAINS = {**dict.fromkeys(_LINEAR, 1.0), "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance through a nonlinearity.

    1 for linear, convolutions and sigmoid, 5/3 tanh, sqrt(2) relu, sqrt(2 / (1 + slope^2))
    leaky_relu, 3/4 selu. Args: nonlinearity: its name in `nn.functional`, ValueError if unknown;
    param: the slope of leaky_relu, default 0.01. For SELU nets use 'linear' (LeCun), which gives
    self-normalisation; 3/4 trades it for a more stable gradient flow.

    >>> import minigrad.nn as nn
    >>> nn.init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in _FIXED_GAINS:
        return _FIXED_GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}: expected leaky_relu or one of "
                         f"{', '.join(_FIXED_GAINS)}")
    if param is None:
        param = 0.01
    elif isinstance(param, bool) or not isinstance(param, (int, float)):
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2 / (1 + param**2))


def _fill(tensor: Tensor, values: Any, name: str) -> Tensor:
    """Write values into the tensor's memory and count the write."""
    tensor._data[...] = values
    wrote(tensor, name)
    return tensor


def _check_floating(tensor: Tensor) -> None:
    """Refuse integers and bools, which cannot hold what is drawn."""
    if not tensor.is_floating_point():
        raise NotImplementedError(f"random initialisation is not implemented for {tensor.dtype}; "
                                  f"convert the tensor with .float()")


def _uniform(tensor: Tensor, low: float, high: float, generator: Generator | None) -> Any:
    _check_floating(tensor)
    values = _random.uniform(tensor._data.shape, tensor._data.dtype, generator)
    values *= high - low
    values += low
    return values


def _normal(tensor: Tensor, mean: float, std: float, generator: Generator | None) -> Any:
    _check_floating(tensor)
    values = _random.normal(tensor._data.shape, tensor._data.dtype, generator)
    values *= std
    values += mean
    return values


@takes()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0,
             generator: Generator | None = None) -> Tensor:
    """Draw every element from the uniform distribution on [a, b).

    >>> import minigrad as torch
    >>> bool((torch.nn.init.uniform_(torch.empty(3), 2, 5) >= 2).all())
    True
    """
    if b < a:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={a} > "
                           f"to={b}")
    return _fill(tensor, _uniform(tensor, a, b, generator), "uniform_")


@takes()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0,
            generator: Generator | None = None) -> Tensor:
    """Draw every element from the normal distribution N(mean, std^2).

    >>> import minigrad as torch
    >>> torch.nn.init.normal_(torch.empty(3), mean=2., std=0.)
    tensor([2., 2., 2.])
    """
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return _fill(tensor, _normal(tensor, mean, std, generator), "normal_")


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0,
                  b: float = 2.0, generator: Generator | None = None) -> Tensor:
    """Draw from N(mean, std^2) restricted to [a, b] (absolute limits, not multiples of std).

    Warns if the mean is more than two std outside of [a, b]; RuntimeError for a > b.

    >>> import minigrad as torch
    >>> x = torch.nn.init.trunc_normal_(torch.empty(100), std=5.)
    >>> bool((x.abs() <= 2).all())
    True
    """
    _check_floating(tensor)
    if a > b:
        raise RuntimeError(f"trunc_normal_: expected limits a <= b, but found a={a} > b={b}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_: nearly all "
                      "values will lie at one end of the interval", stacklevel=2)
    low, high = (a - mean) / std, (b - mean) / std
    values = _truncated(tensor._data.size, low, high, generator).reshape(tensor._data.shape)
    values = np.clip(values * std + mean, a, b)
    return _fill(tensor, values, "trunc_normal_")


def _truncated(count: int, low: float, high: float, generator: Generator | None) -> Any:
    """Return standard normals within [low, high], by rejection, in float64."""
    share = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    parts = [np.empty(0)]
    missing = count
    while missing > 0:
        if share >= 0.25:
            draws = _random.normal(int(missing / share * 1.05) + 8, np.float64, generator)
            draws = draws[(draws >= low) & (draws <= high)]
        else:
            draws = _tail(2 * missing + 8, low, high, generator)
        parts.append(draws[:missing])
        missing -= len(parts[-1])
    return np.concatenate(parts)


def _tail(count: int, low: float, high: float, generator: Generator | None) -> Any:
    """Return some normals of a narrow or far interval: uniform proposals, kept by the density."""
    nearest = max(low, -high, 0.0)  # the distance of the densest point from 0
    reach = math.sqrt(nearest**2 + 80)  # the density beyond is e^-40 of the densest
    low, high = max(low, -reach), min(high, reach)
    draws = low + (high - low) * _random.uniform(count, np.float64, generator)
    chance = np.exp((nearest**2 - draws**2) / 2)
    return draws[_random.uniform(count, np.float64, generator) < chance]


@takes()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every element to `val`."""
    return _fill(tensor, val, "constant_")


def ones_(tensor: Tensor) -> Tensor:
    """Set every element to 1."""
    return _fill(tensor, 1, "ones_")


def zeros_(tensor: Tensor) -> Tensor:
    """Set every element to 0."""
    return _fill(tensor, 0, "zeros_")


def eye_(tensor: Tensor) -> Tensor:
    """Set a matrix to the identity, so that a linear layer passes its input on.

    >>> import minigrad as torch
    >>> torch.nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got {tensor.ndim}")
    return _fill(tensor, np.eye(*tensor._data.shape), "eye_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Set a convolution's weight so that each input channel comes out unchanged.

    Args: tensor: the weight, 3 to 5 dimensions; groups: each group of outputs passes its own
    inputs, ValueError if the first dimension is not divisible by it.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported, got "
                         f"{tensor.ndim}")
    out, channels, *kernel = tensor._data.shape
    if out % groups:
        raise ValueError(f"dim 0 must be divisible by groups: {out} outputs, {groups} groups")
    zeros_(tensor)
    each = out // groups
    centre = tuple(k // 2 for k in kernel)
    for k in range(min(each, channels)):
        tensor._data[(slice(k, None, each), k, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs an output has, and how many outputs an input has."""
    shape = tensor._data.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 "
                         f"dimensions: got shape {list(shape)}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {', '.join(modes)}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0,
                    generator: Generator | None = None) -> Tensor:
    """Draw from U(-l, l), l = gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    limit = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return _fill(tensor, _uniform(tensor, -limit, limit, generator), "xavier_uniform_")


def xavier_normal_(tensor: Tensor, gain: float = 1.0,
                   generator: Generator | None = None) -> Tensor:
    """Draw from N(0, s^2), s = gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    std = gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return _fill(tensor, _normal(tensor, 0, std, generator), "xavier_normal_")


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """Return gain / sqrt(fan); None, with a warning, for a tensor without elements."""
    if 0 in tensor._data.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Draw from U(-l, l), l = gain * sqrt(3 / fan) (He et al. 2015).

    Args: a: the slope of leaky_relu; mode: 'fan_in' keeps the variance of the forward pass,
    'fan_out' that of the backward pass; nonlinearity: see `calculate_gain`.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    limit = math.sqrt(3) * std
    return _fill(tensor, _uniform(tensor, -limit, limit, generator), "kaiming_uniform_")


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Draw from N(0, s^2), s = gain / sqrt(fan) (He et al. 2015); see `kaiming_uniform_`."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    return _fill(tensor, _normal(tensor, 0, std, generator), "kaiming_normal_")


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with `gain` times a (semi-)orthogonal matrix, uniform over all of them (Saxe 2013).

    Dimensions after the first count as one. ValueError below two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got {tensor.ndim}")
    if not tensor._data.size:
        return tensor
    rows = len(tensor._data)
    shape = (rows, tensor._data.size // rows)
    draws = _random.normal(shape, np.float64, generator)
    q, r = np.linalg.qr(draws if shape[0] >= shape[1] else draws.T)
    q = q * np.sign(np.diag(r))  # else QR's sign convention would bias the distribution
    q = q if shape[0] >= shape[1] else q.T
    return _fill(tensor, gain * q.reshape(tensor._data.shape), "orthogonal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01,
            generator: Generator | None = None) -> Tensor:
    """Draw a matrix from N(0, std^2) with a share `sparsity` of each column zero (Martens 2010)."""
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got {tensor.ndim}")
    rows, columns = tensor._data.shape
    zeros = math.ceil(sparsity * rows)
    values = _normal(tensor, 0, std, generator)
    for column in range(columns):
        values[_random.permutation(rows, generator)[:zeros], column] = 0
    return _fill(tensor, values, "sparse_")


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function under its old name, without the underscore: it warns."""
    new = function.__name__
    old = new[:-1]

    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
                      FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    update_wrapper(renamed, function)
    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Do what `{new}` does, with a warning: the old name."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
