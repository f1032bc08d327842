"""The functions behind the layers of `minigrad.nn.extra`; see there for uses and relations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import _check
from ...engine import op, wrap
from ...ops.special import cos, hypot, sin, sinc
from ...tensor import Tensor
from .. import functional as F
from ._common import floats, per_channel, wide
from ._noise import (
    drop_block1d,
    drop_block2d,
    drop_block3d,
    drop_path,
    gaussian_dropout,
    gaussian_noise,
    stochastic_depth,
)
from ._sparse import entmax15_root, sparsemax_op

__all__ = ["adain", "drop_block1d", "drop_block2d", "drop_block3d", "drop_path", "entmax15",
           "gaussian_dropout", "gaussian_noise", "geglu", "global_response_norm", "maxout", "reglu",
           "scale_norm", "snake", "sparsemax", "squared_relu", "squareplus", "standardize_weight",
           "star_relu", "stochastic_depth", "swiglu"]


# -------------------------------------------------------------------------------- activations
def sparsemax(input: Tensor, dim: int = -1) -> Tensor:
    """Return the point of the simplex nearest to the input: softmax with exact zeros.

    p = [z - tau]_+, tau such that sum p = 1. Martins & Astudillo, "From softmax to sparsemax",
    2016. Scores of -inf get 0; a row of -inf alone gives nan, as with softmax.

    >>> import minigrad as torch
    >>> sparsemax(torch.tensor([1.5, 1., -2.]))
    tensor([0.7500, 0.2500, 0.0000])
    """
    return sparsemax_op(_check.tensor(input, "sparsemax"), dim)


def entmax15(input: Tensor, dim: int = -1) -> Tensor:
    """Return entmax with alpha = 1.5: between softmax (alpha 1) and sparsemax (alpha 2).

    p = [z / 2 - tau]_+ ^ 2, tau such that sum p = 1. Peters, Niculae & Martins, "Sparse
    sequence-to-sequence models", 2019. -inf: see `sparsemax`.

    >>> import minigrad as torch
    >>> entmax15(torch.tensor([1.5, 1., -2.]))
    tensor([0.6740, 0.3260, 0.0000])
    """
    root = entmax15_root(_check.tensor(input, "entmax15"), dim)
    return root * root


def _squareplus_rule(g: Any, input: Any, y: Any, b: float) -> Any:
    """f' = (1 + x / h) / 2 = f / h, h = sqrt(x^2 + b): without a difference for x << 0."""
    return g * (y / hypot(input, input * 0 + math.sqrt(b)))


@op(input=_squareplus_rule)
def _squareplus(input: Any, b: float) -> Any:
    _check.floats("squareplus", input)
    half = np.hypot(input, input.dtype.type(math.sqrt(b))) / 2 + np.abs(input) / 2
    # (h + x) / 2 = (b / 4) / ((h - x) / 2), the second form for x < 0
    return np.where(input < 0, input.dtype.type(b / 4) / half, half)


def squareplus(input: Tensor, b: float = 4.0) -> Tensor:
    """Return (x + sqrt(x^2 + b)) / 2, a smooth ReLU without exp.

    Barron, "Squareplus: a softplus-like algebraic rectifier", 2021. b = 4 log(2)^2 gives softplus'
    value at 0. Computed as b / (2 (sqrt(x^2 + b) - x)) below 0, so no digits cancel. ValueError
    unless b > 0 (b = 0 would be ReLU).

    >>> import minigrad as torch
    >>> squareplus(torch.tensor([-1.5, 0., 1.5]))
    tensor([0.5000, 1.0000, 2.0000])
    """
    if not 0 < b < math.inf:
        raise ValueError(f"squareplus: b must be positive, but got {b}; use relu for b = 0")
    return _squareplus(_check.tensor(input, "squareplus"), b)


def squared_relu(input: Tensor) -> Tensor:
    """Return max(0, x)^2. So et al., "Primer: searching for efficient transformers", 2021.

    >>> import minigrad as torch
    >>> squared_relu(torch.tensor([-1., 0., 3.]))
    tensor([0., 0., 9.])
    """
    positive = F.relu(input)
    return positive * positive


