"""Moving pixels between space and channels: sliding blocks, pixel and channel shuffles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._check import ints, takes
from ..engine import op

ndarray = np.ndarray
Ints = tuple[int, ...]


# ------------------------------------------------------------------------------ sliding blocks
def _blocks(size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Ints:
    """Return how many blocks there are in each direction."""
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1
                 for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True))


def _taps(kernel: Ints, dilation: Ints, stride: Ints, count: Ints) -> Any:
    """Yield for each place in the blocks its index, and the slices that it takes of the image."""
    for i, j in np.ndindex(*kernel):
        rows = slice(i * dilation[0], i * dilation[0] + (count[0] - 1) * stride[0] + 1, stride[0])
        columns = slice(j * dilation[1], j * dilation[1] + (count[1] - 1) * stride[1] + 1,
                        stride[1])
        yield i, j, (..., rows, columns)


@op(input=lambda g, input_shape, kernel_size, dilation, padding, stride: _fold(
        g, input_shape[-2:], kernel_size, dilation, padding, stride), shown="Im2ColBackward0")
def _unfold(input: Any, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    count = _blocks(input.shape[-2:], kernel_size, dilation, padding, stride)
    edges = [(0, 0)] * (input.ndim - 2) + [(p, p) for p in padding]
    x = np.pad(input, edges) if max(padding) else input
    y = np.empty((*input.shape[:-2], *kernel_size, *count), input.dtype)
    for i, j, part in _taps(kernel_size, dilation, stride, count):
        y[..., i, j, :, :] = x[part]
    return y.reshape(*input.shape[:-3], input.shape[-3] * math.prod(kernel_size), math.prod(count))


@op(input=lambda g, kernel_size, dilation, padding, stride: _unfold(
        g, kernel_size, dilation, padding, stride), shown="Col2ImBackward0")
def _fold(input: Any, output_size: Ints, kernel_size: Ints, dilation: Ints, padding: Ints,
          stride: Ints) -> Any:
    count = _blocks(output_size, kernel_size, dilation, padding, stride)
    channels = input.shape[-2] // math.prod(kernel_size)
    columns = input.reshape(*input.shape[:-2], channels, *kernel_size, *count)
    padded = [n + 2 * p for n, p in zip(output_size, padding, strict=True)]
    y = np.zeros((*input.shape[:-2], channels, *padded), input.dtype)
    for i, j, part in _taps(kernel_size, dilation, stride, count):
        y[part] += columns[..., i, j, :, :]
    down, across = (slice(p, n + p) for n, p in zip(output_size, padding, strict=True))
    return np.ascontiguousarray(y[..., down, across])


def _block_options(where: str, kernel_size: Any, dilation: Any, padding: Any,
                   stride: Any) -> list[Ints]:
    options = []
    for name, value, low in (("kernel_size", kernel_size, 1), ("dilation", dilation, 1),
                             ("padding", padding, 0), ("stride", stride, 1)):
        numbers = ints(value, 2, where, name)
        if min(numbers) < low:
            raise RuntimeError(f"{where}: {name} must be at least {low}, got {numbers}")
        options.append(numbers)
    return options


@takes("input")
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
           stride: Any = 1) -> Any:
    """Return the sliding blocks of (N, C, H, W) as columns: (N, C * kH * kW, blocks).

    (C, H, W) gives (C * kH * kW, blocks). It is what a convolution multiplies its weight with;
    `fold` adds the columns up again.

    >>> import minigrad as torch
    >>> torch.nn.functional.unfold(torch.arange(6.).reshape(1, 2, 3), 2)
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    options = _block_options("unfold", kernel_size, dilation, padding, stride)
    shape = tuple(input.shape)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(f"unfold: Expected 3D or 4D (batch mode) input, (N, C, H, W) or "
                           f"(C, H, W) with sizes above 0, got shape {shape}")
    if input._data.dtype.kind not in "fb":
        raise NotImplementedError(f"unfold() is not implemented for {input.dtype}; convert with "
                                  f".float()")
    count = _blocks(shape[-2:], *options)
    if min(count) < 1:
        raise RuntimeError(f"unfold: the blocks are larger than the image: kernel_size, dilation, "
                           f"padding and stride {options} give {count} blocks of {shape[-2:]}")
    return _unfold(input, *options)


