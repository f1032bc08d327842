"""Pooling: the largest or the average value of windows, of given size or so many per dimension.

Written once for any number of spatial dimensions; input is (N, C, *spatial) or (C, *spatial). Max
pooling picks elements, so that its derivatives of every order are that pick and its adjoint.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .._check import ints, takes
from ..engine import op, wrap
from ..kernels import pool as kernels
from .elementwise import abs, pow, sign
from .piecewise import relu

ndarray = np.ndarray
Ints = tuple[int, ...]


def _batched(x: ndarray, n: int) -> ndarray:
    """Return (N, C, *spatial) of an input that may lack N."""
    return x if x.ndim == n + 2 else x[None]


def _like(y: ndarray, x: ndarray) -> ndarray:
    """Take the batch dimension away again if x has none."""
    return y if y.ndim == x.ndim else y[0]


def _shaped(dx: ndarray, shape: Ints) -> ndarray:
    """Return dx in this shape; not a view if it has it, so that it may become a leaf's `.grad`."""
    return dx if dx.shape == shape else dx.reshape(shape)


def _name(kind: str, kernel_size: Ints) -> str:
    """Return the grad_fn name: PyTorch pools one dimension as two and squeezes."""
    n = len(kernel_size)
    return "SqueezeBackward1" if n == 1 else f"{kind}{n}DBackward0"


def at_once(function: Any, g: Any, *args: Any) -> Any:
    """Call an op: on arrays, as in first-order sweeps, its forward alone, which saves 4 us."""
    return function.op.forward(g, *args) if type(g) is ndarray else function(g, *args)


# ---------------------------------------------------------------------------------------- max
def _max_pool(input: Any, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints,
              ceil_mode: bool) -> Any:
    """Return the maxima, and `choice`, the distance of each from its window's beginning."""
    x = _batched(input, len(kernel_size))
    y, choice = kernels.max_pool(x, kernel_size, stride, padding, dilation, ceil_mode)
    return _like(y, input), _like(choice, input)


_declared: dict[str, Any] = {
    "input": lambda g, choice, input_shape, kernel_size, stride, padding, dilation: at_once(
        _max_spread, g, choice, input_shape, kernel_size, stride, padding, dilation),
    "shown": lambda kernel_size: _name("MaxPool", kernel_size).replace("DB", "DWithIndicesB")}
_max_pool_with_choice: Any = op(**_declared, also="choice")(_max_pool)
_max_pool: Any = op(**_declared, aux="choice")(_max_pool)  # type: ignore[no-redef]


@op(value=lambda g, choice, kernel_size, stride, padding, dilation: _max_gather(
        g, choice, kernel_size, stride, padding, dilation), choice=None)
def _max_spread(value: Any, choice: Any, shape: Ints, kernel_size: Ints, stride: Ints,
                padding: Ints, dilation: Ints) -> Any:
    """Add each value at the place of its window's maximum in zeros of `shape`."""
    n = len(kernel_size)
    dx = kernels.max_pool_backward(_batched(value, n), _batched(choice, n), shape[-n:],
                                   kernel_size, stride, padding, dilation)
    return _shaped(dx, shape)


@op(input=lambda g, choice, input_shape, kernel_size, stride, padding, dilation: _max_spread(
        g, choice, input_shape, kernel_size, stride, padding, dilation), choice=None)
def _max_gather(input: Any, choice: Any, kernel_size: Ints, stride: Ints, padding: Ints,
                dilation: Ints) -> Any:
    """Return the elements at the places where another input had its windows' maxima."""
    n = len(kernel_size)
    y = kernels.max_pool_gather(_batched(input, n), _batched(choice, n), kernel_size, stride,
                                padding, dilation)
    return _like(y, input)


@lru_cache(maxsize=256)
def _check_windows(where: str, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints,
                   dilation: Ints, ceil_mode: bool) -> None:
    for name, values, low in (("kernel_size", kernel, 1), ("stride", stride, 1),
                              ("padding", padding, 0), ("dilation", dilation, 1)):
        if min(values) < low:
            raise RuntimeError(f"{where}: {name} must be at least {low}, got {values}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(f"{where}: padding must be at most half of the window, got padding="
                               f"{padding} for kernel_size={kernel} and dilation={dilation}")
    out = kernels.output_size(spatial, kernel, stride, padding, dilation, ceil_mode)
    if min(out) < 1:
        raise RuntimeError(f"{where}: kernel_size={kernel} with dilation={dilation} is larger than "
                           f"the input with padding={padding} (spatial shape {tuple(spatial)}): "
                           f"the output size would be {out}")


