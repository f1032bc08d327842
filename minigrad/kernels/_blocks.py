"""Run work over blocks that stay in the cache, on the threads where there are several.

Threads wait for each other at the interpreter lock between any two NumPy calls. So blocks are
large, and a second thread is asked only for arrays of several blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minigrad._quiet import quietly, quietly_by_rows
from minigrad.kernels._threads import get_num_threads, one_blas_thread, run

CACHED = 1 << 16  # elements: four such arrays of float32 stay in the second-level cache
LONG = 256  # elements: rows for which `quietly_by_rows` pays
_SEVERAL = 3  # blocks: fewer are not worth waking a thread
ROWS = 1 << 19  # elements: operations on fewer are too short to share the interpreter lock
_ALONE = 8192  # elements: OpenBLAS itself takes one thread only
_LARGE = 1 << 20  # elements: from here on two threads write a product faster than one


def each_block(work: Callable[[int], None], count: int, size: int) -> None:
    """Call work(0) ... work(count - 1) for arrays of `size` elements in all.

    BLAS takes one thread meanwhile. Infinities and NaNs are results, not warnings.
    """
    if size <= _ALONE:
        for index in range(count):
            quietly(work, index)
        return
    one_blas_thread(run, partial(quietly, work), count)


def apply_in_blocks(function: Callable[..., None], *arrays: np.ndarray, size: int = CACHED) -> None:
    """Call function(*blocks) for blocks of flat arrays of one length; elementwise work in place.

    Infinities and NaNs are results, not warnings.
    """

    def work(index: int) -> None:
        part = slice(index * size, (index + 1) * size)
        quietly(function, *[array[part] for array in arrays])

    _each(work, -(-len(arrays[0]) // size))


def _each(work: Callable[[int], None], count: int) -> None:
    if count >= _SEVERAL:
        run(work, count)
        return
    for index in range(count):
        work(index)


def in_rows(work: Callable[[slice], None], rows: int, length: int, blas: bool = False) -> None:
    """Call work(slice) for blocks of rows of `length` elements, on the threads if there are many.

    `blas`: work multiplies matrices; BLAS takes one thread meanwhile. Infinities and NaNs are
    results, not warnings. For rows of LONG elements on, `work` runs `quietly_by_rows` and must not
    cast.
    """
    quiet = quietly_by_rows if length >= LONG else quietly
    size = rows * length
    if size > ROWS:
        step = max(1, ROWS // length)
        one_blas_thread(
            run,
            lambda index: quiet(work, slice(index * step, min(rows, (index + 1) * step))),
            -(-rows // step),
        )
    elif blas and size > _ALONE:
        one_blas_thread(quiet, work, slice(0, rows))
    else:
        quiet(work, slice(0, rows))


def product(a: np.ndarray, b: np.ndarray) -> Any:
    """Return a * b, of large arrays in as many parts as there are threads."""
    threads = get_num_threads()
    if a.size < _LARGE or threads == 1 or not (a.flags.c_contiguous and b.flags.c_contiguous
                                               and a.shape == b.shape and a.dtype == b.dtype):
        return a * b
    y = np.empty_like(a)
    flat = [array.reshape(-1) for array in (a, b, y)]
    step = -(-a.size // threads)

    def work(index: int) -> None:
        part = slice(index * step, (index + 1) * step)
        quietly(np.multiply, flat[0][part], flat[1][part], flat[2][part])

    run(work, threads)
    return y
