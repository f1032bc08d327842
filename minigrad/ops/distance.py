"""Likeness and distance of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .choose import clamp_min
from .elementwise import div
from .index import take_index
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


def pdist(input: Any, p: float = 2) -> Any:
    """Return the p-norm distances of all pairs of rows of (N, D): (N (N - 1) / 2,).

    The order is that of the upper triangle of the distance matrix, row by row. RuntimeError unless
    the input is 2-d and floating point and p >= 0.

    >>> import minigrad as torch
    >>> torch.nn.functional.pdist(torch.tensor([[0., 0.], [3., 4.], [0., 1.]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, (points, features), got "
                           f"{input.ndim}D")
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"pdist only supports floating point tensors, got {input.dtype}; convert"
                           f" with .float()")
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    first, second = np.triu_indices(input.shape[0], 1)
    return norm(take_index(input, (first,)) - take_index(input, (second,)), p, -1)
