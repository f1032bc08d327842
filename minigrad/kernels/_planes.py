"""Work on images cut into planes (images x channels), on the threads where there are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad._quiet import hush, unhush
from minigrad.kernels._blocks import each_block

__all__ = ["in_planes"]

BLOCK = 1 << 19  # elements: with smaller blocks two threads wait for each other more than they gain


def in_planes(
    function: Callable[..., None], arrays: tuple[np.ndarray, ...], *options: Any
) -> None:
    """Call function(*blocks, *options) for non-empty arrays (N, C, ...) in blocks (planes, ...).

    Arrays that the function writes to must be contiguous. Infinities and NaNs are no warnings.
    """
    planes = arrays[0].shape[0] * arrays[0].shape[1]
    flat = [a.reshape(planes, *a.shape[2:]) for a in arrays]
    size = max([a.size for a in flat])
    if size <= BLOCK:
        loud = hush()
        try:
            function(*flat, *options)
        finally:
            unhush(loud)
        return
    step = max(1, BLOCK * planes // size)

    def work(index: int) -> None:
        part = slice(index * step, (index + 1) * step)
        function(*[a[part] for a in flat], *options)

    each_block(work, -(-planes // step), size)
