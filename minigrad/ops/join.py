"""Joining tensors (cat, stack) and cutting them apart (split, chunk, unbind)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .. import _check, _dtype, engine
from ..engine import op
from ._operands import with_out
from .shape import reshape, unsqueeze
from .slicing import FULL, select_index

ndarray = np.ndarray


# ---------------------------------------------------------------------------------------- joining
def _join_error(arrays: list[ndarray], dim: int = 0) -> Exception:
    """Explain why arrays cannot be joined."""
    if not arrays:
        return ValueError("expected a non-empty list of Tensors")
    first = next((a for a in arrays if a.shape != (0,)), arrays[0])
    for k, a in enumerate(arrays):
        if a.shape == (0,):
            continue
        if a.ndim != first.ndim:
            return RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} "
                                f"and {a.ndim} (tensor {k} of the list)")
        for i, (s, want) in enumerate(zip(a.shape, first.shape, strict=True)):
            if s != want and i != dim % first.ndim:
                return RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim % first.ndim}. Expected "
                    f"size {want} but got size {s} for tensor number {k} in the list (dimension "
                    f"{i}).")
    return RuntimeError("the tensors cannot be joined")


def _same_dtype(arrays: list[ndarray]) -> list[ndarray]:
    """Return the arrays in PyTorch's common dtype."""
    first = arrays[0].dtype
    for a in arrays:
        if a.dtype is not first and a.dtype != first:
            dtype = _dtype.promote_many(arrays)
            return [a.astype(dtype, copy=False) for a in arrays]
    return arrays


def _cut(g: Any, shapes: list[tuple[int, ...]], dim: int) -> list[Any]:
    """Cut the gradient of cat into one piece per tensor (None for skipped empty vectors)."""
    skipped = [s == (0,) and g.ndim != 1 for s in shapes]
    sizes = [s[dim] for s, skip in zip(shapes, skipped, strict=True) if not skip]
    pieces = iter(_split_with_sizes(g, sizes, dim))
    return [None if skip else next(pieces) for skip in skipped]


@op(tensors=lambda g, tensors_shape, dim: _cut(g, tensors_shape, dim), explain=_join_error)
def cat(tensors: Any, dim: int = 0) -> Any:
    """Join tensors along a dimension that exists; the other sizes must be equal.

    Empty vectors are skipped, whatever the others' shapes are.

    >>> import minigrad as torch
    >>> torch.cat([torch.zeros(1, 2), torch.ones(2, 2)]).shape
    torch.Size([3, 2])
    """
    kept = [a for a in tensors if a.shape != (0,)]
    if len(kept) < len(tensors) and kept and kept[0].ndim != 1:
        tensors = [*kept, *(np.empty((0, *kept[0].shape[1:]), a.dtype).reshape(
            [0 if i == dim % kept[0].ndim else s for i, s in enumerate(kept[0].shape)])
            for a in tensors if a.shape == (0,))]
    ndim = tensors[0].ndim
    if not ndim:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated; use "
                           "stack, or reshape it to (1,)")
    return _joined(_same_dtype(tensors), _check.dim(dim, ndim))


def _joined(arrays: list[Any], dim: int) -> Any:
    y = np.concatenate(arrays, dim)  # NumPy may choose a layout that is not row-major
    return y if y.flags.c_contiguous else np.ascontiguousarray(y)


@_check.takes()
def concat(tensors: Any, dim: int = 0, *, out: Any = None) -> Any:
    """Another name of `cat`."""
    return cat(tensors, dim) if out is None else cat(tensors, dim, out=out)


@_check.takes()
def concatenate(tensors: Any, dim: int = 0, *, out: Any = None) -> Any:
    """Another name of `cat`."""
    return concat(tensors, dim, out=out)


@op(tensors=lambda g, dim: unbind(g, dim),
    explain=lambda tensors, dim=0: RuntimeError("stack expects a non-empty TensorList"))
