"""Dropout layers: active in training mode only."""

from __future__ import annotations

from ..._check import takes
from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
           "FeatureAlphaDropout"]


class _DropoutNd(Module):
    """The probability of dropping, and where the draws come from."""

    p: float
    inplace: bool
    generator: Generator | None

    @takes()
    def __init__(self, p: float = 0.5, inplace: bool = False, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace, self.generator = p, inplace, generator

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Set each element to 0 with probability p, and multiply the others by 1 / (1 - p).

    In eval mode it returns its input: the scaling keeps the mean, so nothing else changes.
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Args: p 0.5, ValueError outside [0, 1]; inplace False: overwrite the input; generator: the
    draws, default the default one. Shape: any.

    >>> import minigrad as torch
    >>> torch.nn.Dropout(p=0.2).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some elements dropped (in training)."""
        return F.dropout(input, self.p, self.training, self.inplace, generator=self.generator)


class Dropout1d(_DropoutNd):
    """Set whole channels of (N, C, L) or (C, L) to 0 with probability p; see Dropout2d.

    >>> import minigrad as torch
    >>> torch.nn.Dropout1d(1.0)(torch.ones(1, 2, 2))
    tensor([[[0., 0.],
             [0., 0.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped (in training)."""
        return F.dropout1d(input, self.p, self.training, self.inplace, generator=self.generator)


class Dropout2d(_DropoutNd):
    """Set whole channels of (N, C, H, W) to 0 with probability p, multiply others by 1 / (1 - p).

    Neighbouring pixels are alike, so that dropping single ones would hide little. Tompson et al.,
    "Efficient object localization using convolutional networks", 2015.

    Args: p, inplace, generator: see Dropout; batched (beyond PyTorch): None warns about a 3-D input
    and reads it as (N, C, L), as PyTorch does; True means that silently, False reads (C, H, W).

    >>> import minigrad as torch
    >>> torch.nn.Dropout2d(1.0)(torch.ones(1, 1, 1, 2))
    tensor([[[[0., 0.]]]])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, batched: bool | None = None,
                 generator: Generator | None = None) -> None:
        super().__init__(p, inplace, generator=generator)
        self.batched = batched

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped (in training)."""
        return F.dropout2d(input, self.p, self.training, self.inplace, batched=self.batched,
                           generator=self.generator)


class Dropout3d(_DropoutNd):
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to 0 with probability p; see Dropout2d.

    >>> import minigrad as torch
    >>> torch.nn.Dropout3d(0.5).eval()(torch.ones(1, 2, 1, 1, 1)).sum()
    tensor(2.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped (in training)."""
        return F.dropout3d(input, self.p, self.training, self.inplace, generator=self.generator)


class AlphaDropout(_DropoutNd):
    """Set elements to SELU's lower limit with probability p, and shift and scale all of them.

    The mean 0 and variance 1 of self-normalising nets are kept (for such input only). Dropped
    values become -1.4577 (p=0.1), -0.7792 (p=0.5). Klambauer et al., "Self-normalizing neural
    networks", 2017. Args: see Dropout. Use it after SELU, with LeCun-normal weights.

    >>> import minigrad as torch
    >>> torch.nn.AlphaDropout(0.2).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some elements dropped (in training)."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace,
                               generator=self.generator)


class FeatureAlphaDropout(_DropoutNd):
    """Do AlphaDropout with whole channels of (N, C, *).

    >>> import minigrad as torch
    >>> torch.nn.FeatureAlphaDropout(0.2).eval()(torch.ones(1, 2, 1)).shape
    torch.Size([1, 2, 1])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some channels dropped (in training)."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace,
                                       generator=self.generator)
