"""Likeness and distance of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ._operands import with_out
from .choose import clamp_min, where
from .elementwise import div
from .index import take_index
from .reduce import sum
from .shape import broadcast_tensors
from .vector_norm import norm


@_check.takes("x1", "x2")
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between vectors along `dim`; norms are at least `eps`.

    >>> import minigrad as torch
    >>> a, b = torch.tensor([[1., 0.]]), torch.tensor([[1., 1.]])
    >>> torch.nn.functional.cosine_similarity(a, b)
    tensor([0.7071])
    """
    _check.tensors("cosine_similarity", x1=x1, x2=x2)
    if x1._data.dtype.kind != "f" and x2._data.dtype.kind != "f":
        raise RuntimeError(f"cosine_similarity: expected common dtype to be floating point, got "
                           f"{x1.dtype} and {x2.dtype}; convert with .float()")
    if x1._data.shape != x2._data.shape:
        x1, x2 = broadcast_tensors(x1, x2)
    _check.dim(dim, x1.ndim)
    return sum(_unit(x1, dim, eps) * _unit(x2, dim, eps), dim)


def _unit(x: Any, dim: int, eps: float) -> Any:
    return div(x, clamp_min(norm(x, 2, dim, keepdim=True), eps))


@_check.takes("x1", "x2")
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Any:
    """Return the p-norm of x1 - x2 + eps over the last dimension.

    `eps` keeps the gradient finite where the vectors are equal.

    >>> import minigrad as torch
    >>> torch.nn.functional.pairwise_distance(torch.zeros(1, 2), torch.tensor([[3., 4.]]))
    tensor([5.0000])
    """
    _check.tensors("pairwise_distance", x1=x1, x2=x2)
    return norm(x1 - x2 + eps, p, -1, keepdim)


@_check.takes("input")
def pdist(input: Any, p: float = 2) -> Any:
    """Return the p-norm distances of all pairs of rows of (N, D): (N (N - 1) / 2,).

    The order is that of the upper triangle of the distance matrix, row by row. RuntimeError unless
    the input is 2-d and floating point and p >= 0.

    >>> import minigrad as torch
    >>> torch.nn.functional.pdist(torch.tensor([[0., 0.], [3., 4.], [0., 1.]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if _check.tensor(input, "pdist").ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, (points, features), got "
                           f"{input.ndim}D")
    if input._data.dtype.kind != "f":
        raise RuntimeError(f"pdist only supports floating point tensors, got {input.dtype}; convert"
                           f" with .float()")
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    first, second = np.triu_indices(input.shape[0], 1)
    return norm(take_index(input, (first,)) - take_index(input, (second,)), p, -1)


@_check.takes("x1", "x2")
def cdist(x1: Any, x2: Any, p: float = 2.0,
          compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Any:
    """Return the p-norm distances between all rows of x1 (..., P, M) and of x2 (..., R, M).

    Distances are always sums of differences, never by a matrix product, so that near points keep
    their digits; `compute_mode` is checked and changes nothing. The derivative at distance 0 is 0.
    Raises RuntimeError for shapes that do not fit, integers and negative p.

    >>> import minigrad as torch
    >>> torch.cdist(torch.zeros(1, 2), torch.tensor([[3., 4.], [0., 1.]]))
    tensor([[5., 1.]])
    """
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
             "donot_use_mm_for_euclid_dist")
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode; use one of "
                         f"{', '.join(modes)}")
    for name, x in (("X1", x1), ("X2", x2)):
        if x._data.dtype.kind != "f":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {x.dtype}")
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} "
                           f"X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


@with_out
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Return a copy whose slices along `dim` with a p-norm above `maxnorm` are scaled down to it.

    >>> import minigrad as torch
    >>> torch.renorm(torch.tensor([[3., 4.], [0.3, 0.4]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if p <= 0:
        raise RuntimeError(f"renorm: non-positive-norm not supported, got p={p}")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} "
                           f"dimensions")
    own = _check.dim(dim, input.ndim)
    others = tuple(k for k in range(input.ndim) if k != own)
    size = norm(input, p, others, keepdim=True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)
