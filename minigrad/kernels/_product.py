"""Matrix products, cut where that is faster: into tiles, and into parts for several threads.

OpenBLAS packs its operands before it multiplies. With AVX-512 it also has kernels that do not
pack, for products of at most 100**3 multiplications; they reach 100-115 GFLOP/s where the general
ones reach 55-95 on the flat matrices of a convolution (32-128 rows, 100-1000 columns). So on those
processors `multiply` cuts a large product into tiles just small enough. On others nothing is cut,
as tiles of 64 columns cost 5-10 % there. Sums over the inner index are never cut.

OpenBLAS's own threads wait in a busy loop for some 25 ms after each product. Meanwhile they hold
the processors that the workers of `_threads` are to run on, and all that follows takes up to twice
as long. So no product here uses them: `matrix_product` cuts into tiles too, and gives parts of a
large one to the workers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from minigrad.kernels._threads import blas_core, one_blas_thread, run

VOLUME = 1_000_000  # multiplications of a tile
ALONE = 262_144  # multiplications up to which OpenBLAS takes one thread anyway
VECTOR = 9216  # numbers of a matrix times a vector up to which it does
PARTED = 8_000_000  # multiplications from which a second thread pays
LEAD = 500_000  # multiplications in the time (10 us) that a worker takes to begin
MANY = 64_000_000  # multiplications of a product that is cut into eight parts
COPIED = 64  # rows from which it is faster to copy a transposed second operand (20-25 %)
AREA = 1024  # rows * columns of a tile where the second operand is transposed
tiling = blas_core() in {"SkylakeX", "Cooperlake", "SapphireRapids"}  # tests switch it


def _divisor(n: int, low: int, high: int) -> int:
    """Return the largest divisor of n in low..high, a multiple of 16 if there is one, else n."""
    fit = [d for d in range(low, min(n, high) + 1) if n % d == 0]
    return max([d for d in fit if d % 16 == 0] or fit, default=n)


def cuttable(columns: int) -> bool:
    """Tell whether tiles of a transposed operand divide it evenly."""
    return _divisor(columns, 8, 32) <= 32


@lru_cache(maxsize=1024)
def _tile(rows: int, inner: int, columns: int, transposed: bool) -> tuple[int, int]:
    """Return the rows and columns of a tile: all of them where cutting does not pay."""
    area = min(VOLUME // max(inner, 1), AREA if transposed else VOLUME)
    if rows * columns <= area or (transposed and inner < 128):
        return rows, columns
    if transposed:
        width = _divisor(columns, 8, 32)
    else:
        width = _divisor(columns, 48, 128)
        if width > 64 and rows * width > area and width % 32 == 0:
            width //= 2
    height = _divisor(rows, 8, area // width)
    return (height, width) if height * width <= area else (rows, columns)


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Write a @ b (..., rows, inner) @ (..., inner, columns) into `out`."""
    if tiling and a.dtype.kind == "f":
        rows, inner = a.shape[-2:]
        columns = b.shape[-1]
        height, width = _tile(rows, inner, columns, b.strides[-1] != b.itemsize)
        if height < rows or width < columns:
            # (..., rows / height, columns / width, height, width)
            down, across = rows // height, columns // width
            a = a.reshape(*a.shape[:-2], down, 1, height, inner)
            b = b.reshape(*b.shape[:-2], 1, inner, across, width).swapaxes(-3, -2)
            out = out.reshape(*out.shape[:-2], down, height, across, width)
            np.matmul(a, b, out=out.swapaxes(-3, -2))
            return
    np.matmul(a, b, out=out)


def matrix_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a @ b, two matrices of one dtype.

    >>> matrix_product(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    rows, inner = a.shape
    columns = b.shape[1]
    work = rows * inner * columns
    if work <= ALONE:
        return a.dot(b)
    y = np.empty((rows, columns), a.dtype)
    if work < PARTED:
        one_blas_thread(multiply, a, b, y)
        return y
    cuts = _cuts(max(rows, columns), work)

    def part(index: int) -> None:
        where = slice(cuts[index], cuts[index + 1])
        if columns >= rows:
            multiply(a, b[:, where], y[:, where])
        else:
            multiply(a[where], b, y[where])

    one_blas_thread(run, part, len(cuts) - 1)
    return y


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the dot product of two vectors, on one thread: more would change its last bits.

    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(a.dot(b) if a.size <= VECTOR else one_blas_thread(a.dot, b))


def two_products(a: np.ndarray, b: np.ndarray, c: np.ndarray,
                 d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a @ b and c @ d of one dtype; of medium ones each on a thread of its own.

    >>> [int(y[0, 0]) for y in two_products(*np.array([[[1]], [[2]], [[3]], [[4]]]))]
    [2, 12]
    """
    work = len(a) * a.shape[1] * b.shape[1]
    if not PARTED / 2 <= work <= MANY or work != len(c) * c.shape[1] * d.shape[1]:
        return matrix_product(a, b), matrix_product(c, d)
    y, z = (np.empty((len(p), q.shape[1]), p.dtype) for p, q in ((a, b), (c, d)))
    first = len(c) * LEAD // (2 * work) // 16 * 16  # rows done while the worker wakes up
    parts = [(a, b, y), (c[first:], d, z[first:]), (c[:first], d, z[:first])]

    def part(index: int) -> None:
        multiply(*parts[index])

    one_blas_thread(run, part, len(parts) if first else 2)
    return y, z


def _cuts(length: int, work: int) -> list[int]:
    """Return the ends of two parts, a larger one to begin with, or of eight for a long product."""
    if work > MANY:
        return [i * length // 128 * 16 for i in range(8)] + [length]
    first = length * (work + LEAD) // (2 * work)
    return [0, min(length, -(-first // 16) * 16), length]


def many_products(a: np.ndarray, b: np.ndarray) -> Any:
    """Return np.matmul(a, b), on the threads where there are many large matrices.

    >>> many_products(np.ones((2, 1, 3)), np.ones((2, 3, 1)))[:, 0, 0]
    array([3., 3.])
    """
    if a.ndim < 3 or a.shape[:-2] != b.shape[:-2]:
        return one_blas_thread(np.matmul, a, b) if a.size * b.size > ALONE else np.matmul(a, b)
    each = a.shape[-2] * a.shape[-1] * b.shape[-1]
    if tiling and a.shape[-2] >= COPIED and each <= VOLUME and b.strides[-1] != b.itemsize:
        b = np.ascontiguousarray(b)
    count = len(a)
    if each * (a.size // max(1, a.shape[-2] * a.shape[-1])) < PARTED or count == 1:
        return one_blas_thread(np.matmul, a, b) if each > ALONE else np.matmul(a, b)
    y = np.empty((*a.shape[:-1], b.shape[-1]), np.result_type(a, b))
    parts = min(count, 8)

    def part(index: int) -> None:
        where = slice(index * count // parts, (index + 1) * count // parts)
        np.matmul(a[where], b[where], out=y[where])

    one_blas_thread(run, part, parts)
    return y
