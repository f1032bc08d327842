"""Max pooling, its gradient and the positions of the winners, in any number of dimensions.

Arrays x are (N, C, *spatial); options are tuples with one int per spatial axis. Average pooling is
in `_average.py`, adaptive max pooling in `_adaptive_max.py`; both can be imported from here, too.

The winner of a window is its first maximum in row-major order, or its last NaN if there is one.
It is kept as `choice`, its row-major position in the window: one byte per output for windows of up
to 256 elements, against the eight of an index into the input.

The axes are reduced one after the other, the last one first: the first row that has the maximum,
and in that row the first column, is the first maximum in row-major order.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from minigrad.kernels._adaptive_max import (
    adaptive_max_pool,
    gather_flat,
    scatter_flat,
)
from minigrad.kernels._average import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    avg_pool,
    avg_pool_backward,
)
from minigrad.kernels._windows import Axis, Ints, at, axes, output_size, strides

__all__ = [
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "adaptive_max_pool",
    "avg_pool",
    "avg_pool_backward",
    "flat_indices",
    "gather_flat",
    "max_pool",
    "max_pool_backward",
    "max_pool_gather",
    "output_size",
    "scatter_flat",
]


def max_pool(
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of every window and the winner's position in its window.

    x (N, C, *spatial) -> y (N, C, *out), choice (N, C, *out) of uint8, uint16 or uint32. Padding
    never wins; a window that lies in the padding altogether gives -inf.
    """
    spatial = x.shape[2:]
    out = output_size(spatial, kernel, stride, padding, dilation, ceil_mode)
    plan = axes(spatial, kernel, stride, padding, dilation, out)
    y, choice = _reduce(x, plan, nan=False)
    if x.dtype.kind == "f" and np.isnan(y).any():
        y, choice = _reduce(x, plan, nan=True)
    return y, choice


def _reduce(x: np.ndarray, plan: tuple[Axis, ...], nan: bool) -> tuple[np.ndarray, np.ndarray]:
    kind = _choice_dtype(prod(axis.kernel for axis in plan))
    y, choice, weight = x, None, 1
    for index in reversed(range(len(plan))):
        y, choice = _reduce_axis(y, choice, kind, index + 2, plan, weight, nan)
        weight *= plan[index].kernel
    return y, choice


def _choice_dtype(volume: int) -> np.dtype:
    """Return the smallest unsigned dtype that holds range(volume)."""
    return np.min_scalar_type(volume - 1)


