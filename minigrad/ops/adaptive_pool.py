"""Adaptive pooling to an output of given size, and unpooling.

Window o of an axis of n elements and m outputs reaches from floor(o n / m) to ceil((o + 1) n / m).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._check import floats, ints, takes
from ..engine import op
from ..kernels import pool as kernels
from .pool import _batched, _check_shape, _like, _name, _shaped, at_once

ndarray = np.ndarray
Ints = tuple[int, ...]


def _average_name(output_size: Ints) -> str:
    """PyTorch takes the mean where there is one window."""
    mean = len(output_size) > 1 and set(output_size) == {1}
    return "MeanBackward1" if mean else _name("AdaptiveAvgPool", output_size)


@op(input=lambda g, input_shape, output_size: at_once(
        _average_spread, g, input_shape, output_size),
    shown=_average_name)
def _average(input: Any, output_size: Ints) -> Any:
    x = _batched(input, len(output_size))
    return _like(kernels.adaptive_avg_pool(x, output_size), input)


@op(value=lambda g, output_size: _average(g, output_size))
def _average_spread(value: Any, shape: Ints, output_size: Ints) -> Any:
    """Spread each value evenly over its window: the adjoint of `_average`."""
    n = len(output_size)
    dx = kernels.adaptive_avg_pool_backward(_batched(value, n), shape[-n:])
    return _shaped(dx, shape)


@op(input=lambda g, indices, input_shape, output_size: spread(
        g, indices, input_shape, len(output_size)),
    also="indices", shown=lambda output_size: _name("AdaptiveMaxPool", output_size))
def _maximum(input: Any, output_size: Ints) -> Any:
    x = _batched(input, len(output_size))
    y, indices = kernels.adaptive_max_pool(x, output_size)
    return _like(y, input), _like(indices, input)


@op(value=lambda g, indices, n: gather(g, indices, n), indices=None,
    shown="MaxUnpool2DBackward0")
def spread(value: Any, indices: Any, shape: Ints, n: int) -> Any:
    """Add each value at its index into the last n dimensions, flattened, of zeros of `shape`."""
    dx = kernels.scatter_flat(_batched(value, n), _batched(indices, n), shape[-n:])
    return _shaped(dx, shape)


@op(input=lambda g, indices, input_shape, n: spread(g, indices, input_shape, n), indices=None)
def gather(input: Any, indices: Any, n: int) -> Any:
    """Return the elements at indices into the last n dimensions, flattened."""
    return _like(kernels.gather_flat(_batched(input, n), _batched(indices, n)), input)


# ------------------------------------------------------------------------ the public functions
def _sizes(where: str, x: Any, n: int, output_size: Any) -> Ints:
    """Return the output sizes; None keeps the size of the input."""
    if n > 1 and isinstance(output_size, (tuple, list)) and x.ndim <= len(output_size):
        raise ValueError(f"{where}: expected an input of at least {len(output_size) + 1} "
                         f"dimensions for output_size={output_size}, got {x.ndim}")
    _check_shape(where, x, n)
    floats(where, x._data)
    if isinstance(output_size, (tuple, list)) and n > 1:
        if len(output_size) != n:
            raise RuntimeError(f"{where}: output_size must have {n} numbers, got {output_size}")
        output_size = tuple(size if o is None else o
                            for o, size in zip(output_size, x.shape[-n:], strict=True))
    sizes = ints(output_size, n, where, "output_size")
    if min(sizes) < 0:
        raise RuntimeError(f"{where}: output_size must not be negative, got {sizes}")
    return sizes


@takes("input")
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """Return averages over `output_size` windows that cover the last dimension of (N, C, L).

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_avg_pool1d(torch.arange(5.).reshape(1, 5), 2)
    tensor([[1., 3.]])
    """
    return _average(input, _sizes("adaptive_avg_pool1d", input, 1, output_size))


@takes("input", error=AttributeError)
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Return averages over a grid of `output_size` windows that cover (N, C, H, W).

    `output_size`: one number, or one per dimension, where None keeps the size of the input.

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 8, 7, 9), (3, None)).shape
    torch.Size([1, 8, 3, 9])
    """
    return _average(input, _sizes("adaptive_avg_pool2d", input, 2, output_size))


@takes("input", error=AttributeError)
def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """Return averages over a grid of windows that cover (N, C, D, H, W): `adaptive_avg_pool2d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_avg_pool3d(torch.ones(1, 2, 4, 5, 6), 2).shape
    torch.Size([1, 2, 2, 2, 2])
    """
    return _average(input, _sizes("adaptive_avg_pool3d", input, 3, output_size))


