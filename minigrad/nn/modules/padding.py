"""Padding layers: one class per kind, thin named ones for 1, 2 and 3 dimensions."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._make import ntuple
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]


class _Pad(Module):
    """Padding by a rule, in n dimensions: (left, right, top, bottom, ...), last dimension first."""

    _mode = ""
    _dims = 0
    padding: tuple[int, ...]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = ntuple(padding, 2 * self._dims)

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Padding with a value."""

    value: float

    def __init__(self, padding: Any, value: float) -> None:
        Module.__init__(self)
        self.value = value
        self.padding = ntuple(padding, 2 * self._dims)

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    """Padding with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """Pad one dimension with a value; see ConstantPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ConstantPad1d(1, 9.)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[9., 1., 2., 3., 9.]]])
    """

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """Pad an image with a value.

    Args: padding: a number, or (left, right, top, bottom); value. Negative numbers crop.

    >>> import minigrad as torch
    >>> torch.nn.ConstantPad2d(1, 9.)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[9., 9., 9., 9.],
             [9., 1., 2., 9.],
             [9., 3., 4., 9.],
             [9., 9., 9., 9.]]])
    """

    _dims = 2


class ConstantPad3d(_ConstantPad):
    """Pad a volume with a value; see ConstantPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ConstantPad3d(1, 9.)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _dims = 3


class ZeroPad1d(_ZeroPad):
    """Pad one dimension with zeros; see ZeroPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ZeroPad1d(1)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[0., 1., 2., 3., 0.]]])
    """

    _dims = 1


class ZeroPad2d(_ZeroPad):
    """Pad an image with zeros.

    Args: padding: a number, or (left, right, top, bottom). Negative numbers crop.

    >>> import minigrad as torch
    >>> torch.nn.ZeroPad2d(1)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[0., 0., 0., 0.],
             [0., 1., 2., 0.],
             [0., 3., 4., 0.],
             [0., 0., 0., 0.]]])
    """

    _dims = 2


class ZeroPad3d(_ZeroPad):
    """Pad a volume with zeros; see ZeroPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ZeroPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _dims = 3


class ReflectionPad1d(_Pad):
    """Pad one dimension with its mirror image, without repeating the edge; see ReflectionPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ReflectionPad1d(1)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[2., 1., 2., 3., 2.]]])
    """

    _mode = "reflect"
    _dims = 1


class ReflectionPad2d(_Pad):
    """Pad an image with its mirror image, without repeating the edge.

    Args: padding: a number, or (left, right, top, bottom), each smaller than the size.

    >>> import minigrad as torch
    >>> torch.nn.ReflectionPad2d(1)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[4., 3., 4., 3.],
             [2., 1., 2., 1.],
             [4., 3., 4., 3.],
             [2., 1., 2., 1.]]])
    """

    _mode = "reflect"
    _dims = 2


class ReflectionPad3d(_Pad):
    """Pad a volume with its mirror image, without repeating the edge; see ReflectionPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ReflectionPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _mode = "reflect"
    _dims = 3


class ReplicationPad1d(_Pad):
    """Pad one dimension with copies of its edge; see ReplicationPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ReplicationPad1d(1)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[1., 1., 2., 3., 3.]]])
    """

    _mode = "replicate"
    _dims = 1


class ReplicationPad2d(_Pad):
    """Pad an image with copies of its edge.

    Args: padding: a number, or (left, right, top, bottom).

    >>> import minigrad as torch
    >>> torch.nn.ReplicationPad2d(1)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.],
             [3., 3., 4., 4.],
             [3., 3., 4., 4.]]])
    """

    _mode = "replicate"
    _dims = 2


class ReplicationPad3d(_Pad):
    """Pad a volume with copies of its edge; see ReplicationPad2d.

    >>> import minigrad as torch
    >>> torch.nn.ReplicationPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _mode = "replicate"
    _dims = 3


class _CircularPad(_Pad):
    """Padding with what lies at the other end."""

    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input; ValueError unless it has one or two more dimensions."""
        n = self._dims
        if input.ndim not in (n + 1, n + 2):
            raise ValueError(f"{type(self).__name__}: expected {n + 1}D or {n + 2}D input "
                             f"(got {input.ndim}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Pad one dimension with what lies at its other end; see CircularPad2d.

    >>> import minigrad as torch
    >>> torch.nn.CircularPad1d(1)(torch.tensor([[[1., 2., 3.]]]))
    tensor([[[3., 1., 2., 3., 1.]]])
    """

    _dims = 1


class CircularPad2d(_CircularPad):
    """Pad an image with what lies at its other end.

    Args: padding: a number, or (left, right, top, bottom), each at most the size.

    >>> import minigrad as torch
    >>> torch.nn.CircularPad2d(1)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[4., 3., 4., 3.],
             [2., 1., 2., 1.],
             [4., 3., 4., 3.],
             [2., 1., 2., 1.]]])
    """

    _dims = 2


class CircularPad3d(_CircularPad):
    """Pad a volume with what lies at its other end; see CircularPad2d.

    >>> import minigrad as torch
    >>> torch.nn.CircularPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _dims = 3