def stack(tensors: Any, dim: int = 0) -> Any:
    """Join tensors of one shape along a new dimension.

    >>> import minigrad as torch
    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    shape = tensors[0].shape
    at = _check.dim(dim, len(shape) + 1)
    for k, a in enumerate(tensors):
        if a.shape != shape:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(shape)} "
                               f"at entry 0 and {list(a.shape)} at entry {k}; use cat to join "
                               f"along an existing dimension")
    index = (FULL,) * at + (None,)
    return _joined([a[index] for a in _same_dtype(tensors)], at)


@_check.takes()
def atleast_1d(*tensors: Any) -> Any:
    """Return the tensors with at least one dimension."""
    return _with_each(tensors, lambda x: x if x.ndim else reshape(x, (1,)))


@_check.takes()
def atleast_2d(*tensors: Any) -> Any:
    """Return the tensors with at least two dimensions; a vector becomes one row."""
    return _with_each(tensors, lambda x: x if x.ndim > 1 else
                      unsqueeze(x, 0) if x.ndim else reshape(x, (1, 1)))


@_check.takes()
def atleast_3d(*tensors: Any) -> Any:
    """Return the tensors with at least three dimensions: (n,) as (1, n, 1), (n, m) as (n, m, 1)."""
    def grown(x: Any) -> Any:
        if x.ndim == 2:
            return unsqueeze(x, -1)
        if x.ndim == 1:
            return unsqueeze(unsqueeze(x, 0), -1)
        return x if x.ndim else reshape(x, (1, 1, 1))

    return _with_each(tensors, grown)


def _with_each(tensors: tuple[Any, ...], function: Any) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        return function(tensors[0])
    if len(tensors) == 1:
        tensors = tuple(tensors[0])
    return tuple(function(x) for x in tensors)


def _listed(tensors: Any, name: str) -> list[Any]:
    if not isinstance(tensors, (tuple, list, engine.Tensor)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
                        f"{type(tensors).__name__}")
    tensors = [_check.tensor(x, name, "tensors") for x in tensors]
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@with_out
def hstack(tensors: Any) -> Any:
    """Join along the second dimension (vectors: along their only one)."""
    parts = [atleast_1d(x) for x in _listed(tensors, "hstack")]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


@with_out
def vstack(tensors: Any) -> Any:
    """Join along the first dimension; vectors are rows."""
    return cat([atleast_2d(x) for x in _listed(tensors, "vstack")], 0)


row_stack = vstack


@with_out
def dstack(tensors: Any) -> Any:
    """Join along the third dimension."""
    return cat([atleast_3d(x) for x in _listed(tensors, "dstack")], 2)


@with_out
def column_stack(tensors: Any) -> Any:
    """Join along the second dimension; numbers and vectors are columns."""
    return cat([x if x.ndim > 1 else reshape(x, (-1, 1))
                for x in _listed(tensors, "column_stack")], 1)


# ---------------------------------------------------------------------------------------- cutting
def _pieces(input: ndarray, ends: list[int], dim: int) -> list[ndarray]:
    before, start, views = (FULL,) * dim, 0, []
    for end in ends:
        views.append(input[(*before, slice(start, end))])
        start = end
    return views


@op(tensor=lambda g, dim: cat(g, dim), view=True, outputs="many", shown="SplitBackward0")
def _split(tensor: Any, split_size: int, dim: int = 0) -> Any:
    size = tensor.shape[dim]
    if split_size < 0 or (split_size == 0 and size):
        raise RuntimeError(f"split expects split_size be non-negative and positive for a dimension "
                           f"of size {size}, but got split_size={split_size}")
    ends = [min(k + split_size, size) for k in range(0, size, split_size or 1)] or [size]
    return _pieces(tensor, ends, dim)


@op(tensor=lambda g, dim: cat(g, dim), view=True, outputs="many")
def _split_with_sizes(tensor: Any, split_sizes: Any, dim: int = 0) -> Any:
    dim = _check.dim(dim, tensor.ndim)
    ends, end = [], 0
    for s in split_sizes:
        if s < 0:
            raise RuntimeError(f"split_with_sizes expects split_sizes have only non-negative "
                               f"entries, but got {list(split_sizes)}")
        end += s
        ends.append(end)
    if end != tensor.shape[dim]:
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to "
                           f"{tensor.shape[dim]} (input tensor's size at dimension {dim}), but got "
                           f"split_sizes={list(split_sizes)}")
    return _pieces(tensor, ends, dim)


def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Cut a dimension into views of the given sizes, which must sum to its size."""
    return tuple(_split_with_sizes(input, split_sizes, dim))


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Cut a dimension into views of one size (the last may be smaller), or of a list of sizes.

    >>> import minigrad as torch
    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    array = _check.tensor(tensor, "split", "tensor")._data
    if not array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = _check.dim(dim, array.ndim)
    if isinstance(split_size_or_sections, (tuple, list)):
        return tuple(_split_with_sizes(tensor, _check.sizes((split_size_or_sections,)), dim))
    size = _check.integer(split_size_or_sections, "split_size")
    return tuple(_split(tensor, size, dim))


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Cut a dimension into at most `chunks` views of equal size (the last may be smaller).

    >>> import minigrad as torch
    >>> torch.chunk(torch.arange(5), 3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    array = _check.tensor(input, "chunk")._data
    if not array.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = _check.dim(dim, array.ndim)
    size = array.shape[dim]
    if not size:
        return tuple(_split_with_sizes(input, (0,) * chunks, dim))
    return tuple(_split(input, -(-size // chunks), dim))


@_check.takes("input")
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Cut a dimension into n views of nearly equal size, or at the given positions.

    >>> import minigrad as torch
    >>> torch.tensor_split(torch.arange(5), 2), torch.tensor_split(torch.arange(5), (1, 4))[1]
    ((tensor([0, 1, 2]), tensor([3, 4])), tensor([1, 2, 3]))
    """
    array = _check.tensor(input, "tensor_split")._data
    if not array.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, got 0 dims")
    dim = _check.dim(dim, array.ndim)
    where = getattr(indices_or_sections, "_data", indices_or_sections)
    size = array.shape[dim]
    if np.ndim(where) == 0:
        sections = _check.integer(where, "indices_or_sections")
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        base, extra = divmod(size, sections)
        cuts = [k * base + min(k, extra) for k in range(1, sections)]
    else:
        cuts = [int(c) for c in where]
    edges = [0, *cuts, size]
    return tuple(select_index(input, (FULL,) * dim + (slice(a, b),))
                 for a, b in itertools.pairwise(edges))


@_check.takes("input")
def hsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Cut the second dimension (of a vector: its only one) into views."""
    return _equal_split("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@_check.takes("input")
def vsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Cut the first dimension into views."""
    return _equal_split("vsplit", input, indices_or_sections, 0, 2)


@_check.takes("input")
def dsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Cut the third dimension into views."""
    return _equal_split("dsplit", input, indices_or_sections, 2, 3)


def _equal_split(name: str, input: Any, where: Any, dim: int, least: int) -> tuple[Any, ...]:
    if input.ndim < least:
        raise RuntimeError(f"torch.{name} requires a tensor with at least {least} dimension(s), "
                           f"but got a tensor with {input.ndim} dimensions!")
    if not (isinstance(where, (tuple, list)) or hasattr(where, "__index__")):
        raise TypeError(f"{name}(): expected a number of sections or a tuple of indices, got "
                        f"{type(where).__name__}")
    if isinstance(where, int) and (where <= 0 or input.shape[dim] % where):
        raise RuntimeError(f"torch.{name} attempted to split along dimension {dim}, but the size "
                           f"of the dimension {input.shape[dim]} is not divisible by {where}!")
    return tensor_split(input, where, dim)


def _restacked(g: list[Any], dim: int) -> Any:
    """Return stack(g, dim); arrays, which are alike here, are written to their places at once."""
    first = g[0]
    if type(first) is not ndarray:
        return stack(g, dim)
    y = np.empty((*first.shape[:dim], len(g), *first.shape[dim:]), first.dtype)
    before: tuple[Any, ...] = (FULL,) * dim
    for k, part in enumerate(g):
        y[(*before, k)] = part
    return y


@op(input=_restacked, view=True, outputs="many", shown="UnbindBackward0")
def _unbind(input: Any, dim: int = 0) -> Any:
    if not dim:
        return [a if type(a) is ndarray else input[k, ...] for k, a in enumerate(input)]
    return list(np.moveaxis(input, dim, 0)) if input.ndim > 1 else list(input)


@_check.takes("input")
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return the views at each position of a dimension, without that dimension.

    >>> import minigrad as torch
    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return tuple(_unbind(input, _check.dim(dim, input.ndim)))
