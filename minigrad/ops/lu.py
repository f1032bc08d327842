"""LU factorisation: A = P L U with a permutation P, unit lower L and upper triangular U."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import op, wrap
from ..kernels import lu as kernel
from ._operands import with_out
from .arrange import tril, triu
from .decompose import LinAlgError, _checked
from .fill import empty
from .join import cat
from .linalg import _mT, _times
from .pad import pad
from .scatter import gather
from .triangular import _triangular

ndarray = np.ndarray


def _lu_rule(g: Any, y: Any, undo: Any) -> Any:
    """Return the derivative of the packed L and U.

    Square: gA = P L^-T [tril(L^T gL, -1) + triu(gU U^T)] U^-T, from the strictly lower and the
    upper part of L^-1 dA U^-1 = L^-1 dL + dU U^-1. More rows: L2 = A2 U^-1, so gA2 = gL2 U^-T, and
    U's gradient loses L2^T gA2. More columns: U2 = L^-1 A2, so gA2 = L^-T gU2, and L's loses
    gA2 U2^T.
    """
    k = min(y.shape[-2:])
    core, gl, gu = y[..., :k, :k], tril(g[..., :k, :k], -1), triu(g[..., :k, :k])
    rest = None
    if y.shape[-2] > k:
        rest = _right(g[..., k:, :], core)
        gu = triu(gu - _times(_mT(y[..., k:, :]), rest))
    elif y.shape[-1] > k:
        rest = _triangular(_mT(core), g[..., :, k:], True, True)
        gl = tril(gl - _times(rest, _mT(y[..., :, k:])), -1)
    upper = triu(core)
    below = tril(_times(_mT(tril(core, -1)), gl) + gl, -1)  # L^T gL, of which L has ones on top
    inner = below + triu(_times(gu, _mT(upper)))
    result = _right(_triangular(_mT(core), inner, True, True), core)
    if rest is not None:
        result = cat([result, rest], -2 if y.shape[-2] > k else -1)
    return gather(result, -2, undo)


def _right(x: Any, core: Any) -> Any:
    """Return x U^-T, that is, the transpose of U^-1 x^T."""
    return _mT(_triangular(core, _mT(x), True))


@op(A=lambda g, y, undo: _lu_rule(g, y, undo), also="pivots", aux="undo",
    shown="LinalgLuFactorExBackward0")
def _lu(A: Any) -> Any:
    """Return L and U in one array, and the pivots."""
    y, pivots = kernel.factor(_checked("linalg.lu_factor", A, square=False))
    undo = kernel.order_of(pivots, A.shape[-2]).argsort(-1)
    return y, pivots, np.ascontiguousarray(np.broadcast_to(undo[..., None], A.shape))


def _pivoting(pivot: bool) -> None:
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU; "
                           "use pivot=True")


def _zero_pivots(packed: Any) -> ndarray:
    """Return the number of the first zero on the diagonal of U, from 1; 0 if there is none."""
    zero = np.diagonal(packed._data, 0, -2, -1) == 0
    if not zero.size:
        return np.zeros(zero.shape[:-1], np.int32)
    return np.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(np.int32)


@with_out
def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """Return L and U in one array, the pivots (from 1) and where U's diagonal has its first 0."""
    _pivoting(pivot)
    packed, pivots = _lu(A)
    info = _zero_pivots(packed)
    if check_errors and info.any():
        raise LinAlgError(_zero_message("torch.linalg.lu_factor_ex", info))
    return return_types.linalg_lu_factor_ex((packed, pivots, wrap(info, None)))


def _zero_message(name: str, info: ndarray) -> str:
    at = int(info.flat[np.flatnonzero(info)[0]])
    return (f"{name}: U[{at},{at}] is zero and using it on lu_solve would result in a division by "
            f"zero. For the factors alone call linalg.lu(A) or linalg.lu_factor_ex(A)")


@with_out
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """Return L and U in one array, and the pivots (from 1), for `lu_solve`.

    Row k was swapped with row pivots[k] - 1, for k = 0, 1, ... RuntimeError if U's diagonal has 0.

    >>> import minigrad as torch
    >>> torch.linalg.lu_factor(torch.tensor([[1., 2.], [2., 0.]]))
    torch.return_types.linalg_lu_factor(
    LU=tensor([[2.0000, 0.0000],
            [0.5000, 2.0000]]),
    pivots=tensor([2, 2], dtype=torch.int32))
    """
    packed, pivots, info = lu_factor_ex(A, pivot=pivot)
    if info._data.any():
        raise RuntimeError(_zero_message("torch.linalg.lu_factor", info._data))
    return return_types.linalg_lu_factor((packed, pivots))


