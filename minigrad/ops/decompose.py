"""Inverses, determinants, solving; the Cholesky and QR factorisations.

The derivative rules are matrix formulas in terms of these same ops (Giles 2008, "An extended
collection of matrix derivative results"), so they have derivatives of every order themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from .._dtype import bool_, dtype_of
from ..engine import op
from ..outputs import into
from ._operands import underived, with_out
from .arrange import diag_embed, diagonal, tril
from .choose import where
from .fill import empty, eye
from .join import cat, tensor_split
from .linalg import _column, _mT, _row, _times, matmul, product
from .reduce import sum

ndarray = np.ndarray


class LinAlgError(RuntimeError):
    """The input does not have what was asked for: it is singular, not positive-definite, ..."""


def _checked(name: str, a: ndarray, square: bool = True) -> ndarray:
    """Refuse what is not a batch of (square) floating point matrices; compute halves in float32."""
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions, got "
                           f"{a.ndim}")
    if square and a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are "
                           f"{a.shape[-2]} by {a.shape[-1]} matrices")
    if a.dtype.kind != "f":
        raise RuntimeError(f"{name}: Expected a floating point tensor as input. Got {dtype_of(a)}; "
                           f"convert it with .float()")
    if a.itemsize == 2:
        raise NotImplementedError(f"{name} is not implemented for float16; convert with .float()")
    return a


def _singular(name: str, function: Any, *args: Any) -> Any:
    """Call a function of NumPy's; its LinAlgError becomes ours."""
    try:
        return function(*args)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{name}: could not be completed because the input matrix is singular or "
                          f"the iteration did not converge ({error})") from None


# -------------------------------------------------------------------------- inverse, solve
@op(A=lambda g, y: -_times(_times(_mT(y), g), _mT(y)), shown="LinalgInvExBackward0")
def inv(A: Any) -> Any:
    """Return the inverse of square matrices; LinAlgError if one is singular.

    >>> import minigrad as torch
    >>> torch.linalg.inv(torch.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _singular("linalg.inv", np.linalg.inv, _checked("linalg.inv", A))


def inverse(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of square matrices; another name of `linalg.inv`."""
    return inv(input) if out is None else inv(input, out=out)


def _outer(a: Any, b: Any, vector: bool) -> Any:
    return _column(a) * _row(b) if vector else _times(a, _mT(b))


@op(A=lambda g, A, y, vector: -_outer(_solve(_mT(A), g, vector), y, vector),
    B=lambda g, A, vector: _solve(_mT(A), g, vector), shown="LinalgSolveExBackward0")
def _solve(A: Any, B: Any, vector: bool = False) -> Any:
    right = B[..., None] if vector else B
    if A.shape[-1] != right.shape[-2]:
        raise RuntimeError(f"linalg.solve: Incompatible shapes of A and B for the equation AX = B "
                           f"({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})")
    y = _singular("torch.linalg.solve", np.linalg.solve, _checked("linalg.solve", A), right)
    return y[..., 0].copy() if vector else y


@_check.takes("A", "B")
def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """Return X with A X = B (with `left=False`: X A = B); B may be a vector.

    >>> import minigrad as torch
    >>> torch.linalg.solve(torch.tensor([[2., 0.], [0., 4.]]), torch.ones(2))
    tensor([0.5000, 0.2500])
    """
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not "
                           "supported for left=False; give B as a matrix")
    y = _solve(A, B, vector) if left else _mT(_solve(_mT(A), _mT(B)))
    return y if out is None else into("solve", y, out, (A, B))