def star_relu(input: Tensor, scale: Any = 0.8944271909999159,
              bias: Any = -0.4472135954999579) -> Tensor:
    """Return scale * max(0, x)^2 + bias: mean 0 and variance 1 for standard normal input.

    Yu et al., "MetaFormer baselines for vision", 2022. The defaults are 2 / sqrt(5) and
    -1 / sqrt(5), because E relu(x)^2 = 1/2 and Var relu(x)^2 = 5/4.

    >>> import minigrad as torch
    >>> star_relu(torch.tensor([-1., 0., 1.]))
    tensor([-0.4472, -0.4472,  0.4472])
    """
    return squared_relu(input) * scale + bias


def _snake_alpha(g: Any, input: Any, alpha: Any) -> Any:
    """With w = sin(alpha x) / alpha, which is smooth at 0: 2 x w cos(alpha x) - w^2."""
    angle = input * alpha
    wave = input * sinc(angle / math.pi)
    return g * (wave * (2 * input * cos(angle) - wave))


@op(input=lambda g, input, alpha: g + g * sin(2 * input * alpha), alpha=_snake_alpha,
    explain=_check.broadcast_error)
def _snake(input: Any, alpha: Any) -> Any:
    wave = input * np.sinc(input * alpha / math.pi).astype(input.dtype)  # sin(alpha x) / alpha
    return input + wave * wave * alpha


def snake(input: Tensor, alpha: Any = 1.0) -> Tensor:
    """Return x + sin(alpha x)^2 / alpha, an increasing function with a period.

    Ziyin, Hartwig & Ueda, "Neural networks fail to learn periodic functions and how to fix it",
    2020. alpha: a number or a tensor that broadcasts; at alpha = 0 the limit x is returned.

    >>> import minigrad as torch
    >>> snake(torch.tensor([0., 1.]), 2.)
    tensor([0.0000, 1.4134])
    """
    floats("snake", input)
    if not isinstance(alpha, Tensor):
        alpha = wrap(np.asarray(alpha, input._data.dtype), None)
    return _snake(input, alpha)


