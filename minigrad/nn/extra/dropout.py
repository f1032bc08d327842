"""Random layers that torch.nn lacks: active in training mode only."""

from __future__ import annotations

import math

from ..._random import Generator
from ...tensor import Tensor
from ..modules.module import Module
from . import functional as X
from ._noise import drop_block, probability

__all__ = ["DropBlock1d", "DropBlock2d", "DropBlock3d", "DropPath", "GaussianDropout",
           "GaussianNoise", "StochasticDepth"]


class DropPath(Module):
    """Set whole samples to 0 with probability drop_prob, and divide the others by its complement.

    For the branch of a residual block, y = x + drop_path(f(x)): the block is skipped. Larsson,
    Maire & Shakhnarovich, "FractalNet", 2016; by sample as in timm. StochasticDepth is the same
    with torchvision's arguments.

    Args: drop_prob 0 (0.1 to 0.5, rising with depth), ValueError outside [0, 1]; scale_by_keep
    True; generator: the draws. Shape: (N, *): dim 0 is the batch.

    >>> import minigrad as torch
    >>> DropPath(0.2).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        probability("DropPath", "drop_prob", drop_prob)
        self.drop_prob, self.scale_by_keep, self.generator = drop_prob, scale_by_keep, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some samples dropped (in training)."""
        return X.drop_path(input, self.drop_prob, self.training, self.scale_by_keep,
                           generator=self.generator)

    def extra_repr(self) -> str:
        return f"drop_prob={self.drop_prob:0.3f}"


class StochasticDepth(Module):
    """Set whole samples, or the whole batch, to 0 with probability p; divide others by 1 - p.

    Huang et al., "Deep networks with stochastic depth", 2016. See DropPath.

    Args: p, ValueError outside [0, 1]; mode: 'row' (each sample on its own) or 'batch' (all
    alike, as in the paper); generator. Shape: (N, *).

    >>> import minigrad as torch
    >>> StochasticDepth(1.0, "row")(torch.ones(1, 2))
    tensor([[0., 0.]])
    """

    def __init__(self, p: float, mode: str, *, generator: Generator | None = None) -> None:
        super().__init__()
        probability("StochasticDepth", "p", p)
        if mode not in ("row", "batch"):
            raise ValueError(f"StochasticDepth: mode must be 'row' or 'batch', but got {mode!r}")
        self.p, self.mode, self.generator = p, mode, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some samples dropped (in training)."""
        return X.stochastic_depth(input, self.p, self.mode, self.training,
                                  generator=self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class _DropBlockNd(Module):
    """DropBlock in n dimensions."""

    dims = 0

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        probability(type(self).__name__, "p", p)
        if block_size < 1:
            raise ValueError(f"{type(self).__name__}: block_size must be at least 1, but got "
                             f"{block_size}")
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps
        self.generator = generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some blocks dropped (in training)."""
        return drop_block(self.dims, input, self.p, self.block_size, self.inplace, self.eps,
                             self.training, self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}, block_size={self.block_size}, inplace={self.inplace}"


class DropBlock1d(_DropBlockNd):
    """Set random stretches of (N, C, L) or (C, L) to 0; see DropBlock2d.

    >>> import minigrad as torch
    >>> DropBlock1d(1.0, 2)(torch.ones(1, 1, 2))
    tensor([[[0., 0.]]])
    """

    dims = 1


class DropBlock2d(_DropBlockNd):
    """Set random squares of each channel to 0, so that about a share p of it is dropped.

    A block starts at each place that leaves room for it with probability
    p H W / (b^2 (H - b + 1) (W - b + 1)). The rest is multiplied by elements / kept elements,
    counted over the batch. Ghiasi, Lin & Le, "DropBlock", 2018. Use it after convolutions, with p
    rising from 0 during training (set the attribute `p`).

    Args: p, ValueError outside [0, 1]; block_size b, cut to H and W; inplace False; eps 1e-6;
    generator: the draws. Shape: (N, C, H, W) or (C, H, W), the same out.
    Relation: block_size 1 is Dropout, block_size H = W nearly Dropout2d.

    >>> import minigrad as torch
    >>> DropBlock2d(0.2, 3).eval()(torch.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """

    dims = 2


class DropBlock3d(_DropBlockNd):
    """Set random cubes of (N, C, D, H, W) or (C, D, H, W) to 0; see DropBlock2d.

    >>> import minigrad as torch
    >>> DropBlock3d(0.5, 3)(torch.ones(2, 3, 8, 8, 8)).shape
    torch.Size([2, 3, 8, 8, 8])
    """

    dims = 3


class GaussianDropout(Module):
    """Multiply by a draw of N(1, rate / (1 - rate)): dropout's mean and variance without zeros.

    Srivastava et al., "Dropout", 2014. Args: rate: dropout's p, ValueError unless 0 <= rate < 1;
    generator: the draws. Shape: any.

    >>> import minigrad as torch
    >>> GaussianDropout(0.5)(torch.zeros(2))
    tensor([0., 0.])
    """

    def __init__(self, rate: float, *, generator: Generator | None = None) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"GaussianDropout: rate must be at least 0 and below 1, got {rate}")
        self.rate, self.generator = rate, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the input times noise (in training)."""
        return X.gaussian_dropout(input, self.rate, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class GaussianNoise(Module):
    """Add a draw of N(0, stddev^2), the same everywhere whatever the input's scale.

    Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995. Use it on
    standardised inputs. Args: stddev, ValueError if negative; generator. Shape: any.

    >>> import minigrad as torch
    >>> GaussianNoise(0.1).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, stddev: float, *, generator: Generator | None = None) -> None:
        super().__init__()
        if not 0 <= stddev < math.inf:
            raise ValueError(f"GaussianNoise: stddev must be at least 0 and finite, got {stddev}")
        self.stddev, self.generator = stddev, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the input plus noise (in training)."""
        return X.gaussian_noise(input, self.stddev, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        return f"stddev={self.stddev}"
