"""Cross products, and matrices of powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._check import broadcast_error
from ..engine import op
from ..outputs import into
from ._operands import tensors, with_out
from .arrange import flip
from .cumulative import cumprod
from .fill import ones
from .join import cat
from .shape import expand, unsqueeze


@op(input=lambda g, other, dim: _cross(other, g, dim), other=lambda g, input, dim:
    _cross(g, input, dim), shown="LinalgCrossBackward0", explain=broadcast_error)
def _cross(input: Any, other: Any, dim: int = -1) -> Any:
    a, b = tensors("linalg.cross", input, other)
    return np.cross(a, b, axis=dim)


@_check.takes("input", "other")
def linalg_cross(input: Any, other: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Return the cross products of vectors of three elements along `dim`; other dims broadcast.

    >>> import minigrad as torch
    >>> torch.linalg.cross(torch.tensor([1., 0., 0.]), torch.tensor([0., 1., 0.]))
    tensor([0., 0., 1.])
    """
    if input.ndim != other.ndim:
        raise RuntimeError(f"linalg.cross: inputs must have the same number of dimensions, got "
                           f"{input.ndim} and {other.ndim}")
    dim = _check.dim(dim, input.ndim)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                           f"{input.shape[dim]} and {other.shape[dim]}")
    y = _cross(input, other, dim)
    return y if out is None else into("linalg_cross", y, out, (input, other))


@_check.takes("input", "other")
def cross(input: Any, other: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """Return cross products; without `dim` along the first dimension with three elements.

    `linalg.cross` takes the last dimension instead, which is what is meant more often.
    """
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError(f"no dimension of size 3 in input: its shape is "
                               f"{list(input.shape)}; a cross product needs vectors of 3 elements")
        dim = list(input.shape).index(3)
    return linalg_cross(input, other, dim=dim, out=out)


@_check.takes("x")
def linalg_vander(x: Any, *, N: int | None = None) -> Any:
    """Return the matrices whose rows are x^0, x^1, ..., x^(N-1); N defaults to x's last length.

    >>> import minigrad as torch
    >>> torch.linalg.vander(torch.tensor([2, 3]), N=3)
    tensor([[1, 2, 4],
            [1, 3, 9]])
    """
    count = N if N is not None else x.shape[-1] if x.ndim else 1
    if count <= 1:
        raise RuntimeError(f"N must be greater than 1, got {count}")
    return _powers(x if x.ndim else unsqueeze(x, 0), count)


def _powers(x: Any, count: int) -> Any:
    first = ones((*x.shape, 1), dtype=x.dtype)
    if count < 2:
        return first[..., :count]
    columns = expand(unsqueeze(x, -1), (*x.shape, count - 1))
    return cat([first, cumprod(columns, -1)], -1)


@with_out
@_check.takes("x")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the matrix with columns x^(N-1), ..., x^1, x^0, or with `increasing` x^0 first.

    >>> import minigrad as torch
    >>> torch.vander(torch.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor, got {x.ndim} dimensions")
    if N is not None and N < 0:
        raise RuntimeError(f"N must be non-negative, got {N}")
    powers = _powers(x, x.shape[0] if N is None else N)
    return powers if increasing else flip(powers, (-1,))
