"""Max pooling, its gradient and the positions of the winners, in any number of dimensions.

Arrays x are (N, C, *spatial); options are tuples with one int per spatial axis. Average pooling is
in `_average.py`, adaptive max pooling in `_adaptive_max.py`; both can be imported from here, too.

The winner of a window is its first maximum in row-major order, or its last NaN if there is one.
It is kept as its distance from the window's first element in the flattened channel: one or two
bytes per output, against the eight of an index into the input.
"""

from __future__ import annotations

import numpy as np

from minigrad._quiet import quietly
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
from minigrad.kernels._halves import SMALL
from minigrad.kernels._max import halve, reduce_windows
from minigrad.kernels._planes import in_planes
from minigrad.kernels._windows import Ints, output_size
from minigrad.kernels._winners import distance_dtype, winners_of, winners_to_find

__all__ = [
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "adaptive_max_pool",
    "avg_pool",
    "avg_pool_backward",
    "distance_dtype",
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
    """Return the maximum of every window and how far the winner is from the window's beginning.

    x (N, C, *spatial) -> y (N, C, *out), distance (N, C, *out) of uint8, uint16 or uint32. Padding
    never wins; a window that lies in the padding altogether gives -inf.
    """
    winners = winners_to_find(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    shape = x.shape[:2] + winners.shape
    y, distance = np.empty(shape, x.dtype), np.empty(shape, winners.dtype)
    if y.size:
        x = np.ascontiguousarray(x)
        small = winners.halving and x.size <= SMALL
        if not small or not quietly(halve, x, y, distance, winners):
            in_planes(reduce_windows, (x, y, distance), winners)
    return y, distance


def max_pool_backward(
    g: np.ndarray,
    distance: np.ndarray,
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> np.ndarray:
    """Return dx (N, C, *spatial): each g of the result added where its window's winner is."""
    winners = winners_of(tuple(spatial), kernel, stride, padding, dilation, distance.shape[2:])
    dx = np.zeros(g.shape[:2] + tuple(spatial), g.dtype)
    winners.scatter(g, distance, dx)
    return dx


def max_pool_gather(
    x: np.ndarray,
    distance: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> np.ndarray:
    """Return x at the winners (N, C, *out), the adjoint of `max_pool_backward`."""
    winners = winners_of(x.shape[2:], kernel, stride, padding, dilation, distance.shape[2:])
    y = np.empty(distance.shape, x.dtype)
    winners.gather(x, distance, y)
    return y


def flat_indices(
    distance: np.ndarray, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> np.ndarray:
    """Return the winners' int64 indices into the flattened spatial axes of one channel."""
    winners = winners_of(tuple(spatial), kernel, stride, padding, dilation, distance.shape[2:])
    return winners.indices(distance)
