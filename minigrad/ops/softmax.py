"""Softmax and its relatives: numbers become shares that sum to 1 along one dimension."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import _check, _random
from .._check import floats
from ..engine import op, wrap
from ..kernels import softmax as kernel
from ._operands import with_out
from .elementwise import exp
from .reduce import sum

ndarray = np.ndarray


def _axis(dim: Any, ndim: int) -> int:
    """Return the dimension as an axis, after checking it."""
    return _check.dim(dim if type(dim) is int else _check.integer(dim, "dim"), ndim)


# Both slopes are linear in `slope`, and ops of their own: one pass, rounded once in half precision.
@op(slope=lambda g, share, dim: _softmax_slope(g, share, dim),
    share=lambda g, slope, share, dim: g * (slope - sum(slope * share, dim, True))
    - slope * sum(g * share, dim, True))
def _softmax_slope(slope: Any, share: Any, dim: int) -> Any:
    """Return share * (slope - sum(slope * share)): the gradient of softmax's input."""
    return kernel.softmax_backward(slope, share, dim)


@op(slope=lambda g, logs, dim: g - sum(g * exp(logs), dim, True),
    logs=lambda g, slope, logs, dim: -g * exp(logs) * sum(slope, dim, True))
def _log_softmax_slope(slope: Any, logs: Any, dim: int) -> Any:
    """Return slope - exp(logs) * sum(slope): the gradient of log_softmax's input."""
    return kernel.log_softmax_backward(slope, logs, dim)


def _softmax_rule(g: Any, y: Any, dim: int) -> Any:
    return (kernel.softmax_backward if type(g) is ndarray else _softmax_slope)(g, y, dim)


@op(input=_softmax_rule)
def _softmax(input: Any, dim: int) -> Any:
    if input.dtype.kind != "f":
        floats("softmax", input)
    return kernel.softmax(input, _axis(dim, input.ndim))


@op(input=lambda g, y, dim: _log_softmax_slope(g, y, dim))
def _log_softmax(input: Any, dim: int) -> Any:
    floats("log_softmax", input)
    return kernel.log_softmax(input, _axis(dim, input.ndim))


@with_out
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Return exp(input) / sum(exp(input)) along `dim`.

    The maximum is subtracted first, so large inputs do not overflow. `dtype`: convert the input
    first. For a loss use `cross_entropy` on the input itself: the log of a softmax loses digits.

    >>> import minigrad as torch
    >>> torch.softmax(torch.tensor([0., 1., 1000.]), dim=0)
    tensor([0., 0., 1.])
    """
    return _softmax(input if dtype is None else input.to(_check.dtype(dtype, "softmax")), dim)


@with_out
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Return log(softmax(input)) along `dim`, exact also where softmax is 0 in floats.

    >>> import minigrad as torch
    >>> torch.log_softmax(torch.tensor([0., 0., 1000.]), dim=0)
    tensor([-1000., -1000.,     0.])
    """
    return _log_softmax(
        input if dtype is None else input.to(_check.dtype(dtype, "log_softmax")), dim)


def guess_dim(name: str, input: Any, stacklevel: int) -> int:
    """Return the dimension PyTorch takes when none is given: 0 for 0, 1 and 3 dims, else 1."""
    ndim = _check.tensor(input, name).ndim
    dim = 0 if ndim in (0, 1, 3) else 1
    warnings.warn(f"Implicit dimension choice for {name} has been deprecated. Dimension {dim} was "
                  f"taken for {ndim} dimensions: say dim={dim}, or the one you mean.",
                  stacklevel=stacklevel)
    return dim


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10,
                   dim: int = -1, *, generator: Any = None) -> Any:
    """Return softmax((logits + noise) / tau) with Gumbel noise: a sample of softmax(logits).

    Jang et al., Categorical Reparameterization with Gumbel-Softmax, 2016. `hard`: return a one-hot
    sample whose gradient is that of the soft one. `eps` has no effect and warns, as in PyTorch.

    >>> import minigrad as torch
    >>> torch.nn.functional.gumbel_softmax(torch.zeros(2, 5), hard=True).sum(1)
    tensor([1., 1.])
    """
    if eps != 1e-10:
        warnings.warn("gumbel_softmax: eps is deprecated and has no effect; leave it out",
                      stacklevel=2)
    if _check.tensor(logits, "gumbel_softmax", "logits")._data.dtype.kind != "f":
        raise RuntimeError(f"gumbel_softmax: expected floating point logits, got {logits.dtype}; "
                           f"convert with .float()")
    waits = -np.log1p(-_random.uniform(logits.shape, np.float64, generator))  # exponential
    noise = -np.log(np.maximum(waits, np.finfo(np.float64).tiny))
    soft = _softmax((logits + wrap(noise.astype(logits._data.dtype), None)) / tau, dim)
    if not hard:
        return soft
    values = soft._data
    one = np.zeros_like(values)
    np.put_along_axis(one, np.expand_dims(values.argmax(dim), dim), 1, dim)
    return wrap(one, None) - soft.detach() + soft
