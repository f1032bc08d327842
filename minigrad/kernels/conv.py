"""Convolution, its input gradient and its weight gradient, in any number of dimensions.

The three are each other's derivatives: <g, conv(x, w)> is linear in g, x and w, and

    <g, conv(x, w)> = <conv_input(g, w), x> = <conv_weight(g, x), w>.

How each is computed is chosen by shapes alone, and the constants named can be set to force it:

* What is small, by the measures in `_small_conv`, is computed there with the fewest calls; what is
  one chunk without threads, in `_single_conv`.
* Matrix products over columns (`_correlate`) are the rule. `lowering` tells how the columns are
  copied: in long `runs` where it can, line by line elsewhere, not at all for 1x1 kernels. `_chunks`
  cuts the batch, and images, into chunks of at most CHUNK_BYTES of columns; from PIECE
  multiplications on there are at least two, for two threads. Below NARROW (or SLIM) positions the
  images of a chunk lie side by side. Of long lines less is copied (`_lines`).
* The input gradient for stride 1 is a convolution of g with the turned weights. For a stride it is
  one such convolution for each phase of x, or one product where no taps overlap (`patches`).
  Where x has few channels or many positions, the columns of dx are computed instead, and added up
  tap by tap (`scatter`); ADD weighs the additions.
* With stride 1 the input gradient and the weight gradient may share the columns of g (`both`), or
  those that move in the inner axes only (`_folded`); the way with the lowest estimate is taken.
* Winograd's algorithm (`_winograd`) for 3x3 kernels from CHANNELS channels on.

Arrays are NumPy's, of any strides; results are C-contiguous. float16 is computed in float32 and
rounded once. Options are tuples with one int per spatial axis; padding is with zeros, symmetric.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from minigrad.kernels import _correlate, _folded, _lines, _winograd
from minigrad.kernels._chunks import COPY
from minigrad.kernels._product import cuttable
from minigrad.kernels._single_conv import ForwardSingle, WeightSingle
from minigrad.kernels._small_conv import VECTOR, Back, Fold, Forward, Weight, channel_sums, find
from minigrad.kernels._threads import one_blas_thread
from minigrad.kernels.lowering import Ints, Lowering, lowering, output_size

__all__ = ["conv", "conv_backward", "conv_bias", "conv_input", "conv_weight", "output_size"]

SHARED, FOLDED = 1.0, 1.1  # weights of these ways' estimated times; folded makes more calls
ADD = 60  # multiplications in the time of adding one number of the columns to dx
# the ways to compute what is not large, the first that fits is taken
FORWARD, WEIGHT = (Forward, ForwardSingle), (Weight, WeightSingle)
INPUT, BOTH = (Back, Fold), (Back,)


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


def _rows(
    w: np.ndarray, groups: int, dtype: np.dtype, bias: np.ndarray | None = None
) -> np.ndarray:
    """Return w (K, C, *k) as the matrices (G, K / G, C * prod(k)), with the bias as last column."""
    w = w.reshape(groups, len(w) // groups, -1)
    if bias is None:
        return np.ascontiguousarray(w, dtype)
    rows = np.empty((*w.shape[:2], w.shape[2] + 1), dtype)
    rows[..., :-1] = w
    rows[..., -1] = bias.reshape(groups, -1)
    return rows


def _turned(w: np.ndarray, groups: int) -> np.ndarray:
    """Return the weights (G * C, K / G, *k) of the convolution that is the adjoint."""
    w = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)  # (G, C, K / G, *k)
    w = w.reshape(-1, *w.shape[2:])
    return np.flip(w, tuple(range(2, w.ndim)))


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
    small = find(FORWARD, x.shape, w.shape, stride, padding, dilation, groups, x.dtype, w.dtype)
    if small is not None:
        return small(x, w, bias)
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
    out = y.shape[2:]
    if _winograd.applies(x, w, stride + dilation, groups, out):
        bias = None if bias is None else bias.astype(y.dtype, copy=False).reshape(-1, 1, 1)
        _winograd.correlate(x, w.astype(y.dtype, copy=False), padding, bias, y)
        return
    plan = lowering(x.shape[2:], w.shape[2:], stride, padding, dilation, out)
    x, results = _split(x, groups, y.dtype), _flat(y, groups, y.dtype)
    if _lines.applies(plan, w.shape[1], len(w) // groups, y.dtype):
        _lines.correlate(plan, x, _lines.rows(w, groups, y.dtype), results, bias)
        return
    ones = bias is not None and not (plan.identity or plan.patches)
    rows = _rows(w, groups, y.dtype, bias if ones else None)
    _correlate.correlate(plan, x, rows, results, ones)
    if bias is not None and not ones:
        y += bias.reshape(-1, *(1,) * len(out))


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
    shape = (len(g), w.shape[1] * groups, *spatial)
    small = find(INPUT, shape, w.shape, stride, padding, dilation, groups, g.dtype, w.dtype)
    if small is not None and small.shape == g.shape:
        return small(g, None, w, False)[0]
    result, dtype = _compute_dtype(g, w)
    if not g.size or not w.size:
        return np.zeros(shape, result)
    plan = lowering(spatial, w.shape[2:], stride, padding, dilation, g.shape[2:])
    if _scatters(plan, w, groups) and prod(shape):
        dx = np.zeros(shape, dtype)
        turned = _rows(w, groups, dtype).swapaxes(1, 2)
        _correlate.scatter(plan, _flat(g, groups, dtype), turned, _split(dx, groups, dtype))
        return dx.astype(result, copy=False)
    if max(stride) == 1:
        dx = np.empty(shape, dtype)
        if dx.size:
            unit, turned = (1,) * len(spatial), _turned(w, groups)
            margin = _margin(w.shape[2:], padding, dilation)
            _compute(g, turned, unit, margin, dilation, groups, None, dx)
        return dx.astype(result, copy=False)
    dx = np.zeros(shape, dtype)
    if dx.size and plan.patches:
        turned = _rows(w, groups, dtype).swapaxes(1, 2)
        _correlate.spread_tiles(plan, _flat(g, groups, dtype), turned, _split(dx, groups, dtype))
    elif dx.size:
        phases = _phases(plan, w, groups, dtype)
        if phases:  # else all windows lie in the padding
            _correlate.correlate_phases(phases, _split(g, groups, dtype), _split(dx, groups, dtype))
    return dx.astype(result, copy=False)


def _scatters(plan: Lowering, w: np.ndarray, groups: int) -> bool:
    """Tell whether adding up products tap by tap costs less than copying the columns of g."""
    if plan.identity or plan.patches:
        return False
    filters, channels = len(w) // groups, w.shape[1]
    copied = prod(plan.spatial) / prod(plan.stride) * filters * (channels + COPY)
    return plan.positions * channels * (filters + ADD) < copied


def _margin(kernel: Ints, padding: Ints, dilation: Ints) -> Ints:
    """Return the padding of the adjoint convolution (stride 1); where negative, it crops."""
    return tuple((k - 1) * d - p for k, d, p in zip(kernel, dilation, padding, strict=True))


def _phases(
    plan: Lowering, w: np.ndarray, groups: int, dtype: np.dtype
) -> list[_correlate.Phase]:
    """Return the convolutions of g, with stride 1, whose results are the phases of dx.

    Along an axis, dx[q * stride + phase] = sum over taps t of the phase of w[t] g[q - shift(t)].
    Turned round, t = last - i, that is a convolution with padding shift(last).
    """
    found = []
    for phases in product(*(axis.used for axis in plan.axes)):
        taps, pads, steps, where, sizes = [], [], [], [], []
        for axis, phase in zip(plan.axes, phases, strict=True):
            part, count, first, step = axis.taps(phase)
            taps.append(part)
            pads.append(first + (count - 1) * step)
            steps.append(max(step, 1))
            where.append(slice(phase, None, axis.stride))
            sizes.append(max(0, -(-(axis.size - phase) // axis.stride)))
        if not prod(sizes):
            continue
        these: Any = (..., *taps)
        turned = _turned(w[these], groups)
        unit = (1,) * len(sizes)
        each = lowering(
            plan.out, turned.shape[2:], unit, tuple(pads), tuple(steps), tuple(sizes)
        )
        rows = _rows(turned, groups, dtype)
        found.append(_correlate.Phase(each, rows, tuple(where)))
    return found


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
    return _weight(g, x, kernel, stride, padding, dilation, groups, False)[0]


def _weight(
    g: np.ndarray,
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    with_bias: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the gradients for the weight and, if asked, for the bias."""
    filters, channels = g.shape[1] // groups, x.shape[1] // groups
    shape = (filters * groups, channels, *kernel)
    small = find(WEIGHT, x.shape, shape, stride, padding, dilation, groups, g.dtype, x.dtype)
    if small is not None and small.shape == g.shape:
        return small(g, x, with_bias)
    result, dtype = _compute_dtype(g, x)
    if not g.size or not x.size:
        return np.zeros(shape, result), conv_bias(g) if with_bias else None
    plan = lowering(x.shape[2:], kernel, stride, padding, dilation, g.shape[2:])
    ones = with_bias and not plan.identity and not plan.patches
    ones = ones and cuttable(channels * plan.taps + 1)
    dw = _correlate.contract(plan, _flat(g, groups, dtype), _split(x, groups, dtype), ones)
    db = conv_bias(g) if with_bias and not ones else None
    if ones:
        db = dw[..., -1].astype(g.dtype).reshape(-1)
        dw = dw[..., :-1]
    return np.ascontiguousarray(dw, result).reshape(shape), db