@with_out
def matrix_power(input: Any, n: int) -> Any:
    """Return a square matrix multiplied n times with itself; negative n: of its inverse.

    >>> import minigrad as torch
    >>> torch.matrix_power(torch.tensor([[1., 1.], [0., 1.]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(f"linalg.matrix_power: A must be batches of square matrices, but they "
                           f"are {' by '.join(str(s) for s in input.shape[-2:])} matrices")
    if n < 0:
        input, n = inv(input), -n
    if n == 0:
        one = eye(input.shape[-1], dtype=input.dtype).expand(input.shape)
        return where(eye(1, dtype=bool_).reshape(()), one, input)  # in the graph, with gradient 0
    if n == 1:
        return input.clone()
    result = None
    while n:
        if n & 1:
            result = input if result is None else matmul(result, input)
        n >>= 1
        if n:
            input = matmul(input, input)
    return result


# -------------------------------------------------------------------------- determinants
def _cofactors(A: ndarray, y: ndarray) -> ndarray:
    """Return the derivative of det: det(A) A^-T, at singular matrices by the SVD."""
    if y.all():
        return y[..., None, None] * _mT(np.linalg.inv(A))
    u, s, vh = np.linalg.svd(A)
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * product(u * others[..., None, :], vh)


@op(A=lambda g, A: _column(_column(g)) * cofactor(A), shown="LinalgDetBackward0")
def det(A: Any) -> Any:
    """Return the determinants of square matrices.

    >>> import minigrad as torch
    >>> torch.linalg.det(torch.tensor([[2., 0.], [0., 3.]]))
    tensor(6.)
    """
    return np.asarray(np.linalg.det(_checked("linalg.det", A)))


def _cofactor_rule(g: Any, A: Any) -> Any:
    """d(det B^T) with B = A^-1: det (<g, B^T> B^T - B^T g^T B^T)."""
    b = _mT(inv(A))
    inner = sum(g * b, (-2, -1), True)
    return _column(_column(det(A))) * (inner * b - _times(_times(b, _mT(g)), b))


@op(A=lambda g, A: _cofactor_rule(g, A), shown="LinalgDetBackward0")
def cofactor(A: Any) -> Any:
    """Return the matrices of cofactors, the derivative of the determinant."""
    return _cofactors(A, np.asarray(np.linalg.det(A)))


@op(A=lambda g, A: _column(_column(g)) * _mT(inv(A)), also="sign",
    shown="LinalgSlogdetBackward0")
def _logabsdet(A: Any) -> Any:
    sign, y = np.linalg.slogdet(_checked("linalg.slogdet", A))
    return np.asarray(y), np.asarray(sign)


@with_out
def slogdet(A: Any) -> Any:
    """Return the sign and the logarithm of the absolute value of the determinants.

    >>> import minigrad as torch
    >>> torch.linalg.slogdet(-torch.eye(3)).sign
    tensor(-1.)
    """
    y, sign = _logabsdet(A)
    return return_types.linalg_slogdet((sign, y))


def slogdet_pair(input: Any) -> Any:
    """Return the sign and the logarithm of the absolute value of the determinants."""
    return return_types.slogdet(slogdet(input))


def logdet(input: Any) -> Any:
    """Return the logarithm of the determinants; nan where one is negative."""
    y, sign = _logabsdet(input)
    return where(sign == -1, float("nan"), y)


# ------------------------------------------------------------------------- factorisations
def _half_diagonal(x: Any) -> Any:
    """Return the lower triangle with half of the diagonal."""
    return tril(x) - diag_embed(diagonal(x, 0, -2, -1)) * 0.5


def _cholesky_rule(g: Any, y: Any) -> Any:
    """S = L^-T half(L^T g) L^-1, made symmetric (Murray 2016)."""
    low = inv(y)
    s = _times(_times(_mT(low), _half_diagonal(_times(_mT(y), g))), low)
    return (s + _mT(s)) * 0.5


@op(A=lambda g, y: _cholesky_rule(g, y), shown="LinalgCholeskyExBackward0")
def _cholesky(A: Any) -> Any:
    try:
        return np.linalg.cholesky(_checked("linalg.cholesky", A))
    except np.linalg.LinAlgError:
        raise LinAlgError("linalg.cholesky: The factorization could not be completed because the "
                          "input is not positive-definite") from None


def cholesky(A: Any, *, upper: bool = False, out: Any = None) -> Any:
    """Return the lower triangular L with A = L L^T (`upper`: L^T) of positive-definite matrices.

    >>> import minigrad as torch
    >>> torch.linalg.cholesky(torch.tensor([[4., 2.], [2., 2.]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    y = _mT(_cholesky(A)) if upper else _cholesky(A)
    return y if out is None else into("cholesky", y, out, (A,))


def _qr_rule(g: list[Any], A: Any) -> Any:
    """gA = (gQ + Q copyltu(M)) R^-T with M = R gR^T - gQ^T Q (Walter & Lehmann 2018)."""
    q, r = _qr(A)
    m = _times(r, _mT(g[1])) - _times(_mT(g[0]), q)
    both = tril(m) + _mT(tril(m, -1))
    return _mT(_solve(r, _mT(g[0] + _times(q, both))))


@op(A=lambda g, A: _qr_rule(g, A), outputs="many", shown="LinalgQrBackward0")
def _qr(A: Any) -> Any:
    return list(np.linalg.qr(_checked("linalg.qr", A, square=False)))


@op(R=lambda g: g, shown="LinalgQrBackward0")
def _upper(R: Any) -> Any:
    return R.copy()


@op(A=underived("linalg.qr with mode='complete' of matrices with more rows than columns"),
    outputs="many", shown="LinalgQrBackward0")
def _qr_complete(A: Any) -> Any:
    return list(np.linalg.qr(_checked("linalg.qr", A, square=False), "complete"))


@with_out
@_check.takes("A")
def qr(A: Any, mode: str = "reduced") -> Any:
    """Return Q with orthonormal columns and the upper triangular R with A = Q R.

    mode 'complete' returns a square Q, which has no derivative if A has more rows than columns; 'r'
    returns R alone and an empty Q.
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' "
                           f"(default), 'r', or 'complete'")
    if mode == "complete" and A.shape[-2] > A.shape[-1]:
        return return_types.linalg_qr(_qr_complete(A))
    if mode == "r":
        return return_types.linalg_qr((empty((0,), dtype=A.dtype), qr(A)[1]))
    if A.requires_grad and A.shape[-2] < A.shape[-1]:  # Q comes from the first columns alone
        first, rest = tensor_split(A, (A.shape[-2],), -1)
        q, r = _qr(first)
        return return_types.linalg_qr((q, _upper(cat([r, matmul(_mT(q), rest)], -1))))
    return return_types.linalg_qr(_qr(A))


@_check.takes("input")
def qr_by_some(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """Return Q and R of `linalg.qr`; with some=False a square Q."""
    found = return_types.qr(qr(input, "reduced" if some else "complete"))
    return found if out is None else into("qr", found, out, (input,))
