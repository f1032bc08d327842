"""Run work over blocks that stay in the cache, on the threads where there are several."""

from __future__ import annotations

from collections.abc import Callable

from minigrad._quiet import hush, unhush
from minigrad.kernels._threads import one_blas_thread, run

BLOCK = 1 << 18  # elements: smaller blocks spend more time between the calls than within them
_ALONE = 8192  # elements: OpenBLAS itself takes one thread only


def each_block(work: Callable[[int], None], count: int, size: int) -> None:
    """Call work(0) ... work(count - 1) for arrays of `size` elements in all.

    BLAS takes one thread meanwhile. Infinities and NaNs are results, not warnings.
    """

    def quiet(index: int) -> None:
        loud = hush()
        try:
            work(index)
        finally:
            unhush(loud)

    if size <= _ALONE:
        for index in range(count):
            quiet(index)
        return
    with one_blas_thread:
        run(quiet, count)
