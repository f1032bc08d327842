"""Functions of the top namespace that are methods under another roof."""

from __future__ import annotations

from typing import Any

from . import _check
from .ops._operands import with_out
from .tensor import Tensor

conj = _check.takes("self")(Tensor.conj)
conj_physical_ = Tensor.conj_physical_
detach = _check.takes("self")(Tensor.detach)
get_device = _check.takes("self")(Tensor.get_device)
is_conj = _check.takes("self")(Tensor.is_conj)
is_neg = _check.takes("self")(Tensor.is_neg)
is_signed = _check.takes("self")(Tensor.is_signed)
ldexp_ = Tensor.ldexp_
resolve_conj = _check.takes("self")(Tensor.resolve_conj)
resolve_neg = _check.takes("self")(Tensor.resolve_neg)


@with_out
@_check.takes("input")
def conj_physical(input: Any) -> Any:
    """Return the tensor itself: it is its own conjugate."""
    return input.conj_physical()


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switch the search for NaN gradients on or off: see `autograd.set_detect_anomaly`."""
    from .anomaly import set_detect_anomaly

    set_detect_anomaly(enabled, check_nan)


@_check.takes("tensor")
def to_dlpack(tensor: Any) -> Any:
    """Return the DLPack capsule of a tensor, which another library takes once."""
    try:
        return tensor.__dlpack__(max_version=(1, 0))  # says that the memory may be written
    except TypeError:  # NumPy before 2.1
        return tensor.__dlpack__()


@_check.takes("A")
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2,
                M: Any = None) -> tuple[Any, Any, Any]:
    """Return U, S, V of about the q largest singular values of A (of A - M), found by chance.

    Halko, Martinsson and Tropp (2009), algorithm 5.1: the product with q random vectors, made
    orthogonal again in each of `niter` power iterations, spans nearly the space looked for.

    >>> import minigrad as torch
    >>> A = torch.outer(torch.arange(4.), torch.ones(3))
    >>> U, S, V = torch.svd_lowrank(A, q=1)
    >>> torch.allclose(U * S @ V.mT, A, atol=1e-5)
    True
    """
    from . import linalg
    from .ops.random import randn

    A = A if M is None else A - M
    m, n = A.shape[-2:]
    q = 6 if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"svd_lowrank: q (={q}) must be non-negative integer and not greater than "
                         f"min(m, n)={min(m, n)}")
    turned = m < n
    B = A.mT if turned else A
    Q = linalg.qr(B @ randn(*B.shape[:-2], B.shape[-1], q, dtype=B.dtype)).Q
    for _ in range(2 if niter is None else niter):
        Q = linalg.qr(B @ linalg.qr(B.mT @ Q).Q).Q
    U, S, Vh = linalg.svd(Q.mT @ B, full_matrices=False)
    U, V = Q @ U, Vh.mT
    return (V, S, U) if turned else (U, S, V)


@_check.takes("A")
def pca_lowrank(A: Any, q: int | None = None, center: bool = True,
                niter: int = 2) -> tuple[Any, Any, Any]:
    """Return U, S, V of the q first principal components of the rows of A: see `svd_lowrank`.

    >>> import minigrad as torch
    >>> A = torch.tensor([[1., 2.], [2., 4.], [3., 6.]])
    >>> torch.pca_lowrank(A, q=1)[2].abs().flatten()
    tensor([0.4472, 0.8944])
    """
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"pca_lowrank: q(={q}) must be non-negative integer and not greater than "
                         f"min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"pca_lowrank: niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
