"""Elementwise functions of several NumPy calls on large arrays, in long blocks on the threads.

To wake a thread takes about 50 us, and so does every wait of one thread for another at the end of
a call: blocks are so long that a call takes 10 us and more. Blocks that fit the second-level cache
(2^15 elements) made two threads slower than one (measured: selu of 2^21 elements 2.1 ms, with
blocks of 2^18 1.1 ms; one thread 1.9 ms).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad._quiet import quietly
from minigrad.kernels._threads import run

__all__ = ["in_blocks"]

Array = np.ndarray

BLOCK = 1 << 17  # elements
LARGE = 8 * BLOCK  # from here on blocks are twice as long


def in_blocks(function: Callable[..., None], arrays: tuple[Array, ...], *options: Any) -> Array:
    """Return what function(*blocks, out, *options) writes to out, for arrays of one shape.

    The function works element by element and on any strides. The result has the dtype and, as
    NumPy's own functions give it, the memory order of the first array. float16 is computed in
    float32 and rounded once.
    """
    first = arrays[0]
    if first.itemsize == 2:
        wide = tuple([a.astype(np.float32) for a in arrays])
        return in_blocks(function, wide, *options).astype(np.float16)
    result = np.empty_like(first)
    if first.size <= BLOCK:
        function(*arrays, result, *options)
        return result
    if all(a.flags.c_contiguous for a in arrays):
        flat = [a.reshape(-1) for a in (*arrays, result)]
    elif all(a.flags.f_contiguous for a in arrays):
        flat = [a.T.reshape(-1) for a in (*arrays, result)]
    else:
        function(*arrays, result, *options)
        return result

    step = BLOCK if first.size < LARGE else 2 * BLOCK

    def work(index: int) -> None:
        part = slice(index * step, (index + 1) * step)
        quietly(function, *[a[part] for a in flat], *options)

    run(work, -(-first.size // step))
    return result
