"""Pooling layers: one class per kind, thin named ones for 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._fractional import FractionalMaxPool2d, FractionalMaxPool3d
from ._make import ntuple
from ._unpool import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]


class _MaxPool(Module):
    """Max pooling in any number of dimensions."""

    _pool: Callable[..., Any]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and where they were)."""
        return type(self)._pool(input, self.kernel_size, self.stride, self.padding, self.dilation,
                                ceil_mode=self.ceil_mode, return_indices=self.return_indices)

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class MaxPool1d(_MaxPool):
    """Take the maximum of each window along one dimension; see MaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.MaxPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """Take the maximum of each window.

    Args: kernel_size; stride: default the kernel_size; padding 0 (of minus infinity, at most half
    the kernel_size); dilation 1; return_indices False: also return where in the flattened image
    each maximum was; ceil_mode False: True adds a last window that does not fit completely.
    Shape: (N, C, H, W) or (C, H, W), H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1)
    / stride + 1). Ties: the gradient goes to the first maximum.

    >>> import minigrad as torch
    >>> torch.nn.MaxPool2d(3, stride=2)(torch.randn(20, 16, 50, 32)).shape
    torch.Size([20, 16, 24, 15])
    """

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """Take the maximum of each window of a volume; see MaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.MaxPool3d(2)(torch.randn(1, 2, 4, 4, 4)).shape
    torch.Size([1, 2, 2, 2, 2])
    """

    _pool = staticmethod(F.max_pool3d)


class AvgPool1d(Module):
    """Take the mean of each window along one dimension; see AvgPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AvgPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, 1)
        self.stride = ntuple(kernel_size if stride is None else stride, 1)
        self.padding = ntuple(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """Average pooling in two or three dimensions."""

    _pool: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return type(self)._pool(input, self.kernel_size, self.stride, self.padding,
                                self.ceil_mode, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """Take the mean of each window.

    Args: kernel_size; stride: default the kernel_size; padding 0 (of zeros); ceil_mode: see
    MaxPool2d; count_include_pad True: padded zeros count in the divisor; divisor_override: divide
    the sums by this number. Shape: as MaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AvgPool2d(2)(torch.ones(1, 4, 4))
    tensor([[[1., 1.],
             [1., 1.]]])
    """

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """Take the mean of each window of a volume; see AvgPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AvgPool3d(2)(torch.ones(1, 2, 2, 2))
    tensor([[[[1.]]]])
    """

    _pool = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    """Power-average pooling in any number of dimensions."""

    _pool: Callable[..., Tensor]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None,
                 ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the p-norms."""
        return type(self)._pool(input, float(self.norm_type), self.kernel_size, self.stride,
                                self.ceil_mode)

    def extra_repr(self) -> str:
        return (f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, ceil_mode={self.ceil_mode}")


class LPPool1d(_LPPool):
    """Take the p-norm of each window along one dimension; see LPPool2d.

    >>> import minigrad as torch
    >>> torch.nn.LPPool1d(2, 2)(torch.tensor([[3., 4.]]))
    tensor([[5.]])
    """

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """Take the p-norm of each window: (sum of x^p)^(1/p).

    Args: norm_type: p (1: the sum); kernel_size; stride: default the kernel_size; ceil_mode: see
    MaxPool2d. Where the sum of powers is 0 the derivative is 0.

    >>> import minigrad as torch
    >>> torch.nn.LPPool2d(2, 2)(torch.ones(1, 2, 2))
    tensor([[[2.]]])
    """

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """Take the p-norm of each window of a volume; see LPPool2d.

    >>> import minigrad as torch
    >>> torch.nn.LPPool3d(1, 2)(torch.ones(1, 2, 2, 2))
    tensor([[[[8.]]]])
    """

    _pool = staticmethod(F.lp_pool3d)


class _AdaptivePool(Module):
    """Pooling to a given size: the windows follow from the input's."""

    _pool: Callable[..., Any]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return type(self)._pool(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """Take means so that the length becomes output_size; see AdaptiveAvgPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveAvgPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Take means so that the image gets the size output_size, whatever the input's.

    Window i covers the rows from floor(i H / H') to ceil((i + 1) H / H').
    Args: output_size: a number, or (H', W') where None keeps the input's; 1: the global mean.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveAvgPool2d((5, None))(torch.randn(1, 64, 8, 9)).shape
    torch.Size([1, 64, 5, 9])
    """

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """Take means so that the volume gets the size output_size; see AdaptiveAvgPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveAvgPool3d(1)(torch.ones(1, 2, 3, 4))
    tensor([[[[1.]]]])
    """

    _pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(_AdaptivePool):
    """Maxima of adaptive windows."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and where they were)."""
        return type(self)._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Take maxima so that the length becomes output_size; see AdaptiveMaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveMaxPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Take maxima so that the image gets the size output_size.

    Args: output_size: see AdaptiveAvgPool2d; return_indices False: see MaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveMaxPool2d(1)(torch.tensor([[[1., 3.], [2., 0.]]]))
    tensor([[[3.]]])
    """

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Take maxima so that the volume gets the size output_size; see AdaptiveMaxPool2d.

    >>> import minigrad as torch
    >>> torch.nn.AdaptiveMaxPool3d(1)(torch.ones(1, 2, 3, 4))
    tensor([[[[1.]]]])
    """

    _pool = staticmethod(F.adaptive_max_pool3d)
