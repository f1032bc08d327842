"""Dropout: random zeros during training, scaled so that the mean is kept.

All take `generator=`, a `Generator` to draw from instead of the default one.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check, _random, views
from .._hints import hint, hints
from .._quiet import quietly_by_rows
from ..engine import op
from ..kernels._blocks import LONG
from ..modes import state
from .shape import squeeze, unsqueeze

ndarray = np.ndarray
ALPHA = 1.7580993408473766  # selu's limit for large negative inputs, sign changed: scale * alpha


def _kept(input: ndarray, p: float, shape: tuple[int, ...], generator: Any) -> ndarray:
    """Return a random mask that is True with probability 1 - p."""
    if input.dtype.kind != "f":
        raise RuntimeError(f"dropout: result type Float can't be cast to {input.dtype}: scaling by "
                           f"1 / (1 - p) needs a floating point input; convert with .float()")
    return _random.bernoulli(shape, 1 - p, generator)


def _noise(input: ndarray, p: float, shape: tuple[int, ...], generator: Any) -> ndarray:
    """Return the factors: 0 with probability p, else 1 / (1 - p)."""
    if p == 1:
        return np.zeros((), input.dtype)
    noise = _kept(input, p, shape, generator).astype(input.dtype)
    noise *= np.array(1 / (1 - p), input.dtype)  # numbers are converted more slowly
    return noise


@op(input=lambda g, noise: g * noise, aux="noise", shown="MulBackward0")
def _dropout(input: Any, p: float, generator: Any) -> Any:
    noise = _noise(input, p, input.shape, generator)
    return input * noise, noise


def _by_channels(g: Any, noise: Any) -> Any:
    """Return g * noise, one factor for each channel."""
    if type(g) is ndarray and noise.ndim and g[0, 0].size >= LONG:
        return quietly_by_rows(np.multiply, g, noise)
    return g * noise


@op(input=_by_channels, aux="noise", shown="MulBackward0")
def _feature_dropout(input: Any, p: float, generator: Any) -> Any:
    """One draw for each of the first two dimensions, shared by the others."""
    noise = _noise(input, p, input.shape[:2] + (1,) * (input.ndim - 2), generator)
    return _by_channels(input, noise), noise


@op(input=lambda g, scale: g * scale, aux="scale",
    shown=lambda p: "MulBackward0" if p == 1 else "AddBackward0")
def _alpha_dropout(input: Any, p: float, features: bool, generator: Any) -> Any:
    """Kept elements become a x + b and dropped ones b - a ALPHA: mean 0 and variance 1 stay.

    With scale = a or 0 and b = a p ALPHA both are (x + ALPHA) scale - a (1 - p) ALPHA.
    """
    if p == 1:
        zero = np.zeros((), input.dtype)
        return input * zero, zero
    shape = input.shape[:2] + (1,) * (input.ndim - 2) if features else input.shape
    scale = _kept(input, p, shape, generator).astype(input.dtype)
    a, alpha, end = _affine(p, input.dtype)
    scale *= a
    y = input + alpha
    y *= scale
    y += end
    return y, scale


@lru_cache(maxsize=64)
def _affine(p: float, kind: Any) -> list[ndarray]:
    """Return a, ALPHA and -a (1 - p) ALPHA as arrays: NumPy converts numbers more slowly."""
    a = 1 / math.sqrt((ALPHA**2 * p + 1) * (1 - p))
    return [np.array(value, kind) for value in (a, ALPHA, a * ALPHA * (p - 1))]


def check_p(p: float) -> None:
    """Refuse anything but a probability."""
    _check.number(p, "dropout", "p")
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout: p is the probability of dropping an element and must be "
                         f"between 0 and 1, but got {p}")
    if p != p:
        raise RuntimeError("dropout: p must be a probability between 0 and 1, but got nan")


def _run(function: Any, input: Any, p: float, training: bool, inplace: bool, *options: Any) -> Any:
    """Apply one of the ops, or return the input itself where nothing can be dropped."""
    check_p(p)
    _check.tensor(input, "dropout")
    if not training or p == 0 or not input._data.size:
        return input
    if hints.on and not state.grad:
        hint("dropout", "dropout is active under no_grad: results are random. Call model.eval() "
             "(or use `with model.evaluating():`) unless that is wanted.", stacklevel=4)
    if inplace:
        return views.inplace(function, (input, p, *options))
    return function(input, p, *options)


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *,
            generator: Any = None) -> Any:
    """Zero each element with probability p and scale the others by 1 / (1 - p).

    Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.
    `training=False` or p=0 returns the input itself, p=1 zeros. ValueError unless 0 <= p <= 1. As a
    function it is on by default: pass `training=self.training` inside a module.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.dropout(torch.ones(1000), 0.25)
    >>> sorted(set(y.tolist()))
    [0.0, 1.3333333730697632]
    """
    return _run(_dropout, input, p, training, inplace, generator)


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *,
              generator: Any = None) -> Any:
    """Zero whole channels of (N, C, L) or (C, L) with probability p, scaling the others.

    Tompson et al., Efficient Object Localization Using Convolutional Networks, 2015. RuntimeError
    for other numbers of dimensions.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.dropout1d(torch.ones(1, 4, 6))
    >>> bool((y == y[:, :, :1]).all())
    True
    """
    check_p(p)
    if _dims("dropout1d", input) not in (2, 3):
        raise RuntimeError(f"dropout1d: expected (N, C, L) or (C, L), got {input.ndim} dimensions "
                           f"(input shape {tuple(input.shape)})")
    return channels(input, p, training, inplace, generator, input.ndim == 2)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *,
              batched: bool | None = None, generator: Any = None) -> Any:
    """Zero whole channels of (N, C, H, W) with probability p, scaling the others.

    As in PyTorch, 3-d input is taken for (N, C, L) and warns, and other shapes warn. Beyond
    PyTorch: `batched=True` says that dim 1 holds the channels, `batched=False` that dim 0 does, as
    in (C, H, W); both silence the warning.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.dropout2d(torch.ones(4, 5, 6), batched=False)
    >>> bool((y == y[:, :1, :1]).all())
    True
    """
    check_p(p)
    if batched is None and _dims("dropout2d", input) != 4:
        if input.ndim == 3:
            warnings.warn(
                f"dropout2d: 3-d input of shape {tuple(input.shape)} is taken for (N, C, L): one "
                f"draw per dim 1. This behavior may change to (C, H, W): use dropout1d, or say "
                f"batched=True or batched=False.", stacklevel=2)
        else:
            _warn_rank("dropout2d", input, "(N, C, H, W)")
    return channels(input, p, training, inplace, generator, batched is False)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *,
              generator: Any = None) -> Any:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability p.

    Shapes that are neither warn, as in PyTorch; only 5-d input is taken as batched.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.dropout3d(torch.ones(2, 3, 4, 4, 4))
    >>> bool((y == y[:, :, :1, :1, :1]).all())
    True
    """
    check_p(p)
    if _dims("dropout3d", input) not in (4, 5):
        _warn_rank("dropout3d", input, "(N, C, D, H, W) or (C, D, H, W)")
    return channels(input, p, training, inplace, generator, input.ndim != 5)


