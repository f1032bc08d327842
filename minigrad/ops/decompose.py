"""Inverses, determinants, solving and factorisations of square and other matrices.

The derivative rules are matrix formulas in terms of these same ops (Giles 2008, "An extended
collection of matrix derivative results"), so they have derivatives of every order themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from .._dtype import dtype_of
from ..engine import op, wrap
from ._operands import with_out
from .arrange import diag_embed, diagonal, tril
from .choose import where
from .fill import eye
from .join import cat, tensor_split
from .linalg import _column, _mT, _row, _times, matmul, product
from .reduce import sum
from .shape import reshape

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
    return y if out is None else out.copy_(y)


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
        return eye(input.shape[-1], dtype=input.dtype).expand(input.shape).clone()
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
    return y if out is None else out.copy_(y)


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


@with_out
def qr(A: Any, mode: str = "reduced") -> Any:
    """Return Q with orthonormal columns and the upper triangular R with A = Q R.

    Only mode='reduced' is supported.
    """
    if mode != "reduced":
        raise RuntimeError(f"qr: only mode='reduced' is supported, got {mode!r}")
    if A.requires_grad and A.shape[-2] < A.shape[-1]:  # Q comes from the first columns alone
        first, rest = tensor_split(A, (A.shape[-2],), -1)
        q, r = _qr(first)
        return return_types.linalg_qr((q, _upper(cat([r, matmul(_mT(q), rest)], -1))))
    return return_types.linalg_qr(_qr(A))


def _gaps(w: Any) -> Any:
    """Return w_j - w_i, with ones on the diagonal."""
    rows = reshape(w, (*w.shape[:-1], 1, w.shape[-1])) - _column(w)
    return rows + _like(np.eye(w.shape[-1]), w)


def _like(constant: ndarray, other: Any) -> Any:
    """Return a constant for a rule: an array in first order, a tensor in higher ones."""
    constant = constant.astype(getattr(other, "_data", other).dtype)
    return constant if type(other) is ndarray else wrap(constant, None)


def _eigh_rule(g: list[Any], A: Any) -> Any:
    """gA = V (diag(gw) + skew(V^T gV) / 2 (w_j - w_i)) V^T: symmetric, as changes of A are."""
    w, v = _eigh(A, "L")
    inner = _skew(_times(_mT(v), g[1])) * 0.5 / _gaps(w) + diag_embed(g[0])
    return _times(_times(v, inner), _mT(v))


@op(A=lambda g, A: _eigh_rule(g, A), outputs="many", shown="LinalgEighBackward0")
def _eigh(A: Any, UPLO: str) -> Any:
    return list(_singular("linalg.eigh", np.linalg.eigh, _checked("linalg.eigh", A), UPLO))


@with_out
def eigh(A: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues (ascending) and eigenvectors (columns) of symmetric matrices.

    Only the lower (UPLO='L') or upper triangle is read. Equal eigenvalues have no derivative.

    >>> import minigrad as torch
    >>> torch.linalg.eigh(torch.tensor([[2., 0.], [0., 1.]])).eigenvalues
    tensor([1., 2.])
    """
    if UPLO not in ("L", "U"):
        raise RuntimeError(f"linalg.eigh: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return return_types.linalg_eigh(_eigh(_mT(A) if UPLO == "U" else A, "L"))


@with_out
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of symmetric matrices, ascending."""
    return eigh(A, UPLO)[0]


def _skew(x: Any) -> Any:
    return x - _mT(x)


def _svd_rule(g: list[Any], A: Any) -> Any:
    """Return the derivative of the reduced SVD (Townsend 2016).

    With E_ij = s_j^2 - s_i^2: gA = U [(skew(U^T gU) / E) S + S (skew(V^T gV) / E) + diag(gS)] V^T,
    and the parts of gU and gV outside of the spaces of U and V, divided by s.
    """
    u, s, vh = _svd(A)
    gu, gs, gvh = g
    v, gv, row = _mT(vh), _mT(gvh), reshape(s, (*s.shape[:-1], 1, s.shape[-1]))
    gaps = _gaps(s * s)
    inner = _skew(_times(_mT(u), gu)) / gaps * row + _column(s) * (
        _skew(_times(_mT(v), gv)) / gaps) + diag_embed(gs)
    result = _times(_times(u, inner), vh)
    if u.shape[-2] > u.shape[-1]:
        result = result + _times((gu - _times(u, _times(_mT(u), gu))) / row, vh)
    if v.shape[-2] > v.shape[-1]:
        result = result + _times(u, _mT((gv - _times(v, _times(_mT(v), gv))) / row))
    return result


@op(A=lambda g, A: _svd_rule(g, A), outputs="many", shown="LinalgSvdBackward0")
def _svd(A: Any) -> Any:
    return list(_singular("linalg.svd", lambda a: np.linalg.svd(a, full_matrices=False),
                          _checked("linalg.svd", A, square=False)))


@with_out
def svd(A: Any, full_matrices: bool = True) -> Any:
    """Return U, S, Vh with A = U diag(S) Vh; S is descending.

    With full_matrices (the default) U and Vh are square; the additional columns count as constant
    for the derivative, because any basis would do.

    >>> import minigrad as torch
    >>> torch.linalg.svd(torch.tensor([[3., 0.], [0., 4.]])).S
    tensor([4., 3.])
    """
    if not full_matrices or A.shape[-1] == A.shape[-2]:
        return return_types.linalg_svd(_svd(A))
    parts = _singular("linalg.svd", np.linalg.svd, _checked("linalg.svd", A._data, square=False))
    u, s, vh = _svd(A)
    more_u, more_v = parts[0][..., s.shape[-1]:], parts[2][..., s.shape[-1]:, :]
    return return_types.linalg_svd((cat([u, wrap(more_u, None)], -1), s,
                                    cat([vh, wrap(more_v, None)], -2)))


def svd_by_columns(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """Return U, S, V with input = U diag(S) V^T; `linalg.svd` returns V^T instead."""
    if not compute_uv:
        raise RuntimeError("svd: compute_uv=False is not supported; use linalg.svdvals")
    u, s, vh = svd(input, not some)
    return return_types.svd((u, s, _mT(vh)))


@with_out
def svdvals(A: Any) -> Any:
    """Return the singular values, descending."""
    return _svd(A)[1]


def _pinv_rule(g: Any, A: Any, y: Any) -> Any:
    """Return the derivative of the pseudoinverse at constant rank (Golub & Pereyra 1973)."""
    pt = _mT(y)
    ppt, ptp = _times(y, pt), _times(pt, y)
    gt = _mT(g)
    outside_rows = gt - _times(A, _times(y, gt))
    outside_columns = gt - _times(_times(gt, y), A)
    return _times(outside_rows, ppt) + _times(ptp, outside_columns) - _times(_times(pt, g), pt)


@op(A=lambda g, A, y: _pinv_rule(g, A, y), shown="LinalgPinvBackward0")
def pinv(A: Any, rtol: float | None = None) -> Any:
    """Return the pseudoinverse (Moore-Penrose): singular values below rtol * largest count as 0.

    `rtol` defaults to max(m, n) times the machine epsilon.
    """
    a = _checked("linalg.pinv", A, square=False)
    cut = max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    return _singular("linalg.pinv", np.linalg.pinv, a, cut)
