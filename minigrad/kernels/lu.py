"""LU factorisation with partial pivoting, for batches of matrices of any shape.

Column by column (Golub and Van Loan, Matrix Computations, algorithm 3.4.1): swap the largest
element of the column to the diagonal, divide the column below by it, subtract the outer product
from the rest. L (unit lower triangular) and U share one array, as in LAPACK's getrf.
"""

from __future__ import annotations

import numpy as np

__all__ = ["factor", "order_of"]


def factor(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the packed L and U, and the pivots: row k was swapped with row pivots[k], from 1."""
    a = a.copy()
    m, n = a.shape[-2:]
    pivots = np.zeros((*a.shape[:-2], min(m, n)), np.int32)
    for k in range(min(m, n)):
        best = np.abs(a[..., k:, k]).argmax(-1) + k
        pivots[..., k] = best + 1
        rows = np.broadcast_to(best[..., None, None], (*a.shape[:-2], 1, n))
        low = np.take_along_axis(a, rows, -2)
        np.put_along_axis(a, rows, a[..., k:k + 1, :].copy(), -2)
        a[..., k:k + 1, :] = low
        pivot = a[..., k, k][..., None]
        a[..., k + 1:, k] /= np.where(pivot == 0, 1, pivot)  # a zero column has nothing to divide
        a[..., k + 1:, k + 1:] -= a[..., k + 1:, k, None] * a[..., k, None, k + 1:]
    return a, pivots


def order_of(pivots: np.ndarray, m: int) -> np.ndarray:
    """Return the order of rows that the swaps lead to: row i of L U is row order[i] of A."""
    order = np.broadcast_to(np.arange(m), (*pivots.shape[:-1], m)).copy()
    for k in range(pivots.shape[-1]):
        other = pivots[..., k, None].astype(np.int64) - 1
        held = np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, order[..., k:k + 1].copy(), -1)
        order[..., k:k + 1] = held
    return order
