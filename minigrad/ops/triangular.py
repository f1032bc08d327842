"""Solving with triangular matrices and with Cholesky factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import op
from ..outputs import into
from ._operands import with_out
from .arrange import tril, triu
from .decompose import _checked, cholesky
from .fill import eye
from .linalg import _mT, _times, matmul


def _triangle(x: Any, upper: bool, unit: bool) -> Any:
    """Return the part of a matrix that is read."""
    return triu(x, int(unit)) if upper else tril(x, -int(unit))


@op(A=lambda g, A, y, upper, unit: -_triangle(
        _times(_triangular(_mT(A), g, not upper, unit), _mT(y)), upper, unit),
    B=lambda g, A, upper, unit: _triangular(_mT(A), g, not upper, unit),
    shown="LinalgSolveTriangularBackward0")
def _triangular(A: Any, B: Any, upper: bool, unit: bool = False) -> Any:
    """Substitute row by row: x_i = (b_i - A_i,: x) / A_ii."""
    n = A.shape[-1]
    shape = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    y = np.zeros((*shape, *B.shape[-2:]), B.dtype)
    for i in range(n - 1, -1, -1) if upper else range(n):
        done = slice(i + 1, n) if upper else slice(0, i)
        row = B[..., i, :] - np.matmul(A[..., i, None, done], y[..., done, :])[..., 0, :]
        y[..., i, :] = row if unit else row / A[..., i, i, None]
    return y


def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True,
                     unitriangular: bool = False, out: Any = None) -> Any:
    """Return X with A X = B (with `left=False`: X A = B) for a triangular A.

    Only the upper or lower triangle of A is read, with `unitriangular` ones for its diagonal. A
    zero on the diagonal gives inf or nan. Raises RuntimeError if shapes do not fit.

    >>> import minigrad as torch
    >>> A = torch.tensor([[2., 1.], [0., 4.]])
    >>> torch.linalg.solve_triangular(A, torch.tensor([[4.], [8.]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    _checked("linalg.solve_triangular", A._data)
    _checked("linalg.solve_triangular", B._data, square=False)
    sides = (A.shape[-1], B.shape[-2 if left else -1])
    if sides[0] != sides[1]:
        form = "AX = B" if left else "XA = B"
        raise RuntimeError(f"linalg.solve_triangular: Incompatible shapes of A and B for the "
                           f"equation {form} ({A.shape[-2]}x{A.shape[-1]} and "
                           f"{B.shape[-2]}x{B.shape[-1]})")
    y = (_triangular(A, B, upper, unitriangular) if left else
         _mT(_triangular(_mT(A), _mT(B), not upper, unitriangular)))
    return y if out is None else into("solve_triangular", y, out, (A, B))


@with_out
@_check.takes("b", "A")
def triangular_solve(b: Any, A: Any, upper: bool = True, transpose: bool = False,
                     unitriangular: bool = False) -> Any:
    """Return X with A X = b, and a copy of A: the older form of `linalg.solve_triangular`."""
    left = _mT(A) if transpose else A
    y = solve_triangular(left, b, upper=upper != transpose, unitriangular=unitriangular)
    return return_types.triangular_solve((y, A.clone()))


@with_out
@_check.takes("B", "L")
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """Return X with L L^T X = B (with `upper`: L^T L X = B), for a Cholesky factor L.

    >>> import minigrad as torch
    >>> torch.cholesky_solve(torch.tensor([[8.]]), torch.tensor([[2.]]))
    tensor([[2.]])
    """
    first = solve_triangular(_mT(L) if upper else L, B, upper=False)
    return solve_triangular(L if upper else _mT(L), first, upper=True)


@with_out
@_check.takes("L")
def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """Return the inverse of L L^T (with `upper`: L^T L), for a Cholesky factor L.

    >>> import minigrad as torch
    >>> torch.cholesky_inverse(torch.tensor([[2.]]))
    tensor([[0.2500]])
    """
    _checked("cholesky_inverse", L._data)
    one = eye(L.shape[-1], dtype=L.dtype)
    if upper:
        half = solve_triangular(_mT(L), one, upper=False)  # L^-T
    else:
        half = solve_triangular(L, one, upper=False)
    return matmul(_mT(half), half)


def lower_or_upper(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """Return the Cholesky factor: `linalg.cholesky` with `upper` by position."""
    return cholesky(input, upper=upper, out=out)
