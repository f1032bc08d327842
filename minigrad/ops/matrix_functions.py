"""The matrix exponential, and products of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from ..engine import op
from ..outputs import into
from ._operands import underived, with_out
from .arrange import tril, triu
from .decompose import _checked, solve
from .fill import eye, zeros
from .join import cat
from .linalg import _column, _mT, matmul
from .reduce import sum, wide
from .slicing import narrow
from .vector_norm import _norm, _norm_rule

ndarray = np.ndarray
# Numerator of the Pade approximant of order 13 of exp, and the norm up to which it is exact in
# float64: Higham, "The scaling and squaring method for the matrix exponential revisited", 2005.
_PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
         40840800.0, 960960.0, 16380.0, 182.0, 1.0)
_RADIUS = 5.371920351148152


# -------------------------------------------------------------------------- the exponential
def _exponential(a: ndarray) -> ndarray:
    """Return exp of float64 matrices (m, n, n): scale by 2^-s, Pade, square s times."""
    if a.shape[-1] == 1:
        return np.exp(a)
    norms = np.abs(a).sum(-2).max(-1, initial=0.0)
    good = np.isfinite(norms)
    ratio = np.where(good, norms / _RADIUS, 1.0)
    squarings = np.ceil(np.log2(np.maximum(ratio, 1.0))).astype(int)
    x = np.where(good[:, None, None], a, 0.0) / np.exp2(squarings)[:, None, None]
    b = _PADE
    one = np.eye(a.shape[-1])
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = x @ (x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2
               + b[1] * one)
    even = (x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2
            + b[0] * one)
    y = np.linalg.solve(even - odd, even + odd)
    for k in range(squarings.max(initial=0)):
        more = squarings > k
        y[more] = y[more] @ y[more]
    y[~good] = np.nan
    return y


def _exponential_rule(g: Any, A: Any) -> Any:
    """Return the upper right block of exp([[A^T, g], [0, A^T]]) (Mathias 1996).

    That block, the derivative of exp at A^T in the direction g, is linear in g: any constant
    factor may be taken out. A g of the size of A keeps the number of squarings low.
    """
    values = getattr(g, "_data", g)
    size = float(np.abs(values).max(initial=0.0))
    size = size if 0 < size < np.inf else 1.0
    at = _mT(A)
    upper = cat([at, g / size], -1)
    lower = cat([at * 0, at], -1)
    n = A.shape[-1]
    block = matrix_exp(cat([upper, lower], -2))
    return narrow(narrow(block, -2, 0, n), -1, n, n) * size


@op(A=lambda g, A: _exponential_rule(g, A), shown="LinalgMatrixExpBackward0")
def matrix_exp(A: Any) -> Any:
    """Return exp(A) = I + A + A^2 / 2 + A^3 / 6 + ... of square matrices.

    Computed by scaling and squaring with a Pade approximant (Higham 2005), in float64. The
    exponential of a skew-symmetric matrix is orthogonal. RuntimeError for other shapes.

    >>> import minigrad as torch
    >>> torch.matrix_exp(torch.tensor([[0., 1.], [0., 0.]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    a = _checked("linalg.matrix_exp", A)
    flat = a.reshape(-1, *a.shape[-2:]) if a.size else a.reshape(0, *a.shape[-2:])
    with np.errstate(over="ignore", invalid="ignore"):
        return _exponential(flat.astype(np.float64)).reshape(a.shape).astype(a.dtype)


# -------------------------------------------------------------------------- reflections
def _product_of_reflections(input: Any, tau: Any) -> Any:
    """Return I - V T V^T, the first n columns, in terms of ops."""
    m, n = input.shape[-2:]
    k = tau.shape[-1]
    first = eye(m, n, dtype=input.dtype)
    v = tril(narrow(input, -1, 0, k), -1) + eye(m, k, dtype=input.dtype)  # (..., m, k)
    inner = eye(k, dtype=input.dtype) + _column(tau) * triu(matmul(_mT(v), v), 1)
    right = _column(tau) * _mT(narrow(v, -2, 0, n))  # (..., k, n): diag(tau) V[:n]^T
    return first - matmul(v, solve(inner, right))


@op(input=None, tau=None, smooth="v upper inner right", reference=_product_of_reflections,
    shown="LinalgHouseholderProductBackward0")
def householder_product(input: Any, tau: Any) -> Any:
    """Return the first n columns of H_1 H_2 ... H_k with H_i = I - tau_i v_i v_i^T.

    v_i is column i of `input` (..., m, n), m >= n, below the diagonal, with a 1 on it and zeros
    above; tau is (..., k), k <= n. `geqrf` returns both. The product is I - V T V^T with the upper
    triangular T = (I + diag(tau) striu(V^T V))^-1 diag(tau) (Joffrain et al. 2006).

    >>> import minigrad as torch
    >>> A = torch.tensor([[3., 1.], [4., 2.]])
    >>> Q = torch.linalg.householder_product(*torch.geqrf(A))
    >>> torch.allclose(Q.T @ Q, torch.eye(2), atol=1e-6)
    True
    """
    _check_reflectors(input, tau)
    _checked("linalg.householder_product", input, square=False)
    m, n = input.shape[-2:]
    k = tau.shape[-1]
    v = np.tril(input[..., :k], -1) + np.eye(m, k, dtype=input.dtype)
    upper = np.triu(_mT(v) @ v, 1)
    inner = np.eye(k, dtype=input.dtype) + tau[..., None] * upper
    right = np.linalg.solve(inner, tau[..., None] * _mT(v[..., :n, :]))
    return np.eye(m, n, dtype=input.dtype) - v @ right, v, upper, inner, right


@householder_product.fused
def _(g: ndarray, input: ndarray, tau: ndarray, v: ndarray, upper: ndarray, inner: ndarray,
      right: ndarray, needs: Any) -> tuple[Any, ...]:
    # Q = E - V R with inner R = B, B = diag(tau) V[:n]^T, inner = I + diag(tau) U, U = striu(V^T V)
    # gR = -V^T g, gB = inner^-T gR, g_inner = -gB R^T, gU = striu(diag(tau) g_inner),
    # gV = -g R^T + V (gU + gU^T), its first n rows also + (diag(tau) gB)^T,
    # gtau = the row sums of gB * V[:n]^T + g_inner * U; `input` gets gV below the diagonal.
    n, k = input.shape[-1], tau.shape[-1]
    gb = np.linalg.solve(_mT(inner), -_mT(v) @ g)
    g_inner = -gb @ _mT(right)
    gu = np.triu(tau[..., None] * g_inner, 1)
    gv = v @ (gu + _mT(gu)) - g @ _mT(right)
    gv[..., :n, :] += _mT(tau[..., None] * gb)
    g_input = np.zeros_like(input)
    g_input[..., :k] = np.tril(gv, -1)
    return g_input, (gb * _mT(v[..., :n, :])).sum(-1) + (g_inner * upper).sum(-1)


def _check_reflectors(input: Any, tau: Any) -> None:
    name = "linalg.householder_product"
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions, got {input.ndim}")
    if input.shape[-2] < input.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to "
                           f"input.shape[-1], got {list(input.shape)}")
    if tau.ndim != input.ndim - 1 or tau.shape[:-1] != input.shape[:-2]:
        raise RuntimeError(f"{name}: Expected tau to have one dimension less than input and its "
                           f"batch sizes, got {list(tau.shape)} for {list(input.shape)}")
    if tau.shape[-1] > input.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to "
                           f"tau.shape[-1], got {input.shape[-1]} and {tau.shape[-1]}")
    if input.dtype != tau.dtype:
        raise RuntimeError(f"{name}: tau dtype {tau.dtype} does not match input dtype "
                           f"{input.dtype}")


@with_out
def orgqr(input: Any, input2: Any) -> Any:
    """Return `linalg.householder_product(input, input2)`: LAPACK's name."""
    return householder_product(input, input2)


@_check.takes("input", "tau", "other")
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False, *,
          out: Any = None) -> Any:
    """Return Q other (`left=False`: other Q; with `transpose` Q^T) for a square orthogonal Q.

    `input` and `tau` are reflections as `geqrf` returns them.

    >>> import minigrad as torch
    >>> x = torch.tensor([[3., 1.], [4., 2.]])
    >>> torch.ormqr(*torch.geqrf(x), x, transpose=True)[1, 0].abs() < 1e-6
    tensor(True)
    """
    _check_reflectors(input[..., :tau.shape[-1]] if tau.ndim and input.ndim > 1 else input, tau)
    m, k = input.shape[-2], tau.shape[-1]
    sides = (m, other.shape[-2 if left else -1])
    if sides[0] != sides[1]:
        raise RuntimeError(f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to "
                           f"input.shape[-2], got {sides[1]} and {sides[0]}")
    if input.shape[-1] < m:
        lead = tuple(input.shape[:-2])
        input = cat([input, zeros((*lead, m, m - input.shape[-1]), dtype=input.dtype)], -1)
    tau = cat([tau, zeros((*tau.shape[:-1], m - k), dtype=tau.dtype)], -1) if k < m else tau
    q = householder_product(narrow(input, -1, 0, m), tau)
    q = _mT(q) if transpose else q
    y = matmul(q, other) if left else matmul(other, q)
    return y if out is None else into("ormqr", y, out, (input, tau, other))


