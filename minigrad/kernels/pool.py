"""Max pooling, its gradient and the positions of the winners, in any number of dimensions.

Arrays x are (N, C, *spatial); options are tuples with one int per spatial axis. Average pooling is
in `_average.py`, adaptive max pooling in `_adaptive_max.py`; both can be imported from here, too.

The winner of a window is its first maximum in row-major order, or its last NaN if there is one.
It is kept as `choice`, its row-major position in the window: one byte per output for windows of up
to 256 elements, against the eight of an index into the input.
"""

from __future__ import annotations

from functools import partial

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
from minigrad.kernels._max import reduce_windows
from minigrad.kernels._planes import in_planes
from minigrad.kernels._windows import Ints, axes, output_size
from minigrad.kernels._winners import choice_dtype, winners_of

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
    y = np.empty(x.shape[:2] + out, x.dtype)
    choice = np.empty(y.shape, choice_dtype(kernel))
    if y.size:
        in_planes(partial(reduce_windows, plan=plan), np.ascontiguousarray(x), y, choice)
    return y, choice


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
    winners = winners_of(tuple(spatial), kernel, stride, padding, dilation, choice.shape[2:])
    dx = np.zeros(g.shape[:2] + tuple(spatial), g.dtype)
    winners.scatter(g, choice, dx)
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
    winners = winners_of(x.shape[2:], kernel, stride, padding, dilation, choice.shape[2:])
    y = np.empty(choice.shape, x.dtype)
    winners.gather(x, choice, y)
    return y


def flat_indices(
    choice: np.ndarray, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> np.ndarray:
    """Return the winners' int64 indices into the flattened spatial axes of one channel."""
    winners = winners_of(tuple(spatial), kernel, stride, padding, dilation, choice.shape[2:])
    return winners.indices(choice)
