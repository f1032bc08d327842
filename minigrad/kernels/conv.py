"""Convolution, its input gradient and its weight gradient, in any number of dimensions.

The three are each other's derivatives: <g, conv(x, w)> is linear in g, x and w, and

    <g, conv(x, w)> = <conv_input(g, w), x> = <conv_weight(g, x), w>.

Arrays are NumPy's, of any strides; results are C-contiguous. float16 is computed in float32 and
rounded once. Options are tuples with one int per spatial axis; padding is with zeros, symmetric.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.kernels import _correlate, _winograd
from minigrad.kernels._threads import one_blas_thread
from minigrad.kernels.lowering import Ints, lowering, output_size

__all__ = ["conv", "conv_bias", "conv_input", "conv_weight", "output_size"]


def _compute_dtype(a: np.ndarray, b: np.ndarray) -> tuple[np.dtype, np.dtype]:
    """Return the dtype of the result and the one to compute in."""
    result = a.dtype if a.dtype == b.dtype else np.result_type(a, b)
    return result, np.dtype(np.float32) if result == np.float16 else result


def _split(a: np.ndarray, groups: int, dtype: np.dtype) -> np.ndarray:
    """Return (N, G, C, *spatial) in a dtype."""
    a = a.astype(dtype, copy=False)
    return a.reshape(a.shape[0], groups, a.shape[1] // groups, *a.shape[2:])


def _flat(g: np.ndarray, groups: int, dtype: np.dtype) -> np.ndarray:
    """Return (N, G, K, o0, row), contiguous, in a dtype."""
    g = np.ascontiguousarray(g, dtype)
    return g.reshape(g.shape[0], groups, g.shape[1] // groups, g.shape[2], prod(g.shape[3:]))


def _taps(w: np.ndarray, groups: int, dtype: np.dtype) -> np.ndarray:
    """Return w (K, C, k0, *k) as the matrices (k0, G, K / G, prod(k) * C)."""
    filters, channels, first = w.shape[:3]
    w = w.reshape(groups, filters // groups, channels, first, -1).transpose(3, 0, 1, 4, 2)
    return np.ascontiguousarray(w, dtype).reshape(first, groups, filters // groups, -1)


def conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    """Return y[n, k, o] = sum over c, t of w[k, c, t] x[n, c, o * stride + t * dilation - padding].

    x (N, C, *spatial), w (K, C / groups, *kernel), bias (K,) -> y (N, K, *out).

    >>> x, w = np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, 0.0, -1.0]]])
    >>> conv(x, w, stride=(2,), padding=(1,), dilation=(1,), groups=1)
    array([[[-1., -2.,  3.]]])
    """
    result, dtype = _compute_dtype(x, w)
    out = output_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.empty((len(x), len(w), *out), dtype)
    if not w.size:
        y[...] = 0 if bias is None else bias.reshape(-1, *(1,) * len(out))
    elif y.size:
        _compute(x, w, stride, padding, dilation, groups, bias, y)
    return y.astype(result, copy=False)


def _compute(
    x: np.ndarray,
    w: np.ndarray,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    bias: np.ndarray | None,
    y: np.ndarray,
) -> None:
    """Write the convolution into y, in the dtype of y; every array has elements."""
    x = x.astype(y.dtype, copy=False)
    if bias is not None:
        bias = bias.astype(y.dtype, copy=False)
    out = y.shape[2:]
    if _winograd.applies(x, w, stride + dilation, groups, out):
        bias = None if bias is None else bias.reshape(-1, 1, 1)
        _winograd.correlate(x, w.astype(y.dtype, copy=False), padding, bias, y)
        return
    bias = None if bias is None else bias.reshape(groups, -1, 1)
    plan = lowering(x.shape[2:], w.shape[2:], stride, padding, dilation, out)
    taps, results = _taps(w, groups, y.dtype), _flat(y, groups, y.dtype)
    _correlate.correlate(plan, _split(x, groups, y.dtype), taps, bias, results)


def conv_input(
    g: np.ndarray,
    w: np.ndarray,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Return the gradient of `conv` for its input, which is also called transposed convolution.

    g (N, K, *out), w (K, C / groups, *kernel) -> dx (N, C, *spatial). The sizes `spatial` are an
    argument, as with strides several of them have the same `out`.

    >>> g, w = np.ones((1, 1, 3)), np.array([[[1.0, 0.0, -1.0]]])
    >>> conv_input(g, w, (5,), stride=(2,), padding=(1,), dilation=(1,), groups=1)
    array([[[0., 0., 0., 0., 0.]]])
    """
    result, dtype = _compute_dtype(g, w)
    shape = (len(g), w.shape[1] * groups, *spatial)
    if not g.size or not w.size:
        return np.zeros(shape, result)
    if _correlate.is_depthwise(groups, w.shape[1], len(w) // groups):
        g, stride = _spread(g, stride), (1,) * len(stride)
    if max(stride) == 1:
        dx = np.empty(shape, dtype)
        if dx.size:
            _correlate_flipped(g, w, padding, dilation, groups, dx)
        return dx.astype(result, copy=False)
    dx = np.zeros(shape, dtype)
    if dx.size:
        plan = lowering(spatial, w.shape[2:], stride, padding, dilation, g.shape[2:])
        taps, images = _taps(w, groups, dtype), _split(dx, groups, dtype)
        _correlate.scatter(plan, _flat(g, groups, dtype), taps, images)
    return dx.astype(result, copy=False)


def _spread(g: np.ndarray, stride: Ints) -> np.ndarray:
    """Put g, with zeros between, where a convolution of stride 1 would have its results."""
    if max(stride) == 1:
        return g
    sizes = tuple((n - 1) * s + 1 for n, s in zip(g.shape[2:], stride, strict=True))
    full = np.zeros((*g.shape[:2], *sizes), g.dtype)
    every: Any = tuple(slice(None, None, s) for s in stride)
    full[..., *every] = g
    return full


def _correlate_flipped(
    g: np.ndarray, w: np.ndarray, padding: Ints, dilation: Ints, groups: int, dx: np.ndarray
) -> None:
    """Compute dx[c, u] = sum over k, t of w[k, c, t] g[k, u - t * dilation + padding].

    With t = kernel - 1 - s this is the correlation of g with the flipped w, padded by
    (kernel - 1) * dilation - padding; where that is negative, it crops.
    """
    kernel = w.shape[2:]
    turned = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)  # (G, C, K, *kernel)
    turned = np.flip(turned, tuple(range(3, turned.ndim)))
    turned = turned.reshape(-1, *turned.shape[2:])
    margin = tuple((k - 1) * d - p for k, d, p in zip(kernel, dilation, padding, strict=True))
    unit = (1,) * len(kernel)
    _compute(g, turned, unit, margin, dilation, groups, None, dx)