@op(input=underived("geqrf"), outputs="many", shown="GeqrfBackward0")
def _geqrf(input: Any) -> Any:
    a = _checked("geqrf", input, square=False)
    packed, tau = np.linalg.qr(a, mode="raw")
    return [np.ascontiguousarray(packed.swapaxes(-1, -2)).astype(a.dtype, copy=False),
            tau.astype(a.dtype, copy=False)]


@with_out
def geqrf(input: Any) -> Any:
    """Return (a, tau), the QR factorisation as LAPACK packs it.

    R is the upper triangle of `a`; Q is `linalg.householder_product(a, tau)`. There is no
    derivative (RuntimeError in backward); `linalg.qr` has one.

    >>> import minigrad as torch
    >>> a, tau = torch.geqrf(torch.tensor([[3., 0.], [4., 5.]]))
    >>> a.triu()
    tensor([[-5., -4.],
            [ 0.,  3.]])
    """
    return return_types.geqrf(_geqrf(input))


# -------------------------------------------------------------------------- weight normalisation
def _others(ndim: int, dim: int) -> tuple[int, ...]:
    """Return all dimensions but one; dim=-1 stands for none: all dimensions."""
    kept = -1 if dim == -1 else _check.dim(dim, ndim)
    return tuple(i for i in range(ndim) if i != kept)


