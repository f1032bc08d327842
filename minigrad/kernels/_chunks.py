"""Cut a convolution into chunks whose columns stay in the cache, and run them on threads.

A chunk is some images or, where the columns of one image are too many, some lines of one image.
The cuts depend on shapes alone, so that sums over the chunks, added in their order, have the same
bits whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from minigrad.kernels._product import ALONE
from minigrad.kernels._threads import one_blas_thread, run
from minigrad.kernels.lowering import Lowering

CHUNK_BYTES = 1 << 21  # of columns; twice as many for threads, which meet between any two calls
PIECE = 11_000_000  # multiplications (0.22 ms) below which a second thread does not pay
COPY = 8  # multiplications in the time of copying one number into the columns


class Chunk(NamedTuple):
    """Images first ... last - 1, of each the lines top ... bottom - 1 of the result."""

    first: int
    last: int
    top: int
    bottom: int
    plan: Lowering


@lru_cache(maxsize=1024)
def cut(
    plan: Lowering, images: int, rows: int, filters: int, itemsize: int, whole: bool = False
) -> list[Chunk]:
    """Cut a convolution of some images; its columns have that many rows in all groups.

    `whole`: no image is cut into bands of lines.
    """
    size = rows * plan.positions * itemsize  # of an image
    threads = images * rows * plan.positions * (filters + COPY) >= PIECE
    lines = plan.out[0]
    most = CHUNK_BYTES * (1 + threads)
    bands = 1 if whole else max(1, min(lines, size // most))
    if threads and not whole and images * bands < 6 and images * bands % 2:
        bands = min(lines, bands + 1 if images % 2 else bands)
    if bands > 1:
        count = images
    else:
        count = -(-images // max(1, most // max(size, 1)))
        if threads:  # as much for each of 2, 4 or 8
            count = min(images, next((n for n in (2, 4, 8) if n >= count), -(-count // 8) * 8))
    less, more = divmod(images, count) if count else (0, 0)
    starts = [0, *accumulate([less + 1] * more + [less] * (count - more))]
    tops = [i * lines // bands for i in range(bands + 1)]
    return [
        Chunk(a, b, top, bottom, plan.band(top, bottom))
        for a, b in pairwise(starts)
        for top, bottom in pairwise(tops)
    ]


def on_threads(task: Callable[[int], None], count: int, work: int) -> None:
    """Call task(0), ..., task(count - 1) on the threads, with BLAS on one.

    With so few multiplications (`work`) as ALONE, BLAS takes no more threads anyway.
    """
    if count == 1 and work <= ALONE:
        task(0)
    else:
        one_blas_thread(run, task, count)
