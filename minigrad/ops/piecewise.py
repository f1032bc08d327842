"""Piecewise linear activations: relu and its relatives, the hard ones, the shrinking ones.

Their slopes are constant between the kinks. At a kink each has the slope that PyTorch chose: 0 for
relu, the lower one for leaky_relu.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _random, views
from .._check import floats
from ..engine import op
from ..kernels import activation
from ..kernels.select import either
from .choose import _where as where
from .shape import view

ndarray = np.ndarray


# ------------------------------------------------------------------------- building blocks
@op(value=lambda g, by, slope: bend(g, by, slope), by=None,
    slope=lambda g, value, by: where(by > 0, 0.0, g * value), shown="LeakyReluBackward0")
def bend(value: Any, by: Any, slope: Any) -> Any:
    """Return `value` where `by` is positive, else `slope * value`."""
    return either(by > 0, value, value * slope)


# ------------------------------------------------------------------------- the relu family
def _stopped(g: Any, y: Any) -> Any:
    """Return the gradient with zeros where y <= 0: at once on arrays, as an op else."""
    return activation.relu_backward(g, y) if type(g) is ndarray else where(y <= 0, 0.0, g)


def _relu_in_place(input: ndarray) -> None:
    if input.dtype.kind == "f":
        activation.relu(input, out=input)
    else:
        input[...] = relu.op.forward(input)  # type: ignore[attr-defined]


@op(input=_stopped, mutate=_relu_in_place)
def relu(input: Any) -> Any:
    """Return max(input, 0), elementwise; nan stays nan and the slope at 0 is 0.

    Nair & Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010. A unit whose
    inputs are all negative has no gradient and cannot recover: see `leaky_relu`.

    >>> import minigrad as torch
    >>> torch.relu(torch.tensor([-1., 0., 2.]))
    tensor([0., 0., 2.])
    """
    kind = input.dtype.kind
    if kind == "f":
        return activation.relu(input)
    if kind == "b":
        raise RuntimeError("relu: a bool tensor has no negative values; convert with .float()")
    return np.maximum(input, 0)


def _clip(name: str, input: Any, low: float, high: float) -> Any:
    if input.dtype.kind == "b":
        raise RuntimeError(f"{name}: got a bool tensor; convert with .float()")
    if input.dtype.kind == "u" and (low < 0 or high < 0):
        raise RuntimeError(f"{name}: a limit is negative ({low}, {high}), but {input.dtype} is "
                           f"unsigned; convert with .float()")
    return np.clip(input, input.dtype.type(low), input.dtype.type(high))


@op(input=lambda g, input, min_val, max_val: where((input <= min_val) | (input >= max_val), 0.0, g))
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return the input clipped to [min_val, max_val]; the slope is 0 at and beyond the limits.

    ValueError if min_val > max_val. Unlike `clamp`, the limits themselves pass no gradient.

    >>> import minigrad as torch
    >>> torch.nn.functional.hardtanh(torch.tensor([-3., 0.5, 3.]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: expected min_val <= max_val, got min_val={min_val} and "
                         f"max_val={max_val}")
    return _clip("hardtanh", input, min_val, max_val)


@op(input=lambda g, input: where((input <= 0) | (input >= 6), 0.0, g), shown="HardtanhBackward0")
def relu6(input: Any) -> Any:
    """Return min(max(input, 0), 6).

    Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010.

    >>> import minigrad as torch
    >>> torch.nn.functional.relu6(torch.tensor([-1., 3., 8.]))
    tensor([0., 3., 6.])
    """
    return _clip("relu6", input, 0, 6)


@op(input=lambda g, input, negative_slope: bend(g, input, negative_slope))
def leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """Return `input` where it is positive, else `negative_slope * input`.

    Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013.

    >>> import minigrad as torch
    >>> torch.nn.functional.leaky_relu(torch.tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    floats("leaky_relu", input)
    if 0 < negative_slope <= 1:
        return np.maximum(input, input * negative_slope)
    return either(input > 0, input, input * negative_slope)


def _prelu_input(g: Any, input: Any, weight: Any) -> Any:
    if type(g) is ndarray:
        return activation.prelu_backward(g, input, weight)
    return bend(g, input, _column(weight, input.ndim))


def _prelu_weight(g: Any, input: Any, weight_shape: Any) -> Any:
    if type(g) is ndarray:
        return activation.prelu_weight(g, input, weight_shape)
    products = where(input > 0, 0.0, g * input)
    if products.ndim > 1:
        products = products.sum([i for i in range(products.ndim) if i != 1])
    return products.sum_to_size(weight_shape) if products.ndim else products.reshape(weight_shape)


def _column(weight: Any, ndim: int) -> Any:
    """Return weights, one or one for each of dimension 1, so that they broadcast."""
    return view(weight, (-1, *(1,) * (ndim - 2))) if ndim > 2 and weight.ndim else weight


@op(input=_prelu_input, weight=_prelu_weight)
def _prelu_kernel(input: Any, weight: Any) -> Any:
    return activation.prelu(input, weight)


def prelu(input: Any, weight: Any) -> Any:
    """Return `input` where it is positive, else `weight * input` with a learnable weight.

    He et al., Delving Deep into Rectifiers, 2015. `weight` holds one number, or one per channel
    (dim 1 of the input); anything else raises RuntimeError.

    >>> import minigrad as torch
    >>> torch.prelu(torch.tensor([-2., 2.]), torch.tensor([0.25]))
    tensor([-0.5000,  2.0000])
    """
    x = _check.tensor(input, "prelu")._data
    w = _check.tensor(weight, "prelu", "weight", 2)._data
    if x.dtype != w.dtype:
        raise RuntimeError(f"prelu: expected a weight of the input's dtype {input.dtype}, got "
                           f"{weight.dtype}; convert one of them")
    if w.ndim > 1:
        raise RuntimeError(f"prelu: expected a weight of 0 or 1 dimensions, got {w.ndim}")
    if w.ndim and w.shape[0] != 1:
        channels = 1 if x.ndim < 2 else x.shape[1]
        if w.shape[0] != channels:
            raise RuntimeError(f"prelu: expected 1 weight, or 1 per channel (dim 1 of the input, "
                               f"size {channels}), got {w.shape[0]} for the input shape "
                               f"{list(x.shape)}")
    return _prelu_kernel(input, weight)


@op(input=lambda g, noise: g * noise, aux="noise")
def _rrelu_with_noise(input: Any, lower: float, upper: float, training: bool,
                      generator: Any) -> Any:
    if not training:
        noise = np.where(input > 0, input.dtype.type(1), input.dtype.type((lower + upper) / 2))
        return input * noise, noise
    noise = _random.uniform(input.shape, input.dtype, generator)
    noise *= upper - lower
    noise += lower
    noise[input > 0] = 1
    return input * noise, noise


def rrelu(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
          inplace: bool = False, *, generator: Any = None) -> Any:
    """Return leaky_relu with a slope drawn from [lower, upper) for each negative element.

    Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network, 2015. Outside
    of training the slope is (lower + upper) / 2. RuntimeError if lower > upper.

    >>> import minigrad as torch
    >>> torch.nn.functional.rrelu(torch.tensor([-1., 2.]), 0.1, 0.3)
    tensor([-0.2000,  2.0000])
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: expected lower <= upper, got lower={lower}, upper={upper}")
    floats("rrelu", _check.tensor(input, "rrelu")._data)
    args = (input, lower, upper, training, generator)
    return views.inplace(_rrelu_with_noise, args) if inplace else _rrelu_with_noise(*args)


# ---------------------------------------------------------------------------- the hard ones
@op(input=lambda g, input: where((input > -3) & (input < 3), g / 6, 0.0))
def hardsigmoid(input: Any) -> Any:
    """Return min(max(input + 3, 0), 6) / 6: sigmoid in three straight pieces.

    >>> import minigrad as torch
    >>> torch.nn.functional.hardsigmoid(torch.tensor([-4., 0., 4.]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    floats("hardsigmoid", input)
    return np.clip(input + 3, 0, 6) / 6


@op(input=lambda g, input: where(input <= -3, 0.0, where(
    input < 3, g * (input / 3 + 0.5), g)))
def hardswish(input: Any) -> Any:
    """Return input * min(max(input + 3, 0), 6) / 6.

    Howard et al., Searching for MobileNetV3, 2019.

    >>> import minigrad as torch
    >>> torch.nn.functional.hardswish(torch.tensor([-4., 1., 4.]))
    tensor([-0.0000, 0.6667, 4.0000])
    """
    floats("hardswish", input)
    gate = np.clip(input + 3, 0, 6)
    gate /= 6
    return input * gate


@op(input=lambda g, input, threshold: where(input <= threshold, 0.0, g))
def threshold(input: Any, threshold: float, value: float) -> Any:
    """Return `input` where it is greater than `threshold`, else `value`.

    >>> import minigrad as torch
    >>> torch.nn.functional.threshold(torch.tensor([0.1, 2.]), 1.0, -7.0)
    tensor([-7.,  2.])
    """
    if input.dtype.kind == "b":
        raise NotImplementedError("threshold() is not implemented for bool; convert with .float()")
    _check.number(threshold, "threshold", "threshold")
    _check.number(value, "threshold", "value")
    return np.where(input <= threshold, input.dtype.type(value), input)


# ------------------------------------------------------------------------- the shrinking ones
@op(input=lambda g, input, lambd: where((input >= -lambd) & (input <= lambd), 0.0, g))
def hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """Return `input` where its magnitude is greater than `lambd`, else 0.

    >>> import minigrad as torch
    >>> torch.hardshrink(torch.tensor([-1., 0.3, 1.]))
    tensor([-1.,  0.,  1.])
    """
    floats("hardshrink", input)
    return np.where((input >= -lambd) & (input <= lambd), input.dtype.type(0), input)


@op(input=lambda g, input, lambd: where((input >= -lambd) & (input <= lambd), 0.0, g))
def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """Return `input` moved towards 0 by `lambd`, and 0 where its magnitude is smaller.

    RuntimeError if lambd is negative.

    >>> import minigrad as torch
    >>> torch.nn.functional.softshrink(torch.tensor([-1., 0.3, 1.]))
    tensor([-0.5000,  0.0000,  0.5000])
    """
    floats("softshrink", input)
    if not lambd >= 0:
        raise RuntimeError(f"softshrink: expected lambd >= 0, got {lambd}")
    return input - np.clip(input, -lambd, lambd)