def _reduce_axis(
    x: np.ndarray,
    inner: np.ndarray | None,
    kind: np.dtype,
    index: int,
    plan: tuple[Axis, ...],
    weight: int,
    nan: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Reduce one axis; `inner` has the winners' positions along the axes already reduced."""
    axis = plan[index - 2]
    shape = x.shape[:index] + (axis.out,) + x.shape[index + 1 :]
    y = np.empty(shape, x.dtype)
    choice = np.empty(shape, kind)
    seen = axis.out  # outputs seen ... are those with a tap inside so far
    for tap in range(axis.kernel):
        to, source = axis.inside(tap)
        if to.start == to.stop:
            continue
        new = slice(to.start, min(seen, to.stop))
        old = slice(new.stop, to.stop)
        candidates = x[at(index, source)]
        codes = _codes(inner, index, source, tap * weight, kind)
        count = new.stop - new.start
        y[at(index, new)] = candidates[at(index, slice(count))]
        choice[at(index, new)] = _part(codes, index, slice(count))
        if old.start < old.stop:
            rest = slice(count, None)
            codes = _part(codes, index, rest)
            _improve(y[at(index, old)], choice[at(index, old)],
                     candidates[at(index, rest)], codes, nan)
        seen = min(seen, to.start)
    _fill_gaps(y, choice, index, plan, weight)
    return y, choice


def _codes(
    inner: np.ndarray | None, index: int, source: slice, code: int, kind: np.dtype
) -> np.ndarray:
    """Return the positions in the window of what a tap reads; 0-d along the first axis reduced."""
    if inner is None:
        return np.array(code, kind)
    return inner[at(index, source)] + kind.type(code)


def _part(codes: np.ndarray, index: int, part: slice) -> np.ndarray:
    return codes[at(index, part)] if codes.ndim else codes


def _improve(
    y: np.ndarray, choice: np.ndarray, candidates: np.ndarray, codes: np.ndarray, nan: bool
) -> None:
    """Replace what a candidate beats. Later taps have larger codes: the largest that won stays."""
    better = candidates > y
    if nan:
        better |= np.isnan(candidates)
    np.maximum(y, candidates, out=y)
    np.maximum(choice, better * codes, out=choice)


def _fill_gaps(
    y: np.ndarray, choice: np.ndarray, index: int, plan: tuple[Axis, ...], weight: int
) -> None:
    """Give windows without any tap inside the lowest value.

    There are some only if the dilation steps over the whole input. Their code is that of the first
    tap that is not in the left padding, where PyTorch begins its search.
    """
    axis = plan[index - 2]
    gap = np.ones(axis.out, bool)
    for tap in range(axis.kernel):
        gap[axis.inside(tap)[0]] = False
    if not gap.any():
        return
    low = -np.inf if y.dtype.kind == "f" else np.iinfo(y.dtype).min
    code, step = np.zeros((1,) * y.ndim, choice.dtype), 1
    for k in reversed(range(index, y.ndim)):
        first = _first_taps(plan[k - 2]) * step
        code = code + first.reshape((-1,) + (1,) * (y.ndim - 1 - k)).astype(choice.dtype)
        step *= plan[k - 2].kernel
    where = gap.reshape((-1,) + (1,) * (y.ndim - 1 - index))
    np.copyto(y, low, where=where)
    np.copyto(choice, code, where=where)


def _first_taps(axis: Axis) -> np.ndarray:
    """Return for each output the first tap that is not in the left padding."""
    start = axis.padding - np.arange(axis.out) * axis.stride
    return np.maximum(0, -(-start // axis.dilation))


def max_pool_backward(
    g: np.ndarray,
    choice: np.ndarray,
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> np.ndarray:
    """Return dx (N, C, *spatial): each g of the result added where its window's winner is."""
    plan = axes(tuple(spatial), kernel, stride, padding, dilation, choice.shape[2:])
    dx = np.zeros(g.shape[:2] + tuple(spatial), g.dtype)
    for code, taps in enumerate(product(*map(range, kernel))):
        pairs = [axis.inside(tap) for axis, tap in zip(plan, taps, strict=True)]
        to = (slice(None), slice(None), *(pair[0] for pair in pairs))
        target = dx[(slice(None), slice(None), *(pair[1] for pair in pairs))]
        np.add(target, g[to], out=target, where=choice[to] == code)
    return dx


def max_pool_gather(
    x: np.ndarray,
    choice: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> np.ndarray:
    """Return x at the winners (N, C, *out), the adjoint of `max_pool_backward`."""
    plan = axes(x.shape[2:], kernel, stride, padding, dilation, choice.shape[2:])
    y = np.zeros(choice.shape, x.dtype)
    for code, taps in enumerate(product(*map(range, kernel))):
        pairs = [axis.inside(tap) for axis, tap in zip(plan, taps, strict=True)]
        to = (slice(None), slice(None), *(pair[0] for pair in pairs))
        source = x[(slice(None), slice(None), *(pair[1] for pair in pairs))]
        np.copyto(y[to], source, where=choice[to] == code)
    return y


def flat_indices(
    choice: np.ndarray, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> np.ndarray:
    """Return the winners' int64 indices into the flattened spatial axes of one channel."""
    steps = strides(tuple(spatial))
    out = choice.shape[2:]
    taps = np.zeros((), np.int64)
    corner = np.zeros((), np.int64)
    for i, step in enumerate(steps):
        taps = np.add.outer(taps, np.arange(kernel[i]) * dilation[i] * step)
        corner = np.add.outer(corner, (np.arange(out[i]) * stride[i] - padding[i]) * step)
    return taps.reshape(-1)[choice] + corner