def conv_backward(
    g: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Return the gradients of `conv` for its input, weight and bias; `needs` says for which.

    >>> g, x, w = np.ones((1, 1, 3)), np.arange(5.0).reshape(1, 1, 5), np.ones((1, 1, 3))
    >>> conv_backward(g, x, w, stride=(2,), padding=(1,), dilation=(1,), groups=1)[1:]
    (array([[[4., 6., 4.]]]), array([3.]))
    """
    options = stride, padding, dilation, groups
    wants_x, wants_w, wants_b = needs
    if wants_x and x.dtype == w.dtype:
        small = find(BOTH, x.shape, w.shape, *options, g.dtype, x.dtype)
        if small is not None:
            return small(g, x if wants_w else None, w, wants_b)
    if wants_x and wants_w and max(stride) == 1:
        way = _way(x.shape, w.shape, g.shape[2:], groups)
        if way is not None:
            return *way(g, x, w, padding, dilation, groups), conv_bias(g) if wants_b else None
    dx = conv_input(g, w, x.shape[2:], *options) if wants_x else None
    if not wants_w:
        return dx, None, conv_bias(g) if wants_b else None
    return dx, *_weight(g, x, w.shape[2:], *options, wants_b)


@lru_cache(maxsize=1024)
def _way(
    x: Ints, w: Ints, out: Ints, groups: int
) -> Callable[..., tuple[np.ndarray, np.ndarray]] | None:
    """Return what computes both gradients from columns of g, for stride 1; None: each by itself.

    x and w are shapes. The estimates are for an image and a group, in multiplications.
    """
    images, spatial, channels, filters, kernel = x[0], x[2:], w[1], w[0] // groups, w[2:]
    if 0 in (*x, *w, *out):
        return None
    columns = prod(spatial) * filters * prod(kernel)
    rows = prod(out) * channels * prod(kernel)
    apart = rows * (filters + COPY) + min(rows * (filters + ADD), columns * (channels + COPY))
    shared = SHARED * columns * (2 * channels + COPY)
    if images > 1 and _folded.fits(filters, kernel, out, spatial):
        folded = FOLDED * _folded.cost(channels, filters, kernel, out, spatial)
        if folded < min(apart, shared):
            return _both_folded
    return _both if shared < apart else None


def _both_folded(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, padding: Ints, dilation: Ints, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients for input and weight, for stride 1."""
    result, dtype = _compute_dtype(g, x)
    dx = np.zeros(x.shape, dtype)
    each = w.astype(dtype, copy=False).reshape(groups, -1, *w.shape[1:])
    split = _split(g, groups, dtype), each, _split(x, groups, dtype), _split(dx, groups, dtype)
    dw = _folded.both(*split, padding, dilation)
    return dx.astype(result, copy=False), np.ascontiguousarray(dw, result).reshape(w.shape)


def _both(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, padding: Ints, dilation: Ints, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients for input and weight, for stride 1.

    With u = o + t * dilation - padding both read g where u - t * dilation + padding is inside:

        dx[c, u] = sum over k, t of  w[k, c, t] g[k, u - t * dilation + padding]
        dw[k, c, t] = sum over n, u of  x[c, u] g[k, u - t * dilation + padding].

    The columns are those of a convolution with the taps in the opposite order.
    """
    result, dtype = _compute_dtype(g, x)
    kernel = w.shape[2:]
    margin = _margin(kernel, padding, dilation)
    plan = lowering(g.shape[2:], kernel, (1,) * len(kernel), margin, dilation, x.shape[2:])
    dx = np.empty(x.shape, dtype)
    rows = _rows(_turned(w, groups), groups, dtype)
    images = _split(g, groups, dtype), rows, _flat(x, groups, dtype), _flat(dx, groups, dtype)
    dw = _correlate.both(plan, *images)
    dw = dw.reshape(groups, x.shape[1] // groups, g.shape[1] // groups, -1)
    dw = dw[..., ::-1].swapaxes(1, 2)
    dw = np.ascontiguousarray(dw, result).reshape(w.shape)
    return dx.astype(result, copy=False), dw


def conv_bias(g: np.ndarray) -> np.ndarray:
    """Return the gradient of `conv` for its bias: g (N, K, *out) summed over all but K.

    >>> conv_bias(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    result, dtype = _compute_dtype(g, g)
    if dtype.kind != "f" or not g.size:
        return np.add.reduce(g, axis=(0, *range(2, g.ndim)), dtype=dtype).astype(result)
    # BLAS adds faster than a reduction; on one thread, or the bits could depend on their number
    g = g.astype(dtype, copy=False)
    sums = channel_sums(g) if g.size <= VECTOR else one_blas_thread(channel_sums, g)
    return sums.astype(result, copy=False)
