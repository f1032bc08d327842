"""Rolling, flipping, diagonals, triangles, windows: elements in another arrangement."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check
from ..engine import op
from ._operands import rows, with_out
from .shape import reshape
from .slicing import FULL, select_index

ndarray = np.ndarray


# ------------------------------------------------------------------------------- moving elements
@op(input=lambda g, dims: flip(g, dims))
def flip(input: Any, dims: Any) -> Any:
    """Return a copy with the order reversed along the given dimensions.

    >>> import minigrad as torch
    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    axes = _check.dims(dims, input.ndim, "dims")
    return np.flip(input, axes).copy()


@_check.takes("input")
def fliplr(input: Any) -> Any:
    """Reverse the second dimension."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


@_check.takes("input")
def flipud(input: Any) -> Any:
    """Reverse the first dimension."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


@op(input=lambda g, shifts, dims: roll(g, _negative(shifts), dims))
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Move the elements along dimensions; what leaves at the end comes in at the beginning.

    >>> import minigrad as torch
    >>> torch.roll(torch.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    many = isinstance(shifts, (tuple, list))
    if dims is None or dims == ():
        if many and len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        return rows(np.roll(input, shifts[0] if many else shifts))
    axes = dims if isinstance(dims, (tuple, list)) else (dims,)
    steps = shifts if many else (shifts,)
    if len(axes) != len(steps):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:"
                           f"{len(axes)}")
    return rows(np.roll(input, tuple(steps),
                        tuple(_check.dim(d, input.ndim, "dims") for d in axes)))


def _negative(shifts: Any) -> Any:
    return tuple(-s for s in shifts) if isinstance(shifts, (tuple, list)) else -shifts


@op(input=lambda g, k, dims: rot90(g, -k, dims), shown="Rot90Backward0")
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Rotate by k quarter turns in the plane of two dimensions.

    >>> import minigrad as torch
    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    k = _check.integer(k, "k")  # NumPy would reduce an array in place
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    if (dims[0] - dims[1]) % input.ndim == 0:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and "
                           f"dim1 = {dims[1]}")
    a, b = _check.dims(dims, input.ndim)
    return np.array(np.rot90(input, k, (a, b)))


# ----------------------------------------------------------------------- diagonals and triangles
def _diagonal_index(shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> tuple[Any, ...]:
    rows, columns = shape[dim1], shape[dim2]
    size = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    index: list[Any] = [FULL] * len(shape)
    index[dim1] = np.arange(size) + max(-offset, 0)
    index[dim2] = np.arange(size) + max(offset, 0)
    return tuple(index)


@op(input=lambda g, input_shape, offset, dim1, dim2:
    put_diagonal(g, input_shape, offset, dim1, dim2), view=True)
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return the view of the diagonal of two dimensions, which becomes the last dimension.

    >>> import minigrad as torch
    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    a, b = _plane(input.ndim, dim1, dim2)
    y = np.diagonal(input, offset, a, b)
    if input.flags.writeable:
        y.flags.writeable = True
    return y


def _plane(ndim: int, dim1: int, dim2: int) -> tuple[int, int]:
    a, b = _check.dim(dim1, ndim, "dim1"), _check.dim(dim2, ndim, "dim2")
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return a, b


@op(value=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2),
    shown="DiagonalBackward0")
def put_diagonal(value: Any, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Any:
    """Return zeros of `shape` with `value` on a diagonal: the adjoint of `diagonal`."""
    y = np.zeros(shape, value.dtype)
    np.diagonal(y, offset, dim1, dim2)  # checks
    view = np.moveaxis(y, (dim1, dim2), (-2, -1))
    index = _diagonal_index(view.shape, offset, view.ndim - 2, view.ndim - 1)
    view[index] = value
    return y


@op(input=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2))
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return matrices with the last dimension on a diagonal and zeros elsewhere.

    >>> import minigrad as torch
    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    a, b = _plane(ndim, dim1, dim2)
    side = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for at in sorted((a, b)):
        shape.insert(at, side)
    return put_diagonal.op.forward(input, tuple(shape), offset, a, b)  # type: ignore[attr-defined]


