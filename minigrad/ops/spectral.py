"""Eigenvalues of symmetric matrices, singular values, the pseudoinverse.

Their rules are matrix formulas in terms of these same ops (Giles 2008; Townsend 2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import op, wrap
from ._operands import with_out
from .arrange import diag_embed
from .decompose import _checked, _singular
from .join import cat
from .linalg import _column, _mT, _row, _times
from .shape import reshape

ndarray = np.ndarray


def _gaps(w: Any) -> Any:
    """Return w_j - w_i, with ones on the diagonal."""
    rows = reshape(w, (*w.shape[:-1], 1, w.shape[-1])) - _column(w)
    return rows + _like(np.eye(w.shape[-1]), w)


def _like(constant: ndarray, other: Any) -> Any:
    """Return a constant for a rule: an array in first order, a tensor in higher ones."""
    constant = constant.astype(getattr(other, "_data", other).dtype)
    return constant if type(other) is ndarray else wrap(constant, None)


def _eigh_rule(g: list[Any], A: Any, UPLO: str) -> Any:
    """gA = V (diag(gw) + skew(V^T gV) / 2 (w_j - w_i)) V^T: symmetric, as changes of A are."""
    w, v = _eigh(A, UPLO)
    inner = _skew(_times(_mT(v), g[1])) * 0.5 / _gaps(w) + diag_embed(g[0])
    return _times(_times(v, inner), _mT(v))


@op(A=lambda g, A, UPLO: _eigh_rule(g, A, UPLO), outputs="many", shown="LinalgEighBackward0")
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
    return return_types.linalg_eigh(_eigh(A, UPLO))


def _eigvalsh_rule(g: Any, A: Any, UPLO: str) -> Any:
    """gA = V diag(g) V^T: also right where eigenvalues are equal."""
    v = _eigh(A, UPLO)[1]
    return _times(v * _row(g), _mT(v))


@op(A=lambda g, A, UPLO: _eigvalsh_rule(g, A, UPLO), shown="LinalgEighBackward0")
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of symmetric matrices, ascending: see `eigh`."""
    return _singular("linalg.eigvalsh", np.linalg.eigvalsh, _checked("linalg.eigvalsh", A), UPLO)


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
@_check.takes("A")
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


@with_out
@_check.takes("input")
def svd_by_columns(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """Return U, S, V with input = U diag(S) V^T; `linalg.svd` returns V^T instead."""
    if not compute_uv:
        raise RuntimeError("svd: compute_uv=False is not supported; use linalg.svdvals")
    u, s, vh = svd(input, not some)
    return return_types.svd((u, s, _mT(vh)))


def _svdvals_rule(g: Any, A: Any) -> Any:
    """gA = U diag(g) V^T: also right where singular values are equal."""
    u, _, vh = _svd(A)
    return _times(u * _row(g), vh)


@op(A=lambda g, A: _svdvals_rule(g, A), shown="LinalgSvdBackward0")
def svdvals(A: Any) -> Any:
    """Return the singular values, descending.

    >>> import minigrad as torch
    >>> torch.linalg.svdvals(torch.tensor([[3., 0.], [0., -4.]]))
    tensor([4., 3.])
    """
    return _singular("linalg.svdvals", lambda a: np.linalg.svd(a, compute_uv=False),
                     _checked("linalg.svdvals", A, square=False))


def _pinv_rule(g: Any, A: Any, y: Any) -> Any:
    """Return the derivative of the pseudoinverse at constant rank (Golub & Pereyra 1973)."""
    pt = _mT(y)
    ppt, ptp = _times(y, pt), _times(pt, y)
    gt = _mT(g)
    outside_rows = gt - _times(A, _times(y, gt))
    outside_columns = gt - _times(_times(gt, y), A)
    return _times(outside_rows, ppt) + _times(ptp, outside_columns) - _times(_times(pt, g), pt)


@op(A=lambda g, A, y: _pinv_rule(g, A, y), shown="LinalgPinvBackward0")
def pinv(A: Any, rtol: Any = None) -> Any:
    """Return the pseudoinverse (Moore-Penrose): singular values below rtol * largest count as 0.

    `rtol` defaults to max(m, n) times the machine epsilon.
    """
    a = _checked("linalg.pinv", A, square=False)
    cut = max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    return _singular("linalg.pinv", np.linalg.pinv, a, cut)
