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

BLOCK = 1 << 17  # elements: gelu of 2^18 took 20 % longer in blocks of half the size
LEAD = 1 << 13  # elements
LONG = 256  # elements: rows for which `quietly_by_rows` pays
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


def apply_in_blocks(function: Callable[..., None], *arrays: np.ndarray) -> None:
    """Call function(*blocks) for blocks of flat arrays of one length; elementwise work in place.

    Infinities and NaNs are results, not warnings.
    """
    ends = _ends(len(arrays[0]))
    if not ends[-1]:
        return
    if len(ends) == 2:
        quietly(function, *arrays)
        return

    def work(index: int) -> None:
        part = slice(ends[index], ends[index + 1])
        quietly(function, *[array[part] for array in arrays])

    run(work, len(ends) - 1)


def _ends(size: int) -> list[int]:
    """Return where the blocks of flat arrays end: one, two or, of large arrays, BLOCK each.

    Of two blocks the first is larger, by what is done in half the time that a worker takes to
    wake up.
    """
    if size < BLOCK:
        return [0, size]
    if size <= 4 * BLOCK:
        return [0, (size // 2 + LEAD) // 16 * 16, size]
    return [*range(0, size, BLOCK), size]


def in_rows(work: Callable[[slice], None], rows: int, length: int, blas: bool = False) -> None:
    """Call work(slice) for blocks of rows of `length` elements, on the threads if there are many.

    `blas`: work multiplies large matrices; BLAS takes one thread meanwhile. Infinities and NaNs are
    results, not warnings. For rows of LONG elements on, `work` runs `quietly_by_rows` and must not
    cast. From ROWS elements on there is an even number of blocks, about as long as each other.
    """
    quiet = quietly_by_rows if length >= LONG else quietly
    size = rows * length
    if size >= ROWS:
        step = -(-rows // (2 * -(-size // (2 * ROWS))))

        def block(index: int) -> None:
            quiet(work, slice(index * step, min(rows, (index + 1) * step)))

        count = -(-rows // step)
        if blas:
            one_blas_thread(run, block, count)
        else:
            run(block, count)
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
