"""The softmax family (part of activation.py)."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class _AlongDim(Module):
    """Base of the softmax family: the dimension along which results sum to 1."""

    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """Return exp(x) / sum(exp(x)) along a dimension, computed without overflow.

    Args: dim: without it PyTorch's old choice is used, with a warning. Do not put it before
    CrossEntropyLoss, which takes the raw scores.

    >>> import minigrad as torch
    >>> torch.nn.Softmax(dim=0)(torch.tensor([0., 0., 0., 0.]))
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax of the input."""
        return F.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """Return log(softmax(x)) along a dimension, for NLLLoss. Args: dim: see Softmax.

    >>> import minigrad as torch
    >>> torch.nn.LogSoftmax(dim=0)(torch.tensor([0., 0.]))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logarithm of the softmax of the input."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """Return softmax(-x) along a dimension. Args: dim: see Softmax.

    >>> import minigrad as torch
    >>> torch.nn.Softmin(dim=0)(torch.tensor([0., 0.]))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax of minus the input."""
        return F.softmin(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Return the softmax over the channels of (N, C, H, W) or (C, H, W), at each position.

    >>> import minigrad as torch
    >>> torch.nn.Softmax2d()(torch.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax over the channels."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