@with_out
@_check.takes("input")
def diag(input: Any, diagonal: int = 0) -> Any:
    """Return a vector as a diagonal matrix, or the diagonal of a matrix (a copy).

    >>> import minigrad as torch
    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return _diagonal_copy(input, diagonal)


@op(input=lambda g, input_shape, offset: put_diagonal(g, input_shape, offset, 0, 1),
    shown="DiagonalBackward0_copy")
def _diagonal_copy(input: Any, offset: int) -> Any:
    return np.diagonal(input, offset).copy()


def diagflat(input: Any, offset: int = 0) -> Any:
    """Return the elements as the diagonal of a matrix."""
    return diag_embed(reshape(input, (-1,)), offset)


@lru_cache(maxsize=32)
def _lower(rows: int, columns: int, diagonal: int) -> ndarray:
    return np.tri(rows, columns, diagonal, bool)


def _tril(input: ndarray, diagonal: int) -> ndarray:
    rows, columns = input.shape[-2:]
    make = _lower if rows * columns <= 1 << 16 else _lower.__wrapped__  # large ones are not kept
    return np.where(make(rows, columns, diagonal), input, input.dtype.type(0))


def _triu(input: ndarray, diagonal: int) -> ndarray:
    rows, columns = input.shape[-2:]
    make = _lower if rows * columns <= 1 << 16 else _lower.__wrapped__
    return np.where(make(rows, columns, diagonal - 1), input.dtype.type(0), input)


def _triangle(name: str, keep: Any) -> Any:
    def forward(input: Any, diagonal: int = 0) -> Any:
        if input.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        return rows(keep(input, diagonal))

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = (f"Return the {'lower' if name == 'tril' else 'upper'} triangle of the last "
                       f"two dimensions; the rest is zero.\n\n    `diagonal` moves the border: "
                       f"positive to the upper right.\n    ")
    return forward


tril = op(input=lambda g, diagonal: tril(g, diagonal))(_triangle("tril", _tril))
triu = op(input=lambda g, diagonal: triu(g, diagonal))(_triangle("triu", _triu))


def _blocks(g: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    row = column = 0
    parts = []
    for shape in shapes:
        height, width = ((1, 1) + shape)[-2:]
        part = select_index(g, (slice(row, row + height), slice(column, column + width)))
        parts.append(reshape(part, shape))
        row, column = row + height, column + width
    return parts


@op(tensors=lambda g, tensors_shape: _blocks(g, tensors_shape), shown="BlockDiagBackward0")
def _block_diag(tensors: Any) -> Any:
    blocks = [np.atleast_2d(a) for a in tensors]
    y = np.zeros([sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)],
                 np.result_type(*blocks))
    row = column = 0
    for b in blocks:
        y[row:row + b.shape[0], column:column + b.shape[1]] = b
        row, column = row + b.shape[0], column + b.shape[1]
    return y


def block_diag(*tensors: Any) -> Any:
    """Return a matrix with the given matrices along its diagonal.

    >>> import minigrad as torch
    >>> torch.block_diag(torch.ones(1, 2), torch.tensor(5.))
    tensor([[1., 1., 0.],
            [0., 0., 5.]])
    """
    return _block_diag(list(tensors))


# -------------------------------------------------------------------------------- other windows
@op(input=lambda g, input_shape, dimension, size, step:
    fold(g, input_shape, dimension, size, step), view=True)
def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """Return the view of all windows of `size` along a dimension, `step` apart, as a new last one.

    >>> import minigrad as torch
    >>> torch.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    dim = _check.dim(dimension, input.ndim, "dimension")
    length = input.shape[dim] if input.ndim else 1
    if size > length:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {length} but size is "
                           f"{size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    source = input if input.ndim else input.reshape(1)
    writeable = input.flags.writeable  # an in-place write into windows that overlap is refused
    views = np.lib.stride_tricks.sliding_window_view(source, size, dim, writeable=writeable)
    views = views[(FULL,) * dim + (slice(None, None, step),)]
    return views if input.ndim else views.reshape(size)


@op(value=lambda g, dimension, size, step: unfold(g, dimension, size, step))
def fold(value: Any, shape: tuple[int, ...], dimension: int, size: int, step: int) -> Any:
    """Return the sums of the windows at their places: the adjoint of `unfold`."""
    if not shape:
        return value.reshape(shape)
    y = np.zeros(shape, value.dtype)
    dim = dimension % len(shape)
    before, count = (FULL,) * dim, value.shape[dim]
    for k in range(size):
        y[(*before, slice(k, k + count * step - step + 1, step))] += value[..., k]
    return y
