"""Ops that change the shape: views where memory allows, copies otherwise."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import _check
from .._device import contiguous_format, preserve_format
from .._dtype import Size
from ..engine import op
from ..kernels.layout import has_format
from ..modes import state

ndarray = np.ndarray


# ---------------------------------------------------------------------- the same order of elements
def infer(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Fill in the one -1 of a requested shape; refuse shapes of another number of elements."""
    known, open_at = 1, -1
    for i, s in enumerate(shape):
        if s >= 0:
            known *= s
        elif s < -1:
            raise RuntimeError(f"invalid shape dimension {s}: sizes are at least 0, or -1 once")
        elif open_at >= 0:
            raise RuntimeError("only one dimension can be inferred: give -1 at most once")
        else:
            open_at = i
    if open_at < 0:
        if known == size:
            return shape
    elif known == 0:
        if size == 0:
            raise RuntimeError(f"cannot reshape tensor of 0 elements into shape {list(shape)} "
                               f"because the unspecified dimension size -1 can be any value and "
                               f"is ambiguous; give all sizes")
    elif size % known == 0:
        return (*shape[:open_at], size // known, *shape[open_at + 1:])
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")


def _back(g: Any, input_shape: tuple[int, ...]) -> Any:
    return g.reshape(input_shape)  # both arrays and tensors have this method


@op(input=_back, view=True)
def view(input: Any, shape: tuple[int, ...]) -> Any:
    """Return the same memory under another shape; RuntimeError if its strides do not allow it."""
    if input.flags.c_contiguous:
        try:
            y = input.reshape(shape)
        except (ValueError, TypeError):
            infer(_check.sizes(shape), input.size)  # says what is wrong
            raise
        if y.shape != shape:  # a size of -1, or what NumPy takes for one
            infer(shape, input.size)
        return y
    shape = infer(_check.sizes(shape), input.size)
    try:
        return np.reshape(input, shape, copy=False)
    except ValueError:
        raise RuntimeError(
            f"view size is not compatible with input tensor's size and stride: {list(shape)} from "
            f"{list(input.shape)} with strides {[s // input.itemsize for s in input.strides]} "
            f"needs a copy. Use .reshape(...) instead.") from None


VIEW = view.op  # type: ignore[attr-defined]
_reshape_alias = op(input=_back, view=True,
                    shown="ReshapeAliasBackward0")(view.op.forward)  # type: ignore[attr-defined]


@op(input=_back)
def unsafe_view(input: Any, shape: tuple[int, ...]) -> Any:
    """Return a row-major copy under another shape."""
    return np.array(input, order="C").reshape(shape)


def reshape(input: Any, shape: Any) -> Any:
    """Return the elements under another shape: a view if the strides allow it, else a copy.

    One size may be -1: it follows from the others. RuntimeError if the numbers of elements differ.

    >>> import minigrad as torch
    >>> torch.reshape(torch.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]])
    """
    if state.arrays and isinstance(input, (ndarray, np.generic)):
        return input.reshape(shape)
    array = _check.tensor(input, "reshape")._data
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"reshape(): argument 'shape' (position 2) must be tuple of ints, not "
                        f"{type(shape).__name__}")
    return reshape_to(input, array, _check.sizes(shape))


def reshape_to(input: Any, array: ndarray, shape: tuple[int, ...]) -> Any:
    """Return `reshape(input, shape)` of a tensor whose array this is, for sizes that are ints."""
    if array.flags.c_contiguous:
        return VIEW.run(input, shape)
    shape, without_copy = _fitting(array.shape, array.strides, shape)
    return (_reshape_alias if without_copy else unsafe_view)(input, shape)


