"""Normalisation: subtract a mean, divide by a standard deviation, scale and shift.

The norms differ in the elements that share a mean: all of a channel (batch), of a channel of one
sample (instance), of a group of channels of one sample (group), of the last dimensions (layer).
All use the biased variance, and `eps` keeps constant inputs finite (and the result's variance a
little below 1). Each is one fused op; its `reference` is the formula.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check, views
from .._check import floats, takes
from ..engine import op
from ..kernels import _small_images as small
from ..kernels import norm as kernels
from ..modes import state
from .elementwise import sqrt
from .reduce import mean as average
from .shape import reshape, view

ndarray = np.ndarray
Ints = tuple[int, ...]


# ---------------------------------------------------------------------------------- references
def _standardised(x: Any, dims: Any, eps: float) -> Any:
    centred = x - average(x, dims, True)
    return centred / sqrt(average(centred * centred, dims, True) + eps)


def _affine(y: Any, weight: Any, bias: Any) -> Any:
    """Return y * weight + bias, where either may be missing."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _per_channel(x: Any, value: Any) -> Any:
    """Return (C,) as (C, 1, ...), which multiplies the channels of x (N, C, ...)."""
    return value if value is None else view(value, (-1, *(1,) * (x.ndim - 2)))


def _batch_reference(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    y = _standardised(input, (0, *range(2, input.ndim)), eps)
    return _affine(y, _per_channel(y, weight), _per_channel(y, bias))


def _frozen_reference(input: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: float) -> Any:
    y = (input - _per_channel(input, mean)) / _per_channel(input, sqrt(var + eps))
    return _affine(y, _per_channel(y, weight), _per_channel(y, bias))


def _group_reference(input: Any, num_groups: int, weight: Any, bias: Any, eps: float) -> Any:
    size = math.prod(input.shape[1:]) // num_groups
    groups = reshape(input, (input.shape[0], num_groups, size))
    y = reshape(_standardised(groups, -1, eps), input.shape)
    return _affine(y, _per_channel(y, weight), _per_channel(y, bias))


# ------------------------------------------------------------------------------------ fused ops
@op(input=None, weight=None, bias=None, also="mean var", smooth="centred statistics",
    reference=_batch_reference, shown="NativeBatchNormBackward0")
def _batch_norm(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Normalise by the batch's own statistics; also return mean and unbiased variance."""
    found = small.normalise(input, None, weight, bias, eps)
    if found is None:
        centred = None
        y, statistics, mean, var = kernels.batch_norm(input, weight, bias, eps)
    else:
        y, centred, statistics, mean, var = found
    count = input.size // max(len(mean), 1)
    return y, mean, var * (count / (count - 1) if count > 1 else math.nan), centred, statistics


@_batch_norm.fused
def _(g: Any, input: Any, weight: Any, centred: Any, statistics: Any, needs: Any) -> Any:
    # with xhat = (x - mean) / std: dw = sum g xhat, db = sum g and, because mean and std depend on
    # x, dx = w / std (g - mean(g) - xhat mean(g xhat))
    if centred is not None:
        return small.gradients(g, None, centred, statistics, weight, needs)
    return kernels.batch_norm_backward(g, input, statistics, weight, needs)


@op(input=None, weight=None, bias=None, reference=_frozen_reference,
    shown=lambda instance: "ViewBackward0" if instance else "NativeBatchNormBackward0")
def _frozen_norm(input: Any, weight: Any, bias: Any, mean: ndarray, var: ndarray, eps: float,
                 instance: bool = False) -> Any:
    """Normalise by given statistics, which are plain arrays: constants."""
    return kernels.frozen_norm(input, mean, var, weight, bias, eps)


@_frozen_norm.fused
def _(g: Any, input: Any, weight: Any, mean: Any, var: Any, eps: float, needs: Any) -> Any:
    # mean and std are constants: dx = g w / std, dw = sum g (x - mean) / std, db = sum g
    return kernels.frozen_norm_backward(g, input, mean, var, weight, eps, needs)


@op(input=None, weight=None, bias=None, smooth="centred statistics", reference=_group_reference,
    shown=lambda instance: "ViewBackward0" if instance else "NativeGroupNormBackward0")
def _group_norm(input: Any, num_groups: int, weight: Any, bias: Any, eps: float,
                instance: bool = False) -> Any:
    found = small.normalise(input, num_groups, weight, bias, eps)
    if found is not None:
        return found[:3]
    y, statistics = kernels.group_norm(input, num_groups, weight, bias, eps)
    return y, None, statistics


@_group_norm.fused
def _(g: Any, input: Any, num_groups: int, weight: Any, centred: Any, statistics: Any,
      needs: Any) -> Any:
    # as batch norm's, with the means of one group of channels of one sample
    if centred is not None:
        return small.gradients(g, num_groups, centred, statistics, weight, needs)
    return kernels.group_norm_backward(g, input, num_groups, statistics, weight, needs)


# ------------------------------------------------------------------------ the public functions
def _check_channels(where: str, x: Any, **values: Any) -> None:
    """Refuse parameters and buffers that do not hold one number per channel."""
    data = x._data
    shape, dtype = data.shape[1:2], data.dtype
    for value in values.values():
        if value is not None and (value._data.shape != shape or value._data.dtype is not dtype):
            break
    else:
        if dtype.kind == "f":  # all is as usual
            return
    floats(where, data)
    for name, value in values.items():
        if value is None:
            continue
        if value._data.shape != shape:
            raise RuntimeError(
                f"{where}: expected {value._data.size} channels in dim 1 of the input, because "
                f"{name} has the shape {tuple(value.shape)}, got {x.shape[1]} (input shape "
                f"{tuple(x.shape)})")
        _check_dtype(where, name, value, x)


def _check_dtype(where: str, name: str, value: Any, x: Any) -> None:
    """Parameters have the input's dtype; those of a float16 input may be float32."""
    found, wanted = value._data.dtype, x._data.dtype
    if found is not wanted and found != wanted and not (
            wanted == np.float16 and found == np.float32):
        raise RuntimeError(f"{where}: mixed dtype: expected {name} of dtype {x.dtype} as the input,"
                           f" got {value.dtype}; convert one of them")


def _check_mixed(where: str, x: Any, weight: Any) -> None:
    """Integers with float parameters are of the wrong dtype first, then not supported."""
    if weight is not None and x._data.dtype.kind != "f":
        _check_dtype(where, "weight", weight, x)


@takes("input", "running_mean?", "running_var?", "weight", "bias", error=AttributeError)
def batch_norm(input: Any, running_mean: Any, running_var: Any, weight: Any = None,
               bias: Any = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Any:
    """Return (x - mean) / sqrt(var + eps) * weight + bias with mean and variance per channel.

    Ioffe & Szegedy, Batch Normalization, 2015. In training they are the batch's own (biased)
    statistics, and the running ones become (1 - momentum) * old + momentum * batch, with the
    unbiased variance; else the running ones are used. Channels are dim 1. ValueError if training
    has one value per channel: use a larger batch, or eval() for a single sample.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1.], [3.]])
    >>> torch.nn.functional.batch_norm(x, None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    _check_batch(input, running_mean, running_var, weight, bias, training, eps)
    if not training:
        return _frozen_norm(input, weight, bias, running_mean._data.copy(),
                            running_var._data.copy(), eps)
    y, mean, var = _batch_norm(input, weight, bias, eps)
    if running_mean is not None and input._data.size:
        _check.number(momentum, "batch_norm", "momentum")
        if state.levels:
            _check.batched_alike(running_mean, input)
        blend(running_mean, mean._data, momentum)
        blend(running_var, var._data, momentum)
    return y


def _check_batch(input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any,
                 training: bool, eps: float) -> None:
    _check.number(eps, "batch_norm", "eps")
    if not training:
        for name, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is None:
                raise RuntimeError(f"batch_norm: {name} must be given in evaluation mode; or use "
                                   f"training=True, which takes the batch's statistics")
        if eps < 0:
            raise ValueError(f"batch_norm: eps must not be negative, but got {eps}")
    shape = input._data.shape
    if len(shape) < 2:
        raise IndexError(f"batch_norm: Dimension out of range: channels are dim 1, but the input "
                         f"has the shape {tuple(input.shape)}")
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm: give both running_mean and running_var, or neither")
    if training:
        if input._data.size == shape[1] and input._data.size:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size "
                f"{list(shape)}: the variance of one value is 0. Use a larger batch "
                f"(drop_last=True in the DataLoader), eval() mode, or another norm such as "
                f"LayerNorm or GroupNorm")
        if eps <= 0:
            raise ValueError(f"batch_norm: eps must be positive during training, but got {eps}")
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var,
                    weight=weight, bias=bias)


@lru_cache(maxsize=32)
def _shares(momentum: float) -> tuple[ndarray, ndarray]:
    """Return the shares of the old value and the batch, as arrays: NumPy takes numbers slowly."""
    return np.array(1.0 - momentum), np.array(float(momentum))


def blend(running: Any, batch: ndarray, momentum: float) -> None:
    """Move a running statistic towards the batch's, in place, rounded once."""
    old, new = _shares(float(momentum))
    moved = batch * new
    moved += running._data * old
    running._data[...] = moved
    views.wrote(running, "batch_norm")


@takes("input", "running_mean?", "running_var?", "weight", "bias", error=AttributeError)
def instance_norm(input: Any, running_mean: Any = None, running_var: Any = None,
                  weight: Any = None, bias: Any = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-5) -> Any:
    """Return `batch_norm` of each sample on its own: mean and variance over dims 2, 3, ...

    Ulyanov et al., Instance Normalization, 2016. Running statistics, where given, move towards the
    mean over the samples of their statistics, and are used if `use_input_stats` is False.
    ValueError if the input has one value per channel and sample.

    >>> import minigrad as torch
    >>> torch.nn.functional.instance_norm(torch.tensor([[[1., 3.], [5., 9.]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    shape = input._data.shape
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size "
                         f"{list(shape)}: instance_norm takes the variance over dims 2, 3, ...")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("instance_norm: Expected running_mean and running_var to be given when "
                           "use_input_stats is False")
    _check.number(eps, "instance_norm", "eps")
    if (running_mean is None) != (running_var is None):
        raise ValueError("instance_norm: give both running_mean and running_var, or neither")
    _check_channels("instance_norm", input, running_mean=running_mean, running_var=running_var,
                    weight=weight, bias=bias)
    if not use_input_stats:
        return _frozen_norm(input, weight, bias, running_mean._data.copy(),
                            running_var._data.copy(), eps, True)
    y = _group_norm(input, shape[1], weight, bias, eps, True)
    if running_mean is not None and input._data.size:
        _check.batched_alike(running_mean, input)
        rows = input._data.reshape(*shape[:2], -1)
        rows = rows.astype(np.float64, copy=False)
        blend(running_mean, rows.mean((0, 2)), momentum)
        blend(running_var, rows.var(2, ddof=1).mean(0), momentum)
    return y


@takes("input", "weight", "bias", error=AttributeError)
def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Any:
    """Normalise each sample's channels (dim 1) in `num_groups` groups of neighbours.

    Wu & He, Group Normalization, 2018. weight and bias: (C,). With one group per channel it is
    instance_norm, with one group all of a sample shares its mean. RuntimeError if num_groups does
    not divide the number of channels.

    >>> import minigrad as torch
    >>> torch.nn.functional.group_norm(torch.tensor([[1., 3., 5., 9.]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    shape = input._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"group_norm: Expected at least 2 dimensions, (N, C, ...), got the "
                           f"input shape {shape}")
    if num_groups == 0:
        raise ZeroDivisionError("group_norm: num_groups must not be 0; 1 is one group of all "
                                "channels")
    if num_groups < 0:
        raise RuntimeError(f"group_norm: Expected num_groups to be greater than 0, got "
                           f"{num_groups}")
    if shape[0] * shape[1] // num_groups == 1 and math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size "
                         f"{list(shape)}: each of the {num_groups} groups has a single value")
    if shape[1] % num_groups:
        raise RuntimeError(f"group_norm: num_groups={num_groups} must divide the number of channels"
                           f", {shape[1]} in dim 1 of the input shape {shape}")
    _check.number(eps, "group_norm", "eps")
    _check_mixed("group_norm", input, weight)
    _check_channels("group_norm", input, weight=weight, bias=bias)
    return _group_norm(input, num_groups, weight, bias, eps)
