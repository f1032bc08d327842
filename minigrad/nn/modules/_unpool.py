"""Undoing max pooling (part of pooling.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._make import ntuple
from .module import Module

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


class _MaxUnpool(Module):
    """Max unpooling in n dimensions."""

    _dims = 0
    _unpool: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, self._dims)
        self.stride = ntuple(kernel_size if stride is None else stride, self._dims)
        self.padding = ntuple(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """Return zeros with the input at the places of the maxima."""
        return type(self)._unpool(input, indices, self.kernel_size, self.stride, self.padding,
                                  output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Put values back where MaxPool1d found them; see MaxUnpool2d.

    >>> import minigrad as torch
    >>> y, where = torch.nn.MaxPool1d(2, return_indices=True)(torch.tensor([[1., 3., 2., 0.]]))
    >>> torch.nn.MaxUnpool1d(2)(y, where)
    tensor([[0., 3., 2., 0.]])
    """

    _dims = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Put values back where MaxPool2d(return_indices=True) found them, zeros elsewhere.

    Args: kernel_size, stride, padding: those of the pooling. The call takes the values, the
    indices and, where several sizes are possible, output_size.

    >>> import minigrad as torch
    >>> y, where = torch.nn.MaxPool2d(2, return_indices=True)(torch.tensor([[[1., 3.], [2., 0.]]]))
    >>> torch.nn.MaxUnpool2d(2)(y, where)
    tensor([[[0., 3.],
             [0., 0.]]])
    """

    _dims = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Put values back where MaxPool3d found them; see MaxUnpool2d.

    >>> import minigrad as torch
    >>> x = torch.tensor([[[[1., 3.]], [[2., 0.]]]])
    >>> y, where = torch.nn.MaxPool3d((2, 1, 2), return_indices=True)(x)
    >>> torch.nn.MaxUnpool3d((2, 1, 2))(y, where)
    tensor([[[[0., 3.]],
    <BLANKLINE>
             [[0., 0.]]]])
    """

    _dims = 3
    _unpool = staticmethod(F.max_unpool3d)
