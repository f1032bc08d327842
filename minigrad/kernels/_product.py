"""Matrix products cut into tiles, where the BLAS at hand multiplies small matrices faster.

OpenBLAS packs its operands before it multiplies. With AVX-512 it also has kernels that do not
pack, for products of at most 100**3 multiplications; they reach 100-115 GFLOP/s where the general
ones reach 55-95 on the flat matrices of a convolution (32-128 rows, 100-1000 columns). So on those
processors a large product is cut into tiles just small enough. On others nothing is cut, as tiles
of 64 columns cost 5-10 % there. Sums over the inner index are never cut.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from minigrad.kernels._threads import blas_core

VOLUME = 1_000_000  # multiplications of a tile
AREA = 1024  # rows * columns of a tile where the second operand is transposed
tiling = blas_core() in {"SkylakeX", "Cooperlake", "SapphireRapids"}  # tests switch it


def _divisor(n: int, low: int, high: int) -> int:
    """Return the largest divisor of n in low..high, a multiple of 16 if there is one, else n."""
    fit = [d for d in range(low, min(n, high) + 1) if n % d == 0]
    return max([d for d in fit if d % 16 == 0] or fit, default=n)


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
    """Write a @ b (..., rows, inner) @ (..., inner, columns) into the contiguous `out`."""
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
