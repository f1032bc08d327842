"""Tensors inverted and solved as matrices; inverses and factors that report errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import wrap
from ._operands import with_out
from .decompose import LinAlgError, _checked, cholesky, inv, solve
from .shape import movedim, reshape


@with_out
@_check.takes("A")
def tensorinv(A: Any, ind: int = 2) -> Any:
    """Return the inverse of a tensor read as a matrix: the first `ind` dimensions are the rows.

    >>> import minigrad as torch
    >>> torch.linalg.tensorinv(torch.eye(6).reshape(2, 3, 6)).shape
    torch.Size([6, 2, 3])
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(first) != math.prod(last):
        raise RuntimeError(f"Expected self to satisfy the requirement prod(self.shape[ind:]) == "
                           f"prod(self.shape[:ind]), but got {math.prod(last)} != "
                           f"{math.prod(first)}")
    return reshape(inv(reshape(A, (math.prod(first), math.prod(last)))), (*last, *first))


@with_out
@_check.takes("A", "B")
def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """Return X with tensordot(A, X, X.ndim) = B; the dimensions `dims` of A go last first.

    >>> import minigrad as torch
    >>> torch.linalg.tensorsolve(2 * torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2))
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    rest = tuple(A.shape[B.ndim:])
    rows, columns = math.prod(A.shape[:B.ndim]), math.prod(rest)
    if rows != columns:
        raise RuntimeError(f"Expected self to satisfy the requirement "
                           f"prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but "
                           f"got {columns} != {rows}")
    return reshape(solve(reshape(A, (rows, columns)), reshape(B, (-1,))), rest)


def _first_zero(name: str, A: Any, check_errors: bool) -> Any:
    """Return where elimination meets its first zero pivot, from 1, and 0 for regular matrices."""
    from .lu import _lu, _zero_pivots

    info = _zero_pivots(_lu(A.detach())[0])
    if check_errors and info.any():
        raise LinAlgError(f"{name}: The diagonal element {info.max()} is zero, the inversion could "
                          f"not be completed because the input matrix is singular.")
    return wrap(info, None)


@with_out
@_check.takes("A")
def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    """Return the inverse, and for singular matrices the place of the zero pivot (else 0).

    The inverse of a singular matrix is filled with nan.
    """
    info = _first_zero("linalg.inv_ex", A, check_errors)
    return return_types.linalg_inv_ex((_filled(inv, info, A), info))


@with_out
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    """Return what `linalg.solve` does, and for singular matrices the place of the zero pivot."""
    info = _first_zero("torch.linalg.solve_ex", A, check_errors)
    made = _filled(lambda a: solve(a, B, left=left), info, A)
    return return_types.linalg_solve_ex((made, info))


def _filled(function: Any, info: Any, A: Any) -> Any:
    """Call with unit matrices in the place of singular ones, then fill those results with nan."""
    bad = info._data != 0
    if not bad.any():
        return function(A)
    mask = wrap(bad[..., None, None], None)
    one = wrap(np.eye(A.shape[-1], dtype=A._data.dtype), None)
    made = function(one.where(mask, A) if bad.ndim else one)
    wide = wrap(bad.reshape(bad.shape + (1,) * (made.ndim - bad.ndim)), None)
    return made.masked_fill(wide, math.nan)


@with_out
@_check.takes("A")
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    """Return the Cholesky factor, and for other matrices the order of the first minor that is <= 0.

    The factor of such a matrix is filled with nan.
    """
    matrices = _checked("linalg.cholesky_ex", A._data)
    info = np.zeros(A.shape[:-2], np.int32)
    for at in np.ndindex(info.shape) if A._data.size else ():
        info[at] = _first_minor(matrices[at])
    if check_errors and info.any():
        raise LinAlgError(f"linalg.cholesky_ex: The factorization could not be completed because "
                          f"the input is not positive-definite (the leading minor of order "
                          f"{info.max()} is not positive-definite).")
    made = _filled(lambda a: cholesky(a, upper=upper), wrap(info, None), A)
    return return_types.linalg_cholesky_ex((made, wrap(info, None)))


def _first_minor(a: np.ndarray) -> int:
    """Return the order of the first leading minor that is not positive-definite, or 0."""
    try:
        np.linalg.cholesky(a)
        return 0
    except np.linalg.LinAlgError:
        pass
    for k in range(1, len(a)):
        try:
            np.linalg.cholesky(a[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return len(a)


def eig(A: Any, *, out: Any = None) -> Any:
    """Refuse: eigenvalues of general matrices are complex numbers, which minigrad does not have."""
    raise RuntimeError("linalg.eig: its results are complex, and minigrad has no complex numbers; "
                       "for symmetric matrices use linalg.eigh")


def eigvals(A: Any, *, out: Any = None) -> Any:
    """Refuse: eigenvalues of general matrices are complex numbers, which minigrad does not have."""
    raise RuntimeError("linalg.eigvals: its results are complex, and minigrad has no complex "
                       "numbers; for symmetric matrices use linalg.eigvalsh")
