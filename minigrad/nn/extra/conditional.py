"""Norms whose scale and shift come from another input."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..modules.linear import Linear
from ..modules.module import Module
from . import functional as X
from ._common import floats

__all__ = ["AdaIN", "AdaptiveLayerNorm"]


class AdaIN(Module):
    """Give the content each channel's mean and standard deviation in the style, per sample.

    y = std(style) * (content - mean) / std(content) + mean(style), std = sqrt(var + eps), with the
    biased var over all positions. Huang & Belongie, "Arbitrary style transfer in real-time with
    adaptive instance normalization", 2017. Nothing is learned.

    Args: eps 1e-5. Shape: content and style (N, C, *), whose sizes after C may differ
    (RuntimeError otherwise); the result has the content's.

    >>> import minigrad as torch
    >>> y = AdaIN()(torch.randn(1, 1, 8), 5 + torch.zeros(1, 1, 3))
    >>> bool((y - 5).abs().max() < 0.02)
    True
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Return the content in the style's statistics."""
        return X.adain(content, style, self.eps)

    def extra_repr(self) -> str:
        return f"eps={self.eps}"


class AdaptiveLayerNorm(Module):
    """Normalise the last dimension, then scale and shift it by what a condition says.

    y = (x - mean) / sqrt(var + eps) * (1 + scale) + shift, with
    [shift, scale] = Linear(silu(cond)). Peebles & Xie, "Scalable diffusion models with
    Transformers", 2022 (adaLN). The Linear starts at 0, so the layer starts as a plain LayerNorm.

    Args: normalized_shape: the size of the last dimension; cond_features: that of the condition's;
    eps 1e-6; device; dtype. Shape: input (N, *, normalized_shape), cond (N, cond_features), or
    input (*, normalized_shape) and cond (cond_features,); more leading dims of cond match the
    input's. RuntimeError otherwise.

    >>> import minigrad as torch
    >>> AdaptiveLayerNorm(4, 8)(torch.randn(2, 5, 4), torch.randn(2, 8)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, normalized_shape: int, cond_features: int, eps: float = 1e-6,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape, self.cond_features = normalized_shape, cond_features
        self.eps = eps
        self.linear = Linear(cond_features, 2 * normalized_shape, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the Linear to 0."""
        for parameter in self.linear.parameters():
            init.zeros_(parameter)

    def forward(self, input: Tensor, cond: Tensor) -> Tensor:
        """Return the normalised input, scaled and shifted."""
        floats("AdaptiveLayerNorm", input)
        floats("AdaptiveLayerNorm", cond)
        lead = tuple(cond.shape[:-1])
        if cond.ndim < 1 or cond.ndim > input.ndim or tuple(input.shape[:len(lead)]) != lead:
            raise RuntimeError(f"AdaptiveLayerNorm: the leading sizes of cond must be those of the "
                               f"input, got {tuple(cond.shape)} and {tuple(input.shape)}")
        y = F.layer_norm(input, (self.normalized_shape,), None, None, self.eps)
        both = self.linear(F.silu(cond))
        both = both.view(*lead, *(1,) * (input.ndim - cond.ndim), both.shape[-1])
        shift, scale = both.chunk(2, -1)
        return y * (1 + scale) + shift

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, cond_features={self.cond_features}, eps={self.eps}"
