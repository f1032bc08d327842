"""Convolutions and transposed convolutions: one class for all dimensions, thin named ones."""

from __future__ import annotations

import math
from typing import Any

from ..._check import listed, takes
from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import initialise, made, ntuple
from .lazy import LazyModuleMixin
from .module import Module

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
           "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d",
           "LazyConvTranspose3d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: options, parameters, first values, repr."""

    dims = 0
    transposed = False
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    weight: Parameter
    bias: Parameter | None

    @takes()
    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any,
                 padding: Any, dilation: Any, output_padding: Any, groups: int, bias: bool,
                 padding_mode: str, device: Any, dtype: Any,
                 generator: Generator | None) -> None:
        super().__init__()
        n = self.dims
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = ntuple(kernel_size, n), ntuple(stride, n)
        self.padding = padding if isinstance(padding, str) else ntuple(padding, n)
        self.dilation, self.output_padding = ntuple(dilation, n), ntuple(output_padding, n)
        self.groups, self.padding_mode = groups, padding_mode
        _check(self)
        self._reversed_padding_repeated_twice = _pad_widths(self)
        self.weight = made(*self._weight_shape(), device=device, dtype=dtype)
        self.register_parameter(
            "bias", made(out_channels, device=device, dtype=dtype) if bias else None)
        initialise(self.reset_parameters, generator)

    def _weight_shape(self) -> tuple[int, ...]:
        ends = self.out_channels, self.in_channels
        first, second = reversed(ends) if self.transposed else ends
        return first, second // self.groups, *self.kernel_size

    def reset_parameters(self) -> None:
        """Draw new values: U(-k, k), k = 1 / sqrt(inputs per output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        zeros, ones = (0,) * len(self.padding), (1,) * len(self.dilation)
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
                 f"stride={self.stride}"]
        if self.padding != zeros:
            parts.append(f"padding={self.padding}")
        if self.dilation != ones:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * len(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


def _check(layer: _ConvNd) -> None:
    """Refuse options that do not fit together, before anything is allocated."""
    groups, mode = layer.groups, layer.padding_mode
    if groups <= 0:
        raise ValueError(f"groups must be a positive integer, got {groups}")
    for name in ("in_channels", "out_channels"):
        if getattr(layer, name) % groups:
            raise ValueError(f"{name} must be divisible by groups: {getattr(layer, name)} and "
                             f"{groups}")
    if isinstance(layer.padding, str):
        if layer.padding not in ("valid", "same"):
            raise ValueError(f"Invalid padding string {layer.padding!r}, should be 'valid' or "
                             f"'same'")
        if layer.padding == "same" and any(s != 1 for s in layer.stride):
            raise ValueError("padding='same' is not supported for strided convolutions; give the "
                             "padding as numbers")
    if not isinstance(mode, str):
        raise TypeError(f"padding_mode must be a string, got {mode!r}")
    if mode not in _PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(_PADDING_MODES)}, but got "
                         f"padding_mode='{mode}'")
    if layer.transposed and mode != "zeros":
        raise ValueError(f'Only "zeros" padding mode is supported for {type(layer).__name__}, got '
                         f"{mode!r}")


def _pad_widths(layer: _ConvNd) -> list[int]:
    """Return how much F.pad has to add, last dimension first, when padding_mode is not zeros."""
    if layer.padding == "valid":
        return [0] * (2 * layer.dims)
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=False)]
        sides = [(total // 2, total - total // 2) for total in totals]
    else:
        sides = [(p, p) for p in layer.padding]  # type: ignore[misc]
    return [width for pair in reversed(sides) for width in pair]


class _Conv(_ConvNd):
    """A convolution in n dimensions."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 0,
                         groups, bias, padding_mode, device, dtype, generator)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        conv = _CONVOLUTIONS[self.dims]
        if self.padding_mode == "zeros":
            return conv(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, tuple(self._reversed_padding_repeated_twice), self.padding_mode)
        return conv(padded, weight, bias, self.stride, 0, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input with the weight, plus the bias."""
        own = self._parameters  # not `self.weight`: looking for attributes takes 1 us each
        if "weight" in own and "bias" in own:
            return self._conv_forward(input, own["weight"], own["bias"])  # type: ignore[arg-type]
        return self._conv_forward(input, self.weight, self.bias)


_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class Conv1d(_Conv):
    """Slide filters along one dimension; see Conv2d.

    Shape: (N, C, L) or (C, L) -> (N, out_channels, L') or (out_channels, L').

    >>> import minigrad as torch
    >>> torch.nn.Conv1d(4, 8, 3, padding=1)(torch.randn(2, 4, 10)).shape
    torch.Size([2, 8, 10])
    """

    dims = 1


class Conv2d(_Conv):
    """Slide filters over two dimensions: y[n, o] = b[o] + sum over c of w[o, c] * x[n, c]
    (a cross-correlation: the filter is not flipped).

    Args: in_channels; out_channels; kernel_size; stride 1; padding 0: on both sides, or 'valid',
    or 'same' (stride 1 only); dilation 1: spacing of the filter's points; groups 1: channels are
    split into groups that do not see each other (groups = in_channels: depthwise); bias True
    (switch it off before a BatchNorm); padding_mode 'zeros', 'reflect', 'replicate', 'circular';
    device, dtype, generator: see Linear. Sizes are numbers, or one per dimension.
    Shape: (N, C, H, W) or (C, H, W) -> (N, out_channels, H', W') with
    H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1); weight
    (out_channels, in_channels / groups, kh, kw), at first U(-k, k), k = 1 / sqrt(inputs per
    output).
    ValueError for options that do not fit together.

    >>> import minigrad as torch
    >>> torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)(torch.randn(1, 3, 32, 32)).shape
    torch.Size([1, 16, 16, 16])
    """

    dims = 2


class Conv3d(_Conv):
    """Slide filters over three dimensions; see Conv2d.

    Shape: (N, C, D, H, W) or (C, D, H, W) -> (N, out_channels, D', H', W').

    >>> import minigrad as torch
    >>> torch.nn.Conv3d(1, 2, 3)(torch.randn(1, 1, 5, 5, 5)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    dims = 3


class _ConvTransposeNd(_ConvNd):
    """A transposed convolution in n dimensions."""

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
                 dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        if isinstance(padding, str):
            raise ValueError(f"{type(self).__name__}: padding must be numbers, got {padding!r}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         output_padding, groups, bias, padding_mode, device, dtype, generator)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution; `output_size` settles which of the sizes is meant
        that a convolution would map to the input's.
        """
        extra = self.output_padding
        if output_size is not None:
            sizes = listed(output_size, type(self).__name__, "output_size", "ints")
            extra = self._extra(input, sizes)
        return _TRANSPOSED[self.dims](input, self.weight, self.bias, self.stride, self.padding,
                                      extra, self.groups, self.dilation)

    def _extra(self, input: Tensor, output_size: list[int]) -> tuple[int, ...]:
        """Return the output_padding that leads to `output_size`."""
        n = self.dims
        if len(output_size) == input.ndim:
            output_size = output_size[-n:]
        if len(output_size) != n:
            raise ValueError(f"{type(self).__name__}: for {input.ndim}D input, output_size must "
                             f"have {n} or {input.ndim} elements (got {len(output_size)})")
        sizes: Any = zip(input.shape[-n:], self.stride, self.padding, self.dilation,
                         self.kernel_size, strict=True)
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in sizes]
        extra = tuple(size - low for size, low in zip(output_size, least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
            raise ValueError(f"requested an output size of {output_size}, but valid sizes range "
                             f"from {least} to {most} (for an input of {list(input.shape)})")
        return extra


class ConvTranspose1d(_ConvTransposeNd):
    """Do the transpose of Conv1d; see ConvTranspose2d.

    >>> import minigrad as torch
    >>> torch.nn.ConvTranspose1d(4, 2, 3, stride=2)(torch.randn(1, 4, 5)).shape
    torch.Size([1, 2, 11])
    """

    dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Do the transpose of Conv2d, the gradient of it with respect to its input: enlarge images.

    Args: as Conv2d's, in PyTorch's order (dilation after bias); padding takes points away;
    output_padding 0 adds points at one side.
    Shape: (N, C, H, W) or (C, H, W) -> (N, out_channels, H', W') with
    H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1; weight
    (in_channels, out_channels / groups, kh, kw).

    >>> import minigrad as torch
    >>> torch.nn.ConvTranspose2d(8, 4, 2, stride=2)(torch.randn(1, 8, 5, 5)).shape
    torch.Size([1, 4, 10, 10])
    """

    dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Do the transpose of Conv3d; see ConvTranspose2d.

    >>> import minigrad as torch
    >>> torch.nn.ConvTranspose3d(2, 1, 2, stride=2)(torch.randn(1, 2, 2, 2, 2)).shape
    torch.Size([1, 1, 4, 4, 4])
    """

    dims = 3


class _LazyConvNd(LazyModuleMixin, _ConvNd):
    """A convolution that takes in_channels from its first input."""

    def _start(self, out_channels: int, bias: bool, device: Any, dtype: Any,
               generator: Generator | None) -> None:
        self.out_channels = out_channels
        self._wait(dtype, device, generator, "weight", *(["bias"] if bias else []))

    def reset_parameters(self) -> None:
        """Draw new values, if the shapes are known."""
        if self.in_channels and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take in_channels from the input."""
        if not self.has_uninitialized_params():  # the weight was loaded
            self.in_channels = self.weight.shape[not self.transposed]
            self.in_channels *= 1 if self.transposed else self.groups
            return
        n = self.dims
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                               f"{type(self).__name__}, but got input of size: {input.shape}")
        channels = input.shape[-n - 1]
        if channels % self.groups:
            raise ValueError(f"in_channels must be divisible by groups: {channels} channels in the "
                             f"input and {self.groups} groups")
        self.in_channels = channels
        self._materialize(weight=self._weight_shape(), bias=(self.out_channels,))


class _LazyConv(_LazyConvNd, _Conv):
    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode,
                         device, dtype)
        self._start(out_channels, bias, device, dtype, generator)


class LazyConv1d(_LazyConv, Conv1d):
    """Be a Conv1d that takes in_channels from its first input; see LazyModuleMixin."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Be a Conv2d that takes in_channels from its first input; see LazyModuleMixin.

    >>> import minigrad as torch
    >>> layer = torch.nn.LazyConv2d(8, 3)
    >>> layer(torch.ones(1, 3, 5, 5)).shape, layer
    (torch.Size([1, 8, 3, 3]), Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Be a Conv3d that takes in_channels from its first input; see LazyModuleMixin."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConvNd, _ConvTransposeNd):
    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False,
                         dilation, padding_mode, device, dtype)
        self._start(out_channels, bias, device, dtype, generator)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """Be a ConvTranspose1d that takes in_channels from its first input; see LazyModuleMixin."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """Be a ConvTranspose2d that takes in_channels from its first input; see LazyModuleMixin."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """Be a ConvTranspose3d that takes in_channels from its first input; see LazyModuleMixin."""

    cls_to_become = ConvTranspose3d
