"""Fold a batch normalisation in eval mode into the layer before it: one layer, the same function.

With s = weight / sqrt(running_var + eps):  (W x + b - running_mean) s + bias = (s W) x + b'.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ...ops.fill import ones_like, zeros_like
from ...ops.special import rsqrt
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval",
           "fuse_linear_bn_weights"]

M = TypeVar("M", bound=Module)


def _fuse(weight: Tensor, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float,
          bn_w: Tensor | None, bn_b: Tensor | None,
          shape: list[int]) -> tuple[Parameter, Parameter]:
    """Return the fused weight, scaled along the dimension that is -1 in `shape`, and bias."""
    kind = weight.dtype if bias is None else bias.dtype
    b = zeros_like(mean) if bias is None else bias
    scale = rsqrt(var + eps) * (ones_like(mean) if bn_w is None else bn_w)
    shift = zeros_like(mean) if bn_b is None else bn_b
    fused_w = (weight * scale.reshape(shape)).to(weight.dtype)
    fused_b = ((b - mean) * scale + shift).to(kind)
    return (Parameter(fused_w.detach(), weight.requires_grad),
            Parameter(fused_b.detach(), b.requires_grad))


def fuse_conv_bn_weights(conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor,
                         bn_eps: float, bn_w: Tensor | None, bn_b: Tensor | None,
                         transpose: bool = False) -> tuple[Parameter, Parameter]:
    """Return the weight and bias of a convolution followed by a batch normalisation.

    Args: the convolution's, the normalisation's running mean and variance, eps, weight and bias
    (None: 0 or 1); transpose: the weight is a transposed convolution's (without groups).
    """
    ones = [1] * (conv_w.ndim - 2)
    return _fuse(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b,
                 [1, -1, *ones] if transpose else [-1, 1, *ones])


def fuse_linear_bn_weights(linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor,
                           bn_rv: Tensor, bn_eps: float, bn_w: Tensor,
                           bn_b: Tensor) -> tuple[Parameter, Parameter]:
    """Return the weight and bias of a linear layer followed by a batch normalisation."""
    return _fuse(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _check(layer: Module, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval! Call .eval() on both first: in training the "
                             "batch statistics change with every input")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv: M, bn: Any, transpose: bool = False) -> M:
    """Return a copy of a convolution that also does the batch normalisation after it.

    Args: conv; bn: its running statistics are used; transpose: for ConvTranspose layers.
    AssertionError in training mode or without statistics.

    >>> import minigrad as torch
    >>> conv, bn = torch.nn.Conv2d(3, 4, 3).eval(), torch.nn.BatchNorm2d(4).eval()
    >>> x = torch.randn(1, 3, 5, 5)
    >>> torch.allclose(torch.nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6)
    True
    """
    _check(conv, bn)
    fused: Any = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose)
    result: M = fused
    return result


def fuse_linear_bn_eval(linear: M, bn: Any) -> M:
    """Return a copy of a linear layer that also does the batch normalisation after it.

    The normalisation must have as many features as the layer has outputs, or 1; AssertionError
    otherwise, in training mode or without statistics.
    """
    _check(linear, bn)
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(f"To fuse, linear.out_features == bn.num_features or "
                             f"bn.num_features == 1, got linear.out_features="
                             f"{linear.out_features} and bn.num_features={bn.num_features}")
    fused: Any = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    result: M = fused
    return result
