"""Max pooling of windows at random places (part of pooling.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from ._make import ntuple
from .module import Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]


class _FractionalMaxPool(Module):
    """Fractional max pooling in n dimensions."""

    _dims = 0
    _pool: Callable[..., Any]
    _random_samples: Tensor | None

    def __init__(self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                 return_indices: bool = False, _random_samples: Tensor | None = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = ntuple(kernel_size, self._dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else ntuple(output_size, self._dims)
        self.output_ratio = None if output_ratio is None else ntuple(output_ratio, self._dims)
        self.generator = generator
        if self._dims == 3 and any(size <= 0 for size in self.kernel_size):  # 2d: in forward
            raise ValueError(f"{name}: kernel_size must be greater than 0, got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{name}: only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"{name}: output_ratio must be between 0 and 1, got {output_ratio}")

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and where they were)."""
        return type(self)._pool(input, self.kernel_size, self.output_size, self.output_ratio,
                                self.return_indices, self._random_samples,
                                generator=self.generator)


class FractionalMaxPool2d(_FractionalMaxPool):
    """Take the maximum of windows at random places, for any ratio of the sizes.

    With a = (H - kernel) / (H' - 1) and one random u in [0, 1) per sample and channel, window i
    begins at floor((i + u) a) - floor(u a). Graham, "Fractional max-pooling", 2014.

    Args: kernel_size; output_size, or output_ratio: each in (0, 1), of the input's size;
    return_indices False: see MaxPool2d; _random_samples: the numbers u, (N, C, 2), else drawn anew
    in each call, in eval, too; generator (keyword only): where they are drawn from. ValueError
    unless exactly one of output_size and output_ratio is given.
    Shape: (N, C, H, W) or (C, H, W) -> (N, C, H', W').

    >>> import minigrad as torch
    >>> torch.nn.FractionalMaxPool2d(3, output_ratio=(0.5, 0.5))(torch.randn(2, 3, 10, 8)).shape
    torch.Size([2, 3, 5, 4])
    """

    _dims = 2
    _pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """Take the maximum of windows of a volume at random places; see FractionalMaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.FractionalMaxPool3d(2, output_size=3)(torch.randn(1, 2, 5, 5, 5)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    _dims = 3
    _pool = staticmethod(F.fractional_max_pool3d)
