"""Likeness and distance of vectors."""

from __future__ import annotations

from typing import Any

from .. import _check
from .choose import clamp_min
from .elementwise import div
from .reduce import sum
from .shape import broadcast_tensors
from .vector_norm import norm


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between vectors along `dim`; norms are at least `eps`.

    >>> import minigrad as torch
    >>> a, b = torch.tensor([[1., 0.]]), torch.tensor([[1., 1.]])
    >>> torch.nn.functional.cosine_similarity(a, b)
    tensor([0.7071])
    """
    if x1._data.dtype.kind != "f" and x2._data.dtype.kind != "f":
        raise RuntimeError(f"cosine_similarity: expected common dtype to be floating point, got "
                           f"{x1.dtype} and {x2.dtype}; convert with .float()")
    if x1._data.shape != x2._data.shape:
        x1, x2 = broadcast_tensors(x1, x2)
    _check.dim(dim, x1.ndim)
    return sum(_unit(x1, dim, eps) * _unit(x2, dim, eps), dim)


def _unit(x: Any, dim: int, eps: float) -> Any:
    return div(x, clamp_min(norm(x, 2, dim, keepdim=True), eps))


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Any:
    """Return the p-norm of x1 - x2 + eps over the last dimension.

    `eps` keeps the gradient finite where the vectors are equal.

    >>> import minigrad as torch
    >>> torch.nn.functional.pairwise_distance(torch.zeros(1, 2), torch.tensor([[3., 4.]]))
    tensor([5.0000])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)
