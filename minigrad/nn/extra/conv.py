"""Convolutions whose weights are standardised."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from ..modules.conv import Conv1d, Conv2d, Conv3d
from . import functional as X

__all__ = ["StdConv1d", "StdConv2d", "StdConv3d"]


class _Standardized:
    """Mix-in before a convolution: the weight it learns is standardised before use."""

    def __init__(self, *args: Any, eps: float = 1e-6, **options: Any) -> None:
        super().__init__(*args, **options)
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input with the standardised weight, plus the bias."""
        layer: Any = self
        return layer._conv_forward(input, X.standardize_weight(layer.weight, self.eps), layer.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, eps={self.eps}"  # type: ignore[misc]


class StdConv1d(_Standardized, Conv1d):
    """Convolve along one dimension with standardised weights; see StdConv2d.

    >>> import minigrad as torch
    >>> StdConv1d(4, 8, 3, padding=1)(torch.randn(2, 4, 10)).shape
    torch.Size([2, 8, 10])
    """


class StdConv2d(_Standardized, Conv2d):
    """Convolve with w' = (w - mean) / sqrt(var + eps), mean and var per output channel.

    Qiao et al., "Micro-batch training with batch-channel normalization and weight
    standardization", 2019. With GroupNorm it replaces BatchNorm for small batches. The gradient
    goes through mean and var, so the scale of w does not matter.

    Args: those of Conv2d (timm's class has other defaults: no bias, 'same' padding); eps 1e-6,
    keyword only. The variance is the biased one. Shape: see Conv2d; (C, H, W) is unbatched.

    >>> import minigrad as torch
    >>> conv = StdConv2d(3, 16, 3)
    >>> conv(torch.randn(1, 3, 8, 8)).shape, conv
    (torch.Size([1, 16, 6, 6]), StdConv2d(3, 16, kernel_size=(3, 3), stride=(1, 1), eps=1e-06))
    """


class StdConv3d(_Standardized, Conv3d):
    """Convolve over three dimensions with standardised weights; see StdConv2d.

    >>> import minigrad as torch
    >>> StdConv3d(1, 2, 3)(torch.randn(1, 1, 5, 5, 5)).shape
    torch.Size([1, 2, 3, 3, 3])
    """