def _dims(name: str, input: Any) -> int:
    if not hasattr(input, "ndim"):
        raise AttributeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                             f"{type(input).__name__}; {_check.remedy(input)}")
    return int(input.ndim)


def _warn_rank(name: str, input: Any, expected: str) -> None:
    warnings.warn(f"{name}: got {input.ndim}-d input of shape {tuple(input.shape)}, expected "
                  f"{expected}. This is deprecated: use dropout for single elements.",
                  stacklevel=3)


def channels(input: Any, p: float, training: bool, inplace: bool, generator: Any,
             add_batch: bool) -> Any:
    """Drop whole channels; `add_batch` says that dim 0 holds them, not dim 1."""
    x = unsqueeze(input, 0) if add_batch else input
    if x.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input: a batch "
                           f"and a channel dimension, got shape {tuple(input.shape)}")
    y = _run(_feature_dropout, x, p, training, inplace, generator)
    if not add_batch:
        return y
    return input if inplace else squeeze(y, 0)


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False, *,
                  generator: Any = None) -> Any:
    """Set each element to selu's negative limit with probability p; keep mean 0 and variance 1.

    Klambauer et al., Self-Normalizing Neural Networks, 2017. Dropped elements become b - a alpha',
    kept ones a x + b; alpha' = 1.7581, a = ((1 - p)(1 + p alpha'^2))^-1/2, b = a p alpha'. Mean and
    variance stay only if they were 0 and 1. Off by default, unlike `dropout`.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.alpha_dropout(torch.zeros(1000), 0.5, training=True)
    >>> sorted({round(v, 4) for v in y.tolist()})
    [-0.7792, 0.7792]
    """
    return _run(_alpha_dropout, input, p, training, inplace, False, generator)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False,
                          inplace: bool = False, *, generator: Any = None) -> Any:
    """`alpha_dropout` of whole channels (dim 1): one draw for each sample and channel.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.feature_alpha_dropout(torch.ones(2, 3, 4), training=True)
    >>> bool((y == y[:, :, :1]).all())
    True
    """
    check_p(p)
    if training and _check.tensor(input, "feature_alpha_dropout").ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input: a batch "
                           f"and a channel dimension, got shape {tuple(input.shape)}")
    return _run(_alpha_dropout, input, p, training, inplace, True, generator)