def _name_of_norm(v_shape: tuple[int, ...], dim: int) -> str:
    return ("NormBackward0" if dim == -1 else
            "ViewBackward0" if dim in (0, len(v_shape) - 1) else "TransposeBackward0")


@op(v=lambda g, v, y, pow, dim: _norm_rule(g, v, y, pow, _others(v.ndim, dim), dim != -1),
    shown=_name_of_norm)
def norm_except_dim(v: Any, pow: int = 2, dim: int = 0) -> Any:
    """Return the norms of order `pow` over all dimensions but one; dim=-1: over all.

    >>> import minigrad as torch
    >>> torch.norm_except_dim(torch.tensor([[3., 4.], [6., 8.]])).shape
    torch.Size([2, 1])
    """
    return _norm(wide(v), pow, _others(v.ndim, dim), dim != -1).astype(v.dtype, copy=False)


def _direction_rule(g: Any, v: Any, magnitude: Any, dim: int) -> Any:
    """Return (magnitude / |v|) times the part of g that is orthogonal to v."""
    size = norm_except_dim(v, 2, dim)
    others = _others(v.ndim, dim)  # () for a vector: sum would take it for all
    along = (sum(g * v, others, True) if others else g * v) / (size * size)
    return (g - v * along) * (magnitude / size)


@op(v=lambda g, v, magnitude, dim: _direction_rule(g, v, magnitude, dim),
    magnitude=lambda g, v, dim: g * v / norm_except_dim(v, 2, dim),
    shown=lambda v_shape, dim: ("WeightNormInterfaceBackward0" if dim in (0, len(v_shape) - 1)
                                else "MulBackward0"))
def _scaled_direction(v: Any, magnitude: Any, dim: int) -> Any:
    size = _norm(wide(v), 2, _others(v.ndim, dim), dim != -1)
    return (v * (magnitude / size)).astype(v.dtype, copy=False)


def _weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """Return g * v / |v|: see `nn.utils.parametrizations.weight_norm`."""
    return _scaled_direction(v, g, dim)
