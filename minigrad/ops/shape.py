"""Ops that change the shape: views where memory allows, copies otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import op

ndarray = np.ndarray


def infer(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Fill in the one -1 of a requested shape; refuse shapes of another number of elements."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred: give -1 at most once")
    if any(s < -1 for s in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)}: sizes are at least 0, or -1 once")
    known = 1
    for s in shape:
        known *= 1 if s == -1 else s
    if -1 in shape:
        if known == 0:
            raise RuntimeError(f"cannot reshape tensor of {size} elements into shape {list(shape)} "
                               f"because the size of -1 is ambiguous; give all sizes")
        if size % known == 0:
            return tuple(size // known if s == -1 else s for s in shape)
    elif known == size:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")


@op(input=lambda g, input_shape: view(g, input_shape), view=True)
def view(input: Any, shape: tuple[int, ...]) -> Any:
    """Return the same memory under another shape; RuntimeError if its strides do not allow it."""
    shape = infer(shape, input.size)
    try:
        return np.reshape(input, shape, copy=False)
    except ValueError:
        raise RuntimeError(
            f"view size is not compatible with input tensor's size and stride: {list(shape)} from "
            f"{list(input.shape)} with strides {[s // input.itemsize for s in input.strides]} "
            f"needs a copy. Use .reshape(...) instead.") from None


@op(input=lambda g, dims: permute(g, tuple(np.argsort(dims).tolist())), view=True)
def permute(input: Any, dims: tuple[int, ...]) -> Any:
    """Return a view with the dimensions in the order `dims`."""
    if len(dims) != input.ndim:
        raise RuntimeError(f"permute(sparse_coo): number of dimensions in the tensor input does "
                           f"not match the length of the desired ordering of dimensions i.e. "
                           f"input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}")
    return input.transpose(_check.dims(dims, input.ndim, "dims"))


@op(input=lambda g, dim0, dim1: transpose(g, dim0, dim1), view=True)
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Return a view with two dimensions swapped.

    >>> import minigrad as torch
    >>> torch.transpose(torch.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    dim0, dim1 = _check.dim(dim0, input.ndim, "dim0"), _check.dim(dim1, input.ndim, "dim1")
    return input.swapaxes(dim0, dim1) if input.ndim else input


@op(input=lambda g: g, view=True)
def expand(input: Any, size: tuple[int, ...]) -> Any:
    """Return a view in which dimensions of size 1 are repeated; -1 keeps a size."""
    extra = len(size) - input.ndim
    if extra < 0:
        raise RuntimeError(f"expand: the number of sizes provided ({len(size)}) must be greater or "
                           f"equal to the number of dimensions in the tensor ({input.ndim})")
    full = []
    for i, s in enumerate(size):
        old = input.shape[i - extra] if i >= extra else None
        if s == -1 and old is None:
            raise RuntimeError(f"expand: -1 at position {i} is a new leading dimension; give a size")
        if s != -1 and old not in (None, 1, s):
            raise RuntimeError(
                f"The expanded size of the tensor ({s}) must match the existing size ({old}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: "
                f"{list(input.shape)}")
        full.append(old if s == -1 else s)
    return np.broadcast_to(input, full)


