"""Activations that torch.nn lacks."""

from __future__ import annotations

import math
from typing import Any

from ...tensor import Tensor
from .. import init
from ..modules._make import made
from ..modules.module import Module
from ..parameter import Parameter
from . import functional as X
from ._common import check_channels, per_channel

__all__ = ["Entmax15", "Maxout", "Snake", "Sparsemax", "SquaredReLU", "Squareplus", "StarReLU"]


class SquaredReLU(Module):
    """Return max(0, x)^2, elementwise. So et al., "Primer", 2021.

    Use it instead of GELU in a Transformer's feed-forward. Smooth at 0; grows fast: in float16
    inputs above 255 overflow.

    >>> import minigrad as torch
    >>> SquaredReLU()(torch.tensor([-1., 0., 3.]))
    tensor([0., 0., 9.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return relu(input)^2."""
        return X.squared_relu(input)


class StarReLU(Module):
    """Return scale * max(0, x)^2 + bias with one learned scale and one learned bias.

    Yu et al., "MetaFormer baselines for vision", 2022. Args: scale_value 0.8944 (2 / sqrt(5)),
    bias_value -0.4472 (-1 / sqrt(5)): the paper's, which give mean 0 and variance 1 for standard
    normal input (its code starts from 1 and 0); scale_learnable, bias_learnable True; device;
    dtype. Shape: any.

    >>> import minigrad as torch
    >>> StarReLU()(torch.tensor([-1., 0., 1.])).data
    tensor([-0.4472, -0.4472,  0.4472])
    """

    scale: Parameter
    bias: Parameter

    def __init__(self, scale_value: float = 2 / math.sqrt(5), bias_value: float = -1 / math.sqrt(5),
                 scale_learnable: bool = True, bias_learnable: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.scale_value, self.bias_value = scale_value, bias_value
        self.scale = made(1, device=device, dtype=dtype)
        self.bias = made(1, device=device, dtype=dtype)
        self.scale.requires_grad_(scale_learnable)
        self.bias.requires_grad_(bias_learnable)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale and bias to their start."""
        init.constant_(self.scale, self.scale_value)
        init.constant_(self.bias, self.bias_value)

    def forward(self, input: Tensor) -> Tensor:
        """Return scale * relu(input)^2 + bias."""
        return X.star_relu(input, self.scale, self.bias)

    def extra_repr(self) -> str:
        return f"scale_value={self.scale_value:.4g}, bias_value={self.bias_value:.4g}"


class Snake(Module):
    """Return x + sin(alpha x)^2 / alpha with a learned alpha per channel.

    Ziyin, Hartwig & Ueda, "Neural networks fail to learn periodic functions and how to fix it",
    2020. For periodic data and audio: ReLU nets cannot continue a period outside the data.

    Args: in_features: the number of channels (dim 1), 1 for one alpha shared by all; alpha 1: its
    start, larger for higher frequencies; alpha_trainable True; alpha_logscale False: learn
    log(alpha), so that alpha stays positive (the start is then `alpha` as a logarithm, 0 for 1);
    device; dtype. Shape: (N, C, *); any if in_features is 1.
    RuntimeError for another number of channels.

    >>> import minigrad as torch
    >>> Snake(2)(torch.tensor([[0., 1.]])).data
    tensor([[0.0000, 1.7081]])
    """

    alpha: Parameter

    def __init__(self, in_features: int, alpha: float = 1.0, alpha_trainable: bool = True,
                 alpha_logscale: bool = False, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.alpha_logscale = in_features, alpha_logscale
        self._start = alpha
        self.alpha = made(in_features, device=device, dtype=dtype)
        self.alpha.requires_grad_(alpha_trainable)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set alpha to its start."""
        init.constant_(self.alpha, self._start)

    def forward(self, input: Tensor) -> Tensor:
        """Return snake(input)."""
        alpha: Tensor = self.alpha.exp() if self.alpha_logscale else self.alpha
        if self.in_features > 1:
            check_channels(self, input, self.in_features, 1)
            alpha = per_channel(alpha, input.ndim, 1)
        return X.snake(input, alpha)

    def extra_repr(self) -> str:
        return f"{self.in_features}, alpha_logscale={self.alpha_logscale}"


class Maxout(Module):
    """Return the largest of each group of `pieces` neighbouring channels.

    Goodfellow et al., "Maxout networks", 2013. After Linear(n, m * pieces) it is the largest of
    `pieces` linear functions, for m outputs. Args: pieces; dim -1 (1 for images).
    Shape: the size of `dim` is divided by pieces; RuntimeError if it cannot be.

    >>> import minigrad as torch
    >>> Maxout(2)(torch.tensor([1., 2., 6., 3.]))
    tensor([2., 6.])
    """

    def __init__(self, pieces: int, dim: int = -1) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"Maxout: pieces must be at least 1, but got {pieces}")
        self.pieces, self.dim = pieces, dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the largest of each group."""
        return X.maxout(input, self.pieces, self.dim)

    def extra_repr(self) -> str:
        return f"{self.pieces}, dim={self.dim}"


class Squareplus(Module):
    """Return (x + sqrt(x^2 + b)) / 2, elementwise. Barron, "Squareplus", 2021.

    A smooth ReLU without exp; its tails fall like b / |x|, not exponentially. Args: b 4, positive
    (ValueError).

    >>> import minigrad as torch
    >>> Squareplus()(torch.tensor([-1.5, 0., 1.5]))
    tensor([0.5000, 1.0000, 2.0000])
    """

    def __init__(self, b: float = 4.0) -> None:
        super().__init__()
        if not 0 < b < math.inf:
            raise ValueError(f"Squareplus: b must be positive, but got {b}")
        self.b = b

    def forward(self, input: Tensor) -> Tensor:
        """Return squareplus(input)."""
        return X.squareplus(input, self.b)

    def extra_repr(self) -> str:
        return f"b={self.b}"


class _Simplex(Module):
    """Base of the sparse relatives of softmax."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Sparsemax(_Simplex):
    """Project onto the simplex along `dim`: softmax with exact zeros.

    p = [z - tau]_+, sum p = 1. Martins & Astudillo, "From softmax to sparsemax", 2016.
    For attention that shall look at few places. Its log is -inf at zeros: do not use it with
    NLLLoss. Args: dim -1. The gradient is exact: g minus its mean, on the support.

    >>> import minigrad as torch
    >>> Sparsemax()(torch.tensor([1.5, 1., -2.]))
    tensor([0.7500, 0.2500, 0.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return sparsemax(input)."""
        return X.sparsemax(input, self.dim)


class Entmax15(_Simplex):
    """Return entmax with alpha = 1.5 along `dim`: sparse, but less so than Sparsemax.

    p = [z / 2 - tau]_+ ^ 2, sum p = 1. Peters, Niculae & Martins, "Sparse sequence-to-sequence
    models", 2019. Args: dim -1.

    >>> import minigrad as torch
    >>> Entmax15()(torch.tensor([1.5, 1., -2.]))
    tensor([0.6740, 0.3260, 0.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return entmax15(input)."""
        return X.entmax15(input, self.dim)
