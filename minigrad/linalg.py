"""Linear algebra under PyTorch's `torch.linalg` names."""

from __future__ import annotations

import math
from typing import Any

from . import _check
from .ops.arrange import diagonal as _diagonal
from .ops.cross import linalg_cross as cross
from .ops.cross import linalg_vander as vander
from .ops.decompose import (
    LinAlgError,
    cholesky,
    det,
    inv,
    matrix_power,
    qr,
    slogdet,
    solve,
)
from .ops.elementwise import mul
from .ops.extremes import amax, amin
from .ops.linalg import matmul
from .ops.lu import lu, lu_factor, lu_factor_ex, lu_solve
from .ops.matrix_functions import householder_product, matrix_exp
from .ops.products import multi_dot
from .ops.rank import cond, lstsq, matrix_rank
from .ops.rank import linalg_pinv as pinv
from .ops.reduce import sum
from .ops.shape import movedim
from .ops.spectral import eigh, eigvalsh, svd, svdvals
from .ops.tensorsolve import (
    cholesky_ex,
    eig,
    eigvals,
    inv_ex,
    solve_ex,
    tensorinv,
    tensorsolve,
)
from .ops.triangular import solve_triangular
from .ops.vector_norm import linalg_vector_norm
from .outputs import into as _into

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig",
    "eigh", "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq",
    "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr",
    "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv",
    "tensorsolve", "vander", "vecdot", "vector_norm",
]


def vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None, out: Any = None) -> Any:
    """Return (sum |x|^ord)^(1/ord) over `dim` (None: all elements); also ord 0, inf and -inf.

    >>> import minigrad as torch
    >>> torch.linalg.vector_norm(torch.tensor([3., -4.]))
    tensor(5.)
    """
    y = linalg_vector_norm(x, ord, dim, keepdim, dtype=dtype)
    return y if out is None else _into("vector_norm", y, out, (x,))


@_check.takes("A")
def matrix_norm(A: Any, ord: float | str = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
                dtype: Any = None, out: Any = None) -> Any:
    """Return the norm of matrices: 'fro', 'nuc', 2, -2 (singular values), 1, -1, inf or -inf.

    1 is the largest sum of absolute values of a column, inf of a row; -1 and -inf the smallest.

    >>> import minigrad as torch
    >>> torch.linalg.matrix_norm(torch.tensor([[1., -2.], [3., 4.]]), 1)
    tensor(6.)
    """
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    if dtype is not None:
        A = A.to(dtype)
    rows, columns = _check.dims(dim, A.ndim)
    if ord == "fro":
        y = linalg_vector_norm(A, 2, (rows, columns), keepdim)
    elif ord in ("nuc", 2, -2):
        values = svdvals(movedim(A, (rows, columns), (-2, -1)))
        y = (sum(values, -1) if ord == "nuc" or not values.shape[-1] else
             amax(values, -1) if ord == 2 else amin(values, -1))  # type: ignore[operator]
        for at in sorted((rows, columns)) if keepdim else ():
            y = y.unsqueeze(at)
    elif ord in (1, -1, math.inf, -math.inf):
        over, then = (rows, columns) if ord in (1, -1) else (columns, rows)
        totals = linalg_vector_norm(A, 1, over, keepdim)
        then -= not keepdim and then > over
        y = (amax if float(ord) > 0 else amin)(totals, then, keepdim)
    else:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported; use 'fro', 'nuc', 1, "
                           f"-1, 2, -2, inf or -inf")
    return y if out is None else _into("matrix_norm", y, out, (A,))


def norm(A: Any, ord: float | str | None = None, dim: Any = None, keepdim: bool = False, *,
         out: Any = None, dtype: Any = None) -> Any:
    """Return a vector norm (one dim, or no order) or a matrix norm (two dims).

    >>> import minigrad as torch
    >>> torch.linalg.norm(torch.tensor([[3., 0.], [0., 4.]]))
    tensor(5.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    dims = (dim,) if isinstance(dim, int) else dim
    if dims is None and A.ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D "
                           f"or 2D. Got {A.ndim}D.")
    dims = tuple(range(A.ndim)) if dims is None else tuple(dims)
    if len(dims) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype, out=out)
    return matrix_norm(A, ord, dims, keepdim, dtype=dtype, out=out)


def vecdot(x: Any, y: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Return the sums of products along one dimension; the others broadcast."""
    result = sum(mul(x, y), dim)
    return result if out is None else _into("vecdot", result, out, (x, y))


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return the view of the diagonal of the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)