def _options(where: str, spatial: Ints, kernel: Any, stride: Any, padding: Any, dilation: Any,
             ceil_mode: bool) -> tuple[Ints, Ints, Ints, Ints]:
    """Return kernel, stride, padding and dilation as tuples, if they fit; at once if known."""
    for option in (kernel, stride, padding, dilation):
        if type(option) is not int and option is not None:  # tuples of 1 and 1.0 are the same key
            return _fitting(where, spatial, kernel, stride, padding, dilation, ceil_mode)
    return _known_options(where, spatial, kernel, stride, padding, dilation, ceil_mode)


def _fitting(where: str, spatial: Ints, kernel: Any, stride: Any, padding: Any, dilation: Any,
             ceil_mode: bool) -> tuple[Ints, Ints, Ints, Ints]:
    n = len(spatial)
    kernel = ints(kernel, n, where, "kernel_size")
    stride = ints(stride, n, where, "stride") if stride not in (None, (), []) else kernel
    padding, dilation = ints(padding, n, where, "padding"), ints(dilation, n, where, "dilation")
    _check_windows(where, spatial, kernel, stride, padding, dilation, ceil_mode)
    return kernel, stride, padding, dilation


_known_options = lru_cache(maxsize=256)(_fitting)


def _check_shape(where: str, x: Any, n: int) -> None:
    array = x._data
    if array.ndim not in (n + 1, n + 2) or 0 in array.shape[1 - (n + 2 - array.ndim):]:
        raise RuntimeError(f"{where}: Expected {n + 1}D or {n + 2}D (batch mode) input without "
                           f"empty dimensions but the batch, got shape {tuple(x.shape)}")
    if array.dtype.kind == "b":
        raise NotImplementedError(f"{where} is not implemented for bool; convert with .float()")


def _max(n: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
         ceil_mode: bool, return_indices: bool) -> Any:
    where = f"max_pool{n}d"
    _check_shape(where, x, n)
    options = _options(where, x._data.shape[-n:], kernel_size, stride, padding, dilation, ceil_mode)
    kernel, stride, padding, dilation = options
    if not return_indices:
        return _max_pool(x, kernel, stride, padding, dilation, ceil_mode)
    y, choice = _max_pool_with_choice(x, kernel, stride, padding, dilation, ceil_mode)
    places = kernels.flat_indices(_batched(choice._data, n), x.shape[-n:], kernel, stride,
                                  padding, dilation)
    return y, wrap(_like(places, x._data), None)