def _adaptive_max(n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    y, indices = _maximum(input, _sizes(f"adaptive_max_pool{n}d", input, n, output_size))
    return (y, indices) if return_indices else y


@takes("input")
def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Return the maxima of `output_size` windows that cover the last dimension of (N, C, L).

    `return_indices`: also return where they are, for `max_unpool1d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_max_pool1d(torch.arange(5.).reshape(1, 5), 2)
    tensor([[2., 4.]])
    """
    return _adaptive_max(1, input, output_size, return_indices)


@takes("input", error=AttributeError)
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Return the maxima of a grid of windows that cover (N, C, H, W): `adaptive_max_pool1d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_max_pool2d(torch.arange(9.).reshape(1, 3, 3), 1)
    tensor([[[8.]]])
    """
    return _adaptive_max(2, input, output_size, return_indices)


@takes("input", error=AttributeError)
def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Return the maxima of a grid of windows that cover (N, C, D, H, W): `adaptive_max_pool1d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.adaptive_max_pool3d(torch.ones(1, 2, 4, 5, 6), 2).shape
    torch.Size([1, 2, 2, 2, 2])
    """
    return _adaptive_max(3, input, output_size, return_indices)


@takes("input")
def adaptive_max_pool1d_with_indices(input: Any, output_size: Any,
                                     return_indices: bool = False) -> Any:
    """Return `adaptive_max_pool1d` and where the maxima are, whatever return_indices says."""
    return _adaptive_max(1, input, output_size, True)


@takes("input", error=AttributeError)
def adaptive_max_pool2d_with_indices(input: Any, output_size: Any,
                                     return_indices: bool = False) -> Any:
    """Return `adaptive_max_pool2d` and where the maxima are, whatever return_indices says."""
    return _adaptive_max(2, input, output_size, True)


@takes("input", error=AttributeError)
def adaptive_max_pool3d_with_indices(input: Any, output_size: Any,
                                     return_indices: bool = False) -> Any:
    """Return `adaptive_max_pool3d` and where the maxima are, whatever return_indices says."""
    return _adaptive_max(3, input, output_size, True)


# ------------------------------------------------------------------------------------ unpooling
@op(input=lambda g, indices, n: gather(g, indices, n), indices=None,
    shown=lambda n: "SqueezeBackward1" if n == 1 else f"MaxUnpool{n}DBackward0")
def _unpool(input: Any, indices: Any, size: Ints, n: int) -> Any:
    """Write each element at its index into zeros; of elements with one index the last one stays."""
    lead = input.shape[:input.ndim - n]
    places = math.prod(size)
    if indices.size and not (indices.min() >= 0 and indices.max() < places):
        bad = indices[(indices < 0) | (indices >= places)].flat[0]
        raise RuntimeError(f"max_unpool{n}d: Found an invalid max index: {bad} for the output size "
                           f"{size}; give the output_size that was pooled")
    y = np.zeros((math.prod(lead), places), input.dtype)
    rows = np.arange(len(y))[:, None]
    y[rows, indices.reshape(len(y), -1)] = input.reshape(len(y), -1)
    return y.reshape(*lead, *size)


def _max_unpool(n: int, input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any,
                output_size: Any) -> Any:
    where = f"max_unpool{n}d"
    kernel = ints(kernel_size, n, where, "kernel_size")
    stride = kernel if stride in (None, (), []) else ints(stride, n, where, "stride")
    padding = ints(padding, n, where, "padding")
    _check_shape(where, input, n)
    if indices._data.dtype != np.int64:
        raise RuntimeError(f"{where}: indices should be int64, got {indices.dtype}")
    if indices._data.shape != input._data.shape:
        raise RuntimeError(f"{where}: Expected indices of the shape of the input, "
                           f"{tuple(input.shape)}, got {tuple(indices.shape)}")
    size = tuple((o - 1) * s + k - 2 * p for o, s, k, p in zip(
        input.shape[-n:], stride, kernel, padding, strict=True))
    if output_size is not None:
        asked = tuple(int(o) for o in output_size)[-n:]
        if len(output_size) not in (n, n + 1, n + 2) or not all(
                d - s < a < d + s for a, d, s in zip(asked, size, stride, strict=True)):
            raise ValueError(f"{where}: invalid output_size {tuple(output_size)}: expected {size}, "
                             f"each less than one stride {stride} larger or smaller")
        size = asked
    return _unpool(input, indices, size, n)


@takes("input", "indices", error=AttributeError)
def max_unpool1d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Any:
    """Return zeros with the maxima of `max_pool1d(..., return_indices=True)` where they were.

    `output_size`: the size that was pooled, where it does not follow from the others.

    >>> import minigrad as torch
    >>> F = torch.nn.functional
    >>> y, where = F.max_pool1d(torch.tensor([[1., 5., 2., 3.]]), 2, return_indices=True)
    >>> F.max_unpool1d(y, where, 2)
    tensor([[0., 5., 0., 3.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@takes("input", "indices", error=AttributeError)
def max_unpool2d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Any:
    """Return zeros with the maxima of `max_pool2d` where they were; see `max_unpool1d`."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@takes("input", "indices", error=AttributeError)
def max_unpool3d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Any:
    """Return zeros with the maxima of `max_pool3d` where they were; see `max_unpool1d`."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
