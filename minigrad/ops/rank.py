"""What singular values tell: rank, condition number, least squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check, return_types
from .._dtype import finfo
from ..engine import wrap
from ._operands import with_out
from .arrange import tril
from .decompose import _checked, _singular, inv
from .elementwise import abs
from .fill import empty
from .linalg import _mT, matmul
from .reduce import sum
from .spectral import eigvalsh, pinv, svdvals

ndarray = np.ndarray
_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def _cut(A: Any, largest: ndarray, atol: Any, rtol: Any) -> ndarray:
    """Return below what singular values count as 0: max(atol, rtol * largest)."""
    atol, rtol = (getattr(t, "_data", t) for t in (atol, rtol))
    if rtol is None:
        rtol = max(A.shape[-2:]) * finfo(A.dtype).eps if atol is None else 0.0
    return np.maximum(0.0 if atol is None else atol, rtol * largest)


@with_out
@_check.takes("A")
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None,
                rtol: Any = None) -> Any:
    """Return how many singular values lie above max(atol, rtol * largest).

    `rtol` defaults to max(m, n) times the machine epsilon, or to 0 if `atol` is given; `tol` is the
    older name of `atol`. With `hermitian` the absolute eigenvalues take the place of the singular
    values.

    >>> import minigrad as torch
    >>> torch.linalg.matrix_rank(torch.ones(3, 3))
    tensor(1)
    """
    if A.ndim < 2:
        raise RuntimeError(f"torch.linalg.matrix_rank: The input tensor input must have at least 2 "
                           f"dimensions, got {A.ndim}")
    if tol is not None:
        atol = tol
        rtol = 0.0 if rtol is None else rtol
    values = (abs(eigvalsh(A)) if hermitian else svdvals(A))._data
    largest = values.max(-1, initial=0)
    return wrap((values > _cut(A, largest, atol, rtol)[..., None]).sum(-1), None)


@with_out
@_check.takes("A")
def linalg_pinv(A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None,
                rtol: Any = None) -> Any:
    """Return the pseudoinverse (Moore-Penrose); singular values below a bound count as 0.

    The bound is max(atol, rtol * largest); `rcond` is the older name of `rtol`, which defaults to
    max(m, n) times the machine epsilon, or to 0 if `atol` is given. With `hermitian` A is taken to
    be symmetric; of another one the lower triangle counts.

    >>> import minigrad as torch
    >>> torch.linalg.pinv(torch.tensor([[2., 0.], [0., 0.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    _checked("linalg.pinv", A._data, square=hermitian)
    rtol = rcond if rtol is None else rtol
    if hermitian and not np.array_equal(A._data, A._data.swapaxes(-2, -1)):
        A = tril(A) + _mT(tril(A, -1))
    if atol is None and not hasattr(rtol, "shape"):
        return pinv(A, rtol)
    largest = svdvals(A.detach())._data.max(-1, initial=0)
    return pinv(A, _cut(A, largest, atol, rtol) / np.where(largest == 0, 1, largest))


def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """Return the pseudoinverse: `linalg.pinv` with another default for `rcond`."""
    return pinv(input, rcond)


@with_out
@_check.takes("A")
def cond(A: Any, p: Any = None) -> Any:
    """Return the condition number: a norm of A times that of its inverse.

    p is 2 (the default: largest by smallest singular value), -2, 'fro', 'nuc', 1, -1, inf or -inf.
    A singular matrix has inf. Raises RuntimeError for another p.

    >>> import minigrad as torch
    >>> torch.linalg.cond(torch.tensor([[2., 0.], [0., 8.]]))
    tensor(4.)
    """
    if A.ndim < 2:
        raise RuntimeError(f"linalg.cond: The input tensor must have at least 2 dimensions, got "
                           f"{A.ndim}")
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    if p not in ("fro", "nuc", 1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}; use 2, -2, 1, -1, inf, "
                           f"-inf, 'fro' or 'nuc'")
    from ..linalg import matrix_norm  # the norms' namespace imports this file

    _checked("linalg.cond", A._data)
    singular = np.linalg.det(A._data) == 0
    if not singular.any():
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    inverse = np.full(A.shape, math.inf, A._data.dtype)
    inverse[~singular] = np.linalg.inv(A._data[~singular])
    norms = matrix_norm(wrap(np.where(np.isinf(inverse), 1, inverse), None), p)._data
    return matrix_norm(A, p) * wrap(np.where(singular, math.inf, norms), None)


@with_out
@_check.takes("A", "B")
def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """Return the X of least norm among those with the least |A X - B|.

    Drivers as in LAPACK: 'gelsy' (the default) and 'gels', which takes A to have full rank, are one
    here: X is the pseudoinverse of A times B. The result has solution, residuals (the squared
    lengths, if A has more rows than columns and full rank; empty for 'gelsy'), rank (empty for
    'gels') and singular_values (for 'gelsd' and 'gelss'). Singular values below rcond * largest
    count as 0. Raises RuntimeError if shapes do not fit or the driver is unknown.

    >>> import minigrad as torch
    >>> A = torch.tensor([[3.], [4.]])
    >>> torch.linalg.lstsq(A, torch.tensor([[6.], [8.]])).solution
    tensor([[2.]])
    """
    _checked("torch.linalg.lstsq", A._data, square=False)
    driver = driver or "gelsy"
    if driver not in _DRIVERS:
        raise RuntimeError(f"torch.linalg.lstsq: parameter `driver` should be one of "
                           f"({', '.join(_DRIVERS)}), got {driver!r}")
    if A._data.dtype != B._data.dtype:
        raise RuntimeError(f"torch.linalg.lstsq: Expected input and other to have the same dtype, "
                           f"but got {A.dtype} and {B.dtype}")
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1]))
    right = B.unsqueeze(-1) if vector else B
    m, n = A.shape[-2:]
    if right.shape[-2] != m:
        raise RuntimeError(f"torch.linalg.lstsq: input.size(-2) should match other.size(-2), got "
                           f"{m} and {right.shape[-2]}")
    values = _singular("torch.linalg.lstsq", np.linalg.svd, A._data, True, False)
    share = max(m, n) * finfo(A.dtype).eps if rcond is None else rcond
    rank = (values > share * values.max(-1, initial=0)[..., None]).sum(-1)
    x = matmul(pinv(A, rtol=share), right)
    none = empty((0,), dtype=A.dtype)
    residuals = x.reshape(-1)[:0].clone()  # empty, and in the graph as PyTorch's
    if m > n and driver != "gelsy" and (driver == "gels" or (rank == n).all()):
        residuals = sum((matmul(A, x) - right) ** 2, -2)
        residuals = residuals.squeeze(-1) if vector else residuals
    return return_types.linalg_lstsq((
        x.squeeze(-1) if vector else x, residuals,
        empty((0,), dtype=wrap(rank, None).dtype) if driver == "gels" else wrap(rank, None),
        wrap(values, None) if driver in ("gelsd", "gelss") else none))