@lru_cache(maxsize=256)
def _fitting(old: tuple[int, ...], strides: tuple[int, ...],
             shape: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """Return the sizes with -1 filled in, and whether an array of these strides can show them."""
    shape = infer(shape, math.prod(old))
    try:
        np.reshape(as_strided(np.empty(0, np.int8), old, strides), shape, copy=False)
    except ValueError:
        return shape, False
    return shape, True


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the dimensions from `start_dim` to `end_dim` (both included) into one.

    >>> import minigrad as torch
    >>> torch.flatten(torch.zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    shape = _check.tensor(input, "flatten")._data.shape
    ndim = len(shape)
    if not ndim:
        _check.dim(start_dim, 0, "start_dim")
        _check.dim(end_dim, 0, "end_dim")
        return reshape(input, (1,))
    start, end = _check.dim(start_dim, ndim, "start_dim"), _check.dim(end_dim, ndim, "end_dim")
    if start > end:
        raise RuntimeError(f"flatten() has invalid args: start_dim ({start_dim}) cannot come after "
                           f"end_dim ({end_dim})")
    if start == end:
        return input
    count = 1
    for s in shape[start:end + 1]:
        count *= s
    return reshape(input, (*shape[:start], count, *shape[end + 1:]))


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """Split one dimension into several; one of the sizes may be -1.

    >>> import minigrad as torch
    >>> torch.unflatten(torch.zeros(3, 4), 1, (2, -1)).shape
    torch.Size([3, 2, 2])
    """
    shape = _check.tensor(input, "unflatten")._data.shape
    dim = _check.dim(dim, len(shape))
    sizes = _check.sizes((sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        sizes = infer(sizes, shape[dim])
    except RuntimeError:
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size "
                           f"of dim {dim} ({shape[dim]}) in the input tensor") from None
    return view(input, (*shape[:dim], *sizes, *shape[dim + 1:]))


def ravel(input: Any) -> Any:
    """Return all elements as one dimension: a view if possible, else a copy."""
    return view(contiguous(input), (-1,))


@op(input=lambda g: g, shown="CloneBackward0")
def row_major(input: Any) -> Any:
    """Return a copy with row-major memory."""
    return np.array(input, order="C")


def contiguous(input: Any, *, memory_format: Any = None) -> Any:
    """Return the tensor itself if its memory is row-major, else a row-major copy.

    `memory_format=torch.channels_last` asks for the channels, dimension 1 of 4, to lie together.
    """
    array = _check.tensor(input, "contiguous")._data
    if memory_format is not None and _check.asked_format(memory_format) is not contiguous_format:
        if memory_format is preserve_format and not array.flags.c_contiguous:
            raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
        from .elementwise import clone

        same = has_format(array, memory_format)
        return input if same else clone(input, memory_format=memory_format)
    return input if array.flags.c_contiguous else row_major(input)


# -------------------------------------------------------------------------- dimensions of size one
@op(input=_back, view=True,
    shown=lambda dim: f"SqueezeBackward{0 if dim is None else 1 if type(dim) is int else 2}")
def squeeze(input: Any, dim: Any = None) -> Any:
    """Remove the dimensions of size 1, or those among `dim` (an int or a tuple) of size 1.

    >>> import minigrad as torch
    >>> torch.squeeze(torch.zeros(1, 3, 1), 0).shape
    torch.Size([3, 1])
    """
    if dim is None:
        return input.squeeze()
    shape = input.shape
    if type(dim) is int:
        at = _check.dim(dim, input.ndim)
        return input.squeeze(at) if shape and shape[at] == 1 else input[...]
    drop = [i for i in _check.dims(dim, input.ndim) if shape[i] == 1]
    return input[tuple(0 if i in drop else slice(None) for i in range(input.ndim))] if (
        len(drop) < input.ndim) else input[(0,) * input.ndim + (...,)]


@op(input=lambda g, dim: squeeze(g, dim), view=True)
def unsqueeze(input: Any, dim: int) -> Any:
    """Insert a dimension of size 1 at position `dim` of the result.

    >>> import minigrad as torch
    >>> torch.unsqueeze(torch.zeros(3), -1).shape
    torch.Size([3, 1])
    """
    at = _check.dim(dim, input.ndim + 1)
    return input[(slice(None),) * at + (None,)]


# ---------------------------------------------------------------------------- order of dimensions
@lru_cache(maxsize=256)
def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    n = len(dims)
    back = [0] * n
    for i, d in enumerate(dims):
        back[d % n] = i
    return tuple(back)


def _permuted_back(g: Any, dims: Any) -> Any:
    back = _inverse(tuple(dims))
    return g.transpose(back) if type(g) is ndarray else permute(g, back)


@op(input=_permuted_back, view=True)
def permute(input: Any, dims: tuple[int, ...]) -> Any:
    """Return a view with the dimensions in the order `dims`.

    >>> import minigrad as torch
    >>> torch.permute(torch.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    if len(dims) != input.ndim:
        raise RuntimeError(f"permute(sparse_coo): number of dimensions in the tensor input does "
                           f"not match the length of the desired ordering of dimensions i.e. "
                           f"input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}")
    try:
        return input.transpose(dims)
    except (ValueError, TypeError):  # dimensions that are there not once, or out of range
        return input.transpose(_check.dims(dims, input.ndim, "dims"))


@op(input=lambda g, dim0, dim1: g.swapaxes(dim0, dim1) if g.ndim else g, view=True)
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Return a view with two dimensions swapped.

    >>> import minigrad as torch
    >>> torch.transpose(torch.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    try:
        return input.swapaxes(dim0, dim1)
    except (ValueError, TypeError):  # a number, or dimensions that it does not have
        _check.dim(dim0, input.ndim, "dim0")
        _check.dim(dim1, input.ndim, "dim1")
        if input.ndim:
            raise
        return input[...]


@op(input=lambda g: t(g), view=True, shown="TBackward0")
def t(input: Any) -> Any:
    """Transpose a matrix; vectors and numbers stay as they are.

    >>> import minigrad as torch
    >>> torch.t(torch.zeros(2, 3)).shape
    torch.Size([3, 2])
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D; "
                           f"use mT, transpose or permute")
    return input.T


def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """Another name of `transpose`."""
    return transpose(input, axis0, axis1)


def swapdims(input: Any, dim0: int, dim1: int) -> Any:
    """Another name of `transpose`."""
    return transpose(input, dim0, dim1)


def adjoint(input: Any) -> Any:
    """Swap the last two dimensions (the conjugate transpose of a real tensor)."""
    return transpose(input, -2, -1)


@_check.takes("input")
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Move dimensions to new positions; the others keep their order.

    >>> import minigrad as torch
    >>> torch.movedim(torch.zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    ndim = _check.tensor(input, "movedim")._data.ndim
    start, end = _check.dims(source, ndim, "source"), _check.dims(destination, ndim, "destination")
    if len(start) != len(end):
        raise RuntimeError(f"movedim: Invalid source or destination dims: source ({start}) and "
                           f"destination ({end}) should contain the same number of elements")
    rest = iter(i for i in range(ndim) if i not in start)
    places = dict(zip(end, start, strict=True))
    return permute(input, tuple(places[i] if i in places else next(rest) for i in range(ndim)))


moveaxis = movedim


# ----------------------------------------------------------------------------------- broadcasting
@op(input=lambda g: g, view=True)
def expand(input: Any, size: tuple[int, ...]) -> Any:
    """Return a view in which dimensions of size 1 are repeated; -1 keeps a size."""
    full = _expanded(input.shape, size)
    extra = len(full) - input.ndim
    if full[extra:] == input.shape and math.prod(full[:extra]) == 1:
        return input[(None,) * extra + (...,)]
    if not input.flags.c_contiguous:
        return np.broadcast_to(input, full)
    steps = [0] * extra  # the same, but four times as fast
    for n, m, s in zip(input.shape, full[extra:], input.strides, strict=True):
        steps.append(s if n == m else 0)
    y = ndarray(full, input.dtype, input, 0, steps)
    y.flags.writeable = False
    return y


def _expanded(shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape after `expand`; -1 keeps a size."""
    extra = len(size) - len(shape)
    if extra < 0:
        raise RuntimeError(f"expand: the number of sizes provided ({len(size)}) must be greater or "
                           f"equal to the number of dimensions in the tensor ({len(shape)})")
    full: list[Any] = []
    if size[extra:] == shape and min(size[:extra], default=0) >= 0:
        return size
    for i, s in enumerate(size):
        old = shape[i - extra] if i >= extra else None
        if s == -1 and old is None:
            raise RuntimeError(f"expand: -1 at position {i} is a new leading dimension; give a "
                               f"size")
        if s != -1 and (old not in (None, 1, s) or s < 0):
            raise RuntimeError(
                f"The expanded size of the tensor ({s}) must match the existing size ({old}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: "
                f"{list(shape)}")
        full.append(old if s == -1 else s)
    return tuple(full)


def broadcast_to(input: Any, size: Any) -> Any:
    """Return a view in which dimensions of size 1 are repeated until the shape is `size`."""
    return expand(input, _check.sizes((size,)))


def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that broadcasting tensors of these shapes together gives.

    >>> import minigrad as torch
    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    sizes = [_check.sizes((s,)) for s in shapes]
    try:
        return Size(np.broadcast_shapes(*sizes))
    except ValueError:
        raise RuntimeError(f"Shape mismatch: the shapes {', '.join(map(str, sizes))} cannot be "
                           f"broadcast to a single shape") from None


def broadcast_tensors(*tensors: Any) -> Any:
    """Return the tensors, each expanded to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    arrays = [_check.tensor(x, "broadcast_tensors")._data for x in tensors]
    try:
        shape = np.broadcast_shapes(*[a.shape for a in arrays])
    except ValueError:
        raise _check.broadcast_error(*arrays) from None
    return tuple(x if x.shape == shape else expand(x, shape) for x in tensors)