@with_out
@_check.takes("A")
def lu_legacy(A: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    """Return L and U in one array, the pivots, and with `get_infos` where U has a 0."""
    found = lu_factor_ex(A, pivot=pivot)
    return tuple(found) if get_infos else tuple(found[:2])


def _unpacked_rule(g: list[Any], packed_shape: tuple[int, ...]) -> Any:
    """L and U lie side by side in the packed array: pad their gradients to its shape and add."""
    m, n = packed_shape[-2:]
    k = min(m, n)
    return pad(tril(g[0], -1), (0, n - k)) + pad(triu(g[1]), (0, 0, 0, m - k))


@op(packed=_unpacked_rule, outputs="many", shown=lambda name: f"{name}Backward0")
def _unpacked(packed: Any, name: str = "LinalgLu") -> Any:
    """Return L and U apart."""
    k = min(packed.shape[-2:])
    low = np.tril(packed[..., :k], -1) + np.eye(packed.shape[-2], k, dtype=packed.dtype)
    return [low, np.triu(packed[..., :k, :])]


def _permutation(packed: Any, pivots: Any) -> Any:
    """Return the matrix P of A = P L U."""
    m = packed.shape[-2]
    one = np.eye(m, dtype=packed._data.dtype)
    order = kernel.order_of(pivots._data, m)
    return wrap(np.ascontiguousarray(one[order].swapaxes(-2, -1)), None)


@with_out
@_check.takes("LU_data", "LU_pivots")
def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True,
              unpack_pivots: bool = True) -> Any:
    """Return P, L and U from what `linalg.lu_factor` returned; empty tensors for the unwanted."""
    if LU_pivots._data.dtype != np.int32:
        raise RuntimeError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of "
                           "torch.int32 dtype, as torch.linalg.lu_factor returns it")
    none = empty((0,), dtype=LU_data.dtype)
    p = _permutation(LU_data, LU_pivots) if unpack_pivots else none
    low, up = _unpacked(LU_data, "LuUnpack") if unpack_data else (none, none)
    return return_types.lu_unpack((p, low, up))


@with_out
def lu(A: Any, *, pivot: bool = True) -> Any:
    """Return P, L and U with A = P L U, for matrices of any shape.

    >>> import minigrad as torch
    >>> A = torch.tensor([[1., 2.], [2., 0.]])
    >>> P, L, U = torch.linalg.lu(A)
    >>> torch.equal(P @ L @ U, A)
    True
    """
    _pivoting(pivot)
    packed, pivots = _lu(A)
    return return_types.linalg_lu((_permutation(packed, pivots), *_unpacked(packed)))


@with_out
def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """Return X with A X = B, given A's factors (`adjoint`: A^T X = B; `left=False`: X A = B).

    >>> import minigrad as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[0., 2.], [4., 0.]]))
    >>> torch.linalg.lu_solve(LU, pivots, torch.tensor([[2.], [4.]]))
    tensor([[1.],
            [1.]])
    """
    n = _checked("linalg.lu_solve", LU._data).shape[-1]
    if B.ndim < 2 or B.shape[-2 if left else -1] != n:
        raise RuntimeError(f"linalg.lu_solve: Incompatible shapes of A and B for the equation "
                           f"{'AX = B' if left else 'XA = B'} ({n}x{n} and "
                           f"{'x'.join(map(str, B.shape[-2:]))})")
    if not left:
        return _mT(lu_solve(LU, pivots, _mT(B), adjoint=not adjoint))
    order = kernel.order_of(pivots._data, n)
    if adjoint:
        y = _triangular(_mT(LU), _triangular(_mT(LU), B, False), True, True)
        return _ordered(y, order.argsort(-1))
    return _triangular(LU, _triangular(LU, _ordered(B, order), False, True), True)


def _ordered(x: Any, order: ndarray) -> Any:
    """Return the rows in an order; both broadcast over leading dimensions."""
    lead = np.broadcast_shapes(tuple(x.shape[:-2]), order.shape[:-1])
    shape = (*lead, *x.shape[-2:])
    return gather(x.expand(shape), -2, wrap(np.broadcast_to(order[..., None], shape), None))


@with_out
@_check.takes("b", "LU_data", "LU_pivots")
def lu_solve_legacy(b: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """Return X with A X = b, given A's factors: `linalg.lu_solve` in the older order."""
    return lu_solve(LU_data, LU_pivots, b)