def conv_weight(
    g: np.ndarray,
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Return the gradient of `conv` for its weight.

    g (N, K, *out), x (N, C, *spatial) -> dw (K, C / groups, *kernel).

    >>> g, x = np.ones((1, 1, 3)), np.arange(5.0).reshape(1, 1, 5)
    >>> conv_weight(g, x, (3,), stride=(2,), padding=(1,), dilation=(1,), groups=1)
    array([[[4., 6., 4.]]])
    """
    result, dtype = _compute_dtype(g, x)
    filters, channels = g.shape[1] // groups, x.shape[1] // groups
    if not g.size or not x.size:
        return np.zeros((filters * groups, channels, *kernel), result)
    plan = lowering(x.shape[2:], kernel, stride, padding, dilation, g.shape[2:])
    x = _split(x, groups, dtype)
    dw = _correlate.contract(plan, _flat(g, groups, dtype), x)
    dw = dw.reshape(kernel[0], groups, -1, channels, filters).transpose(1, 4, 3, 0, 2)
    return np.ascontiguousarray(dw, result).reshape(filters * groups, channels, *kernel)


def conv_bias(g: np.ndarray) -> np.ndarray:
    """Return the gradient of `conv` for its bias: g (N, K, *out) summed over all but K.

    >>> conv_bias(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    _, dtype = _compute_dtype(g, g)
    if dtype.kind != "f" or not g.size:
        return np.add.reduce(g, axis=(0, *range(2, g.ndim)), dtype=dtype).astype(g.dtype)
    rows = np.ascontiguousarray(g, dtype).reshape(len(g) * g.shape[1], -1)
    ones = np.ones(rows.shape[1], dtype)
    # BLAS adds faster than a reduction does; on one thread, or the bits could depend on their number
    sums = one_blas_thread(np.matmul, rows, ones)
    return np.add.reduce(sums.reshape(len(g), -1), axis=0).astype(g.dtype, copy=False)