@takes("input")
def max_pool1d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Return the maximum of each window of `kernel_size` elements of (N, C, L).

    `stride` (default: kernel_size) is the step between windows, `dilation` the one between a
    window's elements; padding counts as -inf. `ceil_mode` keeps a last window that is cut off.
    `return_indices`: also return where the maxima are, for `max_unpool1d`. Of equal elements the
    first one is taken and gets the gradient. RuntimeError if padding > kernel_size / 2.

    >>> import minigrad as torch
    >>> torch.nn.functional.max_pool1d(torch.tensor([[[1., 5., 2., 3.]]]), 2)
    tensor([[[5., 3.]]])
    """
    return _max(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@takes("input")
def max_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Return the maximum of each window of (N, C, H, W); see `max_pool1d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.max_pool2d(torch.arange(16.).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@takes("input")
def max_pool3d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Return the maximum of each window of (N, C, D, H, W); see `max_pool1d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.max_pool3d(torch.ones(1, 2, 4, 4, 4), 2).shape
    torch.Size([1, 2, 2, 2, 2])
    """
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@takes("input")
def max_pool1d_with_indices(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> Any:
    """Return `max_pool1d` and where the maxima are, whatever return_indices says."""
    return _max(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


@takes("input")
def max_pool2d_with_indices(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> Any:
    """Return `max_pool2d` and where the maxima are, whatever return_indices says."""
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


@takes("input")
def max_pool3d_with_indices(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> Any:
    """Return `max_pool3d` and where the maxima are, whatever return_indices says."""
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


# ------------------------------------------------------------------------------------ average
@op(input=lambda g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
    divisor_override: at_once(_average_spread, g, input_shape, kernel_size, stride, padding,
                              ceil_mode, count_include_pad, divisor_override),
    shown=lambda kernel_size: _name("AvgPool", kernel_size))
def _avg_pool(input: Any, kernel_size: Ints, stride: Ints, padding: Ints, ceil_mode: bool,
              count_include_pad: bool, divisor_override: int | None) -> Any:
    y = kernels.avg_pool(_batched(input, len(kernel_size)), kernel_size, stride, padding, ceil_mode,
                         count_include_pad, divisor_override)
    return _like(y, input)


@op(value=lambda g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override:
    _avg_pool(g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override))
def _average_spread(value: Any, shape: Ints, kernel_size: Ints, stride: Ints, padding: Ints,
                    ceil_mode: bool, count_include_pad: bool, divisor_override: int | None) -> Any:
    """Spread each value evenly over its window: the adjoint of `_avg_pool`."""
    n = len(kernel_size)
    dx = kernels.avg_pool_backward(_batched(value, n), shape[-n:], kernel_size, stride, padding,
                                   ceil_mode, count_include_pad, divisor_override)
    return _shaped(dx, shape)


def _avg(n: int, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
         count_include_pad: bool, divisor_override: int | None = None) -> Any:
    where = f"avg_pool{n}d"
    _check_shape(where, x, n)
    kernel, stride, padding, _ = _options(where, x._data.shape[-n:], kernel_size, stride, padding,
                                          1, ceil_mode)
    if divisor_override == 0:
        raise RuntimeError(f"{where}: divisor_override must not be zero; leave it out to divide by "
                           f"the size of the window")
    return _avg_pool(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)


@takes("input")
def avg_pool1d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Any:
    """Return the average of each window of `kernel_size` elements of (N, C, L).

    `stride` (default: kernel_size) is the step between windows; padding counts as zeros, with
    `count_include_pad=False` not at all. `ceil_mode` keeps a last window that is cut off.

    >>> import minigrad as torch
    >>> torch.nn.functional.avg_pool1d(torch.tensor([[[1., 5., 2., 3.]]]), 2)
    tensor([[[3.0000, 2.5000]]])
    """
    return _avg(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@takes("input")
def avg_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Any:
    """Return the average of each window of (N, C, H, W); see `avg_pool1d`.

    `divisor_override`: divide the sums by this number instead of the windows' sizes.

    >>> import minigrad as torch
    >>> torch.nn.functional.avg_pool2d(torch.arange(16.).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return _avg(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                divisor_override)


@takes("input")
def avg_pool3d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Any:
    """Return the average of each window of (N, C, D, H, W); see `avg_pool2d`.

    >>> import minigrad as torch
    >>> torch.nn.functional.avg_pool3d(torch.ones(1, 2, 4, 4, 4), 2).shape
    torch.Size([1, 2, 2, 2, 2])
    """
    return _avg(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                divisor_override)


def _lp(n: int, x: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Any:
    kernel = ints(kernel_size, n, f"lp_pool{n}d", "kernel_size")
    out = _avg(n, pow(x, norm_type), kernel, stride, 0, ceil_mode, True)
    return pow(sign(out) * relu(abs(out)) * int(np.prod(kernel)), 1.0 / norm_type)


def lp_pool1d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """Return the p-norm of each window of (N, C, L): (sum of x ** p) ** (1 / p).

    As in PyTorch the powers are of x, not of |x|, and the gradient where a sum is 0 is nan.

    >>> import minigrad as torch
    >>> torch.nn.functional.lp_pool1d(torch.tensor([[[3., 4.]]]), 2, 2)
    tensor([[[5.]]])
    """
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """Return the p-norm of each window of (N, C, H, W); see `lp_pool1d`."""
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """Return the p-norm of each window of (N, C, D, H, W); see `lp_pool1d`."""
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)