@takes("input")
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Any:
    """Return (N, C, *output_size) with the columns (N, C * kH * kW, blocks) of `unfold` added.

    Where blocks overlap the values are added: fold(unfold(x)) is x times the number of blocks that
    cover each place.

    >>> import minigrad as torch
    >>> torch.nn.functional.fold(torch.ones(1, 4, 2), (2, 3), 2)
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    options = _block_options("fold", kernel_size, dilation, padding, stride)
    size, shape = ints(output_size, 2, "fold", "output_size"), tuple(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(f"fold: Expected 2D or 3D (batch mode) input, (N, C * kH * kW, blocks) "
                           f"with sizes above 0, got shape {shape}")
    if shape[-2] % math.prod(options[0]):
        raise RuntimeError(f"fold: expected dim {len(shape) - 2} of the input to be divisible by "
                           f"the kernel's {math.prod(options[0])} places, got {shape[-2]}")
    count = _blocks(size, *options)
    if min(count) < 1 or math.prod(count) != shape[-1]:
        raise RuntimeError(f"fold: for output_size={size} there are {count[0]} * {count[1]} blocks,"
                           f" but the last dimension of the input has size {shape[-1]}")
    return _fold(input, size, *options)


# ----------------------------------------------------------------------------------- shuffles
@op(input=lambda g, upscale_factor: _to_channels(g, upscale_factor),
    shown="PixelShuffleBackward0")
def _to_space(input: Any, upscale_factor: int) -> Any:
    r, (*batch, c, h, w) = upscale_factor, input.shape
    x = input.reshape(*batch, c // (r * r), r, r, h, w)
    k = len(batch)
    x = x.transpose(*range(k + 1), k + 3, k + 1, k + 4, k + 2)  # (..., C, h, r, w, r)
    return np.ascontiguousarray(x).reshape(*batch, c // (r * r), h * r, w * r)


@op(input=lambda g, downscale_factor: _to_space(g, downscale_factor),
    shown="PixelUnshuffleBackward0")
def _to_channels(input: Any, downscale_factor: int) -> Any:
    r, (*batch, c, h, w) = downscale_factor, input.shape
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    k = len(batch)
    x = x.transpose(*range(k + 1), k + 2, k + 4, k + 1, k + 3)  # (..., C, r, r, h, w)
    return np.ascontiguousarray(x).reshape(*batch, c * r * r, h // r, w // r)


@takes("input")
def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Return (..., C, H r, W r) made of (..., C r r, H, W): channels become pixels.

    Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network, 2016.

    >>> import minigrad as torch
    >>> torch.nn.functional.pixel_shuffle(torch.arange(4.).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = _factor("pixel_shuffle", "upscale_factor", input, upscale_factor)
    if input.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: expected the channels (dim -3) to be divisible by "
                           f"upscale_factor ** 2 = {r * r}, got {input.shape[-3]} (input shape "
                           f"{tuple(input.shape)})")
    return _to_space(input, r)


@takes("input")
def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Return (..., C r r, H, W) made of (..., C, H r, W r): the reverse of `pixel_shuffle`.

    >>> import minigrad as torch
    >>> torch.nn.functional.pixel_unshuffle(torch.ones(1, 2, 6, 4), 2).shape
    torch.Size([1, 8, 3, 2])
    """
    r = _factor("pixel_unshuffle", "downscale_factor", input, downscale_factor)
    if input.shape[-1] % r or input.shape[-2] % r:
        raise RuntimeError(f"pixel_unshuffle: expected height and width to be divisible by "
                           f"downscale_factor={r}, got the input shape {tuple(input.shape)}")
    return _to_channels(input, r)


def _factor(where: str, name: str, input: Any, factor: int) -> int:
    if input.ndim < 3:
        raise RuntimeError(f"{where}: expected at least 3 dimensions, (..., C, H, W), got "
                           f"{input.ndim}")
    if factor <= 0:
        raise RuntimeError(f"{where}: expected a positive {name}, got {factor}")
    return factor


@op(input=lambda g, input_shape, groups: _shuffled(g, input_shape[1] // groups),
    shown="ChannelShuffleBackward0")
def _shuffled(input: Any, groups: int) -> Any:
    n, c, *spatial = input.shape
    x = input.reshape(n, groups, c // groups, *spatial).swapaxes(1, 2)
    return np.ascontiguousarray(x).reshape(input.shape)


@takes("input")
def channel_shuffle(input: Any, groups: int) -> Any:
    """Return (N, C, ...) with the channels of the `groups` groups dealt out in turn.

    Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network, 2018.

    >>> import minigrad as torch
    >>> torch.nn.functional.channel_shuffle(torch.arange(4.).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle: expected input (N, C, ...) with > 2 dims, got shape "
                           f"{tuple(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"channel_shuffle: groups must be positive, got {groups}")
    if input.shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: the number of channels, {input.shape[1]}, must be "
                           f"divisible by groups={groups}")
    return _shuffled(input, groups)