def maxout(input: Tensor, pieces: int, dim: int = -1) -> Tensor:
    """Return the largest of each group of `pieces` neighbours along `dim`.

    Goodfellow et al., "Maxout networks", 2013. The size n of `dim` becomes n / pieces
    (RuntimeError if it does not divide). Equal largest values share the gradient.

    >>> import minigrad as torch
    >>> maxout(torch.tensor([1., 2., 6., 3.]), 2)
    tensor([2., 6.])
    """
    dim = _check.dim(dim, _check.tensor(input, "maxout").ndim)
    shape = tuple(input.shape)
    if not shape or pieces < 1 or shape[dim] % pieces:
        raise RuntimeError(f"maxout: pieces={pieces} must divide the size of dim {dim} of the "
                           f"input shape {shape}")
    groups = input.reshape(*shape[:dim], shape[dim] // pieces, pieces, *shape[dim + 1:])
    return groups.amax(dim + 1)


def _halves(name: str, input: Any, dim: int) -> Any:
    dim = _check.dim(dim, _check.tensor(input, name).ndim)
    if not input.ndim or input.shape[dim] % 2:
        raise RuntimeError(f"{name}: Halving dimension must be even, but dim {dim} of the input "
                           f"shape {tuple(input.shape)} is not; make the layer before twice as "
                           f"wide as the result")
    return input.chunk(2, dim)


def reglu(input: Tensor, dim: int = -1) -> Tensor:
    """Return first half * relu(second half) along `dim`; see `swiglu`.

    >>> import minigrad as torch
    >>> reglu(torch.tensor([2., 3., -1., 4.]))
    tensor([ 0., 12.])
    """
    value, gate = _halves("reglu", input, dim)
    return value * F.relu(gate)


def geglu(input: Tensor, dim: int = -1, approximate: str = "none") -> Tensor:
    """Return first half * gelu(second half) along `dim`; see `swiglu`. approximate: see F.gelu.

    >>> import minigrad as torch
    >>> geglu(torch.tensor([2., 3., -1., 4.]))
    tensor([-0.3173, 11.9996])
    """
    value, gate = _halves("geglu", input, dim)
    return value * F.gelu(gate, approximate=approximate)


def swiglu(input: Tensor, dim: int = -1) -> Tensor:
    """Return first half * silu(second half) along `dim`.

    Shazeer, "GLU variants improve Transformer", 2020. As in F.glu the second half is the gate; in
    weights from elsewhere the gate may come first: swap the halves. RuntimeError for odd sizes.

    >>> import minigrad as torch
    >>> swiglu(torch.tensor([2., 3., -1., 4.]))
    tensor([-0.5379, 11.7842])
    """
    value, gate = _halves("swiglu", input, dim)
    return value * F.silu(gate)


# -------------------------------------------------------------------------------------- norms
def adain(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
    """Return `content` with the mean and standard deviation of `style`, per sample and channel.

    y = std(style) * (content - mean) / std(content) + mean(style), std = sqrt(biased var + eps).
    Huang & Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
    2017. Shapes (N, C, *); the sizes after C may differ. RuntimeError otherwise.

    >>> import minigrad as torch
    >>> adain(torch.tensor([[[0., 2.]]]), torch.tensor([[[10., 10., 40., 40.]]]))
    tensor([[[10.0001, 39.9999]]])
    """
    floats("adain", content)
    floats("adain", style)
    if content.ndim < 3 or style.ndim < 3 or content.shape[:2] != style.shape[:2]:
        raise RuntimeError(f"adain: expected content and style of shapes (N, C, *) with the same N "
                           f"and C, got {tuple(content.shape)} and {tuple(style.shape)}")
    target = wide(style).flatten(2)  # (N, C, L)
    shape = (*content.shape[:2], *(1,) * (content.ndim - 2))
    mean = target.mean(2).view(shape)
    std = (target.var(2, correction=0) + eps).sqrt().view(shape)
    return (F.instance_norm(wide(content), eps=eps) * std + mean).to(content.dtype)


def global_response_norm(input: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-6,
                         channels_last: bool = True) -> Tensor:
    """Return input + weight * (input * n) + bias, n = norm over space / its mean over channels.

    Woo et al., "ConvNeXt V2", 2023. Shape (N, *, C), or (N, C, *) with channels_last=False.

    >>> import minigrad as torch
    >>> x = torch.tensor([[[3., 0.], [4., 1.]]])
    >>> global_response_norm(x, torch.ones(2), torch.zeros(2))  # norms 5 and 1, their mean 3
    tensor([[[ 8.0000,  0.0000],
             [10.6667,  1.3333]]])
    """
    at = -1 if channels_last else 1
    x = wide(input)
    space = tuple(range(1, x.ndim - 1)) if channels_last else tuple(range(2, x.ndim))
    size = x.norm(2, space, True) if space else x.abs()
    share = size / (size.mean(at, True) + eps)
    y = x + per_channel(bias, x.ndim, at) + per_channel(weight, x.ndim, at) * (x * share)
    return y.to(input.dtype)


def scale_norm(input: Tensor, scale: Any, eps: float = 1e-5) -> Tensor:
    """Return scale * x / max(norm of x, eps) over the last dimension.

    Nguyen & Salazar, "Transformers without tears", 2019.

    >>> import minigrad as torch
    >>> scale_norm(torch.tensor([3., 4.]), 10.)
    tensor([6., 8.])
    """
    floats("scale_norm", input)
    x = wide(input)
    return (x * (scale / x.norm(2, -1, True).clamp(min=eps))).to(input.dtype)


def standardize_weight(weight: Tensor, eps: float = 1e-6) -> Tensor:
    """Return a convolution's weight with mean 0 and variance 1 for each output channel.

    (w - mean) / sqrt(var + eps) with the biased variance over all dims but the first. Qiao et al.,
    "Micro-batch training with batch-channel normalization and weight standardization", 2019.

    >>> import minigrad as torch
    >>> standardize_weight(torch.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    return F.layer_norm(weight, tuple(weight.shape[1:]), None, None, eps)
