"""Sums over tiles, windows that cover an image without overlap, as one matrix product.

A row of tiles is a strip of k rows, which lie one after the other in memory: its sums are the
(strips, k * W) view times a matrix with a 1 where a column lies in a tile. The product with the
transposed matrix spreads one number over each tile. A few wide columns make that faster than any
sum along axes: with at most NARROW tiles in a strip BLAS takes less time than reading the strip.

The product adds 0 * x of the other tiles, which is nan where x is not finite: then there is no
result, and the caller adds otherwise.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from minigrad.kernels._moments import ALONE
from minigrad.kernels._product import matrix_product
from minigrad.kernels._windows import Axis, Ints

NARROW = 8  # tiles in a strip
LONG = 1024  # elements of a strip: float32 sums of more lose digits
KINDS = (np.dtype(np.float32), np.dtype(np.float64))


@lru_cache(maxsize=256)
def tiles_of(plan: tuple[Axis, ...]) -> Ints | None:
    """Return the sizes of the windows if they are tiles, few in a strip; else None."""
    spatial = [axis.size for axis in plan]
    for axis in plan:
        if axis.kernel != axis.stride or axis.padding or axis.kernel * axis.out != axis.size:
            return None
        if axis.dilation != 1:
            return None
    tile = tuple([axis.kernel for axis in plan])
    if len(plan) == 1:
        tile, spatial = (1, *tile), [1, *spatial]
    columns = prod(spatial[1:]) // prod(tile[1:])
    narrow = 1 < columns <= NARROW and tile[0] * prod(spatial[1:]) <= LONG
    return tile if narrow else None


@lru_cache(maxsize=64)
def _members(tile: Ints, sizes: Ints, kind: np.dtype) -> np.ndarray:
    """Return the matrix (elements of a strip, its tiles) with a 1 for each element in its tile."""
    matrix = np.ones((tile[0], 1), kind)
    for k, size in zip(tile[1:], sizes, strict=True):
        matrix = np.kron(matrix, np.repeat(np.eye(size // k, dtype=kind), k, axis=0))
    return matrix


@lru_cache(maxsize=64)
def _transposed(tile: Ints, sizes: Ints, kind: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(_members(tile, sizes, kind).T)


def tile_sums(x: np.ndarray, tile: Ints) -> np.ndarray | None:
    """Return the sums of the tiles of non-empty x (N, C, *spatial), (strips, tiles in a strip)."""
    matrix = _members(tile, x.shape[1 - len(tile) :], x.dtype)
    y = matrix_product(np.ascontiguousarray(x).reshape(-1, len(matrix)), matrix)
    return y if _finite(y) else None


def spread_over_tiles(g: np.ndarray, tile: Ints, spatial: Ints) -> np.ndarray | None:
    """Return each number of non-empty g in all elements of its tile, (N, C, *spatial)."""
    if not _finite(g):
        return None
    matrix = _transposed(tile, spatial[1 - len(tile) :], g.dtype)
    dx = matrix_product(np.ascontiguousarray(g).reshape(-1, len(matrix)), matrix)
    return dx.reshape(g.shape[:2] + spatial)


def _finite(x: np.ndarray) -> bool:
    """Return whether all numbers are finite; perhaps not where squares or sums overflow."""
    if x.size <= ALONE and x.flags.c_contiguous:
        flat = x.reshape(-1)  # a product takes less time than a sum
        return bool(flat.dot(flat) < np.inf)
    return bool(abs(np.add.reduce(x, axis=None)) < np.inf)
