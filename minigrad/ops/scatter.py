"""Reading and writing at index tensors along a dimension: gather, scatter, index_select and kin."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import _check, engine
from .._dtype import dtype_of
from ..engine import op, wrap
from ..views import inplace
from ._operands import with_out
from .index import add_rows
from .shape import reshape
from .slicing import fill_index

ndarray = np.ndarray


# ------------------------------------------------------------------------------- gather, scatter
def _check_index(name: str, input: ndarray, dim: int, index: Any, src: Any = None) -> int:
    """Check an index of the same rank as the input; return the dimension in [0, ndim)."""
    dim = _check.dim(dim, input.ndim)
    _check.array(index, name, "index", 3)
    if index.dtype.kind != "i" and (index.size or name != "gather"):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index, got "
                           f"{dtype_of(index)}")
    if not index.size:
        return dim
    if (index.ndim or 1) != (input.ndim or 1) or (
            isinstance(src, ndarray) and (src.ndim or 1) != (index.ndim or 1)):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as input tensor "
                           f"(and as src): {name}() got {index.ndim} and {input.ndim}")
    for i, n in enumerate(index.shape):
        if input.ndim and i != dim and n > input.shape[i]:
            raise RuntimeError(f"Size does not match at dimension {i}: expected index "
                               f"{list(index.shape)} to be no larger than self "
                               f"{list(input.shape)} apart from dimension {dim} ({name})")
        if isinstance(src, ndarray) and src.ndim and n > src.shape[i]:
            raise RuntimeError(f"Expected index {list(index.shape)} to be no larger size than src "
                               f"{list(src.shape)} ({name})")
    size = input.shape[dim] if input.ndim else 1
    low, high = int(index.min()), int(index.max())
    if low < 0 or high >= size:
        raise RuntimeError(f"index {low if low < 0 else high} is out of bounds for dimension {dim} "
                           f"with size {size} ({name})")
    return dim


def places(index: ndarray, shape: tuple[int, ...], dim: int) -> ndarray:
    """Return for each element of an index along `dim` its place in a flat array of `shape`."""
    found, step = np.zeros((1,) * index.ndim, np.int64), 1
    for i in range(index.ndim - 1, -1, -1):
        along = index if i == dim else np.arange(index.shape[i]).reshape(
            [-1 if k == i else 1 for k in range(index.ndim)])
        found = found + along * step
        step *= shape[i] if shape else 1
    return np.broadcast_to(found, index.shape).reshape(-1)


def _cut(src: Any, index: ndarray) -> Any:
    """Return the part of `src` that an index covers."""
    if not isinstance(src, ndarray) or src.shape == index.shape:
        return src
    return src[tuple(slice(0, n) for n in index.shape)] if src.ndim else src


@op(input=lambda g, index, input_shape, dim: add_along(g, index, input_shape, dim), index=None)
def _gather(input: Any, dim: int, index: Any) -> Any:
    dim = _check_index("gather", input, dim, index)
    if not input.ndim or not index.size:
        return np.full(index.shape, input) if index.size else np.empty(index.shape, input.dtype)
    key: list[Any] = [np.arange(n).reshape([-1 if k == i else 1 for k in range(index.ndim)])
                      for i, n in enumerate(index.shape)]
    key[dim] = index
    return input[tuple(key)]


def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False, out: Any = None) -> Any:
    """Return out[i][j] = input[index[i][j]][j] for dim=0, and so on: one element per index.

    >>> import minigrad as torch
    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    if sparse_grad:
        raise RuntimeError("gather: sparse_grad=True is not supported: there are no sparse tensors")
    return _gather(input, dim, index) if out is None else _gather(input, dim, index, out=out)


@op(value=lambda g, index, dim: _gather(g, dim, index), index=None, shown="ScatterAddBackward0")
def add_along(value: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Return zeros of `shape` with `value` added at an index along `dim`: gather's adjoint."""
    kind = np.float32 if value.dtype == np.float16 else value.dtype  # sums of ones end at 2048
    y, values = np.zeros(shape, kind), value.reshape(-1).astype(kind, copy=False)
    if index.size:
        np.add.at(y.reshape(-1), places(index, shape, dim % max(len(shape), 1)), values)
    return y.astype(value.dtype, copy=False)


def _scatter_into(input: ndarray, dim: int, index: ndarray, src: Any) -> None:
    dim = _check_index("scatter", input, dim, index, src)
    if isinstance(src, ndarray):
        if src.dtype != input.dtype:
            raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got "
                               f"{dtype_of(input)} and {dtype_of(src)}")
        src = _cut(src, index)
    if input.ndim:
        np.put_along_axis(input[tuple(slice(None) if i == dim else slice(0, n)
                                      for i, n in enumerate(index.shape))], index, src, dim)
    elif index.size:
        input[...] = src


def _copied(write: Any) -> Any:
    """Return the form of a writing function that writes into a copy."""
    def forward(input: Any, *rest: Any) -> Any:
        y = input.copy()
        write(y, *rest)
        return y

    return forward


def _uncut(g: Any, src_shape: tuple[int, ...]) -> Any:
    """Give the gradient of a part of `src` the shape of the whole."""
    if g.shape == src_shape or not src_shape:
        return g
    return fill_index(g, src_shape, tuple(slice(0, n) for n in g.shape))


@op(input=lambda g, dim, index: _scatter(g, dim, index, 0.0), index=None,
    src=lambda g, dim, index, src_shape: _uncut(_gather(g, dim, index), src_shape),
    shown=lambda src_shape: f"ScatterBackward{int(not src_shape)}", mutate=_scatter_into)
def _scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    return _copied(_scatter_into)(input, dim, index, src)


def _scatter_arguments(input: Any, dim: int, index: Any, src: Any, value: Any,
                       reduce: str | None) -> tuple[Any, tuple[Any, ...]]:
    """Return the op that `scatter` means (None: scatter_reduce), and its arguments."""
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter() missing 1 required argument: src (a Tensor) or value (a number)")
    if reduce is None:
        return _scatter, (input, dim, index, src)
    if reduce not in ("add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    if isinstance(src, engine.Tensor):
        warnings.warn("scatter: reduce= with a Tensor src is deprecated; use scatter_reduce",
                      UserWarning, stacklevel=3)
    else:
        src = wrap(np.full(index._data.shape, src, input._data.dtype), None)
    if reduce == "add":
        return scatter_add, (input, dim, index, src)
    return None, (input, dim, index, src, "prod")


@with_out
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
            reduce: str | None = None) -> Any:
    """Return a copy with `src` (a tensor or a number) written at an index along `dim`.

    out[index[i][j]][j] = src[i][j] for dim=0, and so on. Of equal indices one wins.

    >>> import minigrad as torch
    >>> torch.scatter(torch.zeros(1, 3), 1, torch.tensor([[2]]), 5.)
    tensor([[0., 0., 5.]])
    """
    from .scatter_reduce import scatter_reduce

    function, args = _scatter_arguments(input, dim, index, src, value, reduce)
    return (function or scatter_reduce)(*args)


def scatter_(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
             reduce: str | None = None) -> Any:
    """Write `src` (a tensor or a number) at an index along `dim`, in place."""
    from .scatter_reduce import scatter_reduce_

    function, args = _scatter_arguments(input, dim, index, src, value, reduce)
    return scatter_reduce_(*args) if function is None else inplace(function, args)


def _add_into(input: ndarray, dim: int, index: ndarray, src: Any) -> None:
    dim = _check_index("scatter_add", input, dim, index, src)
    if src.dtype != input.dtype:
        raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got "
                           f"{dtype_of(input)} and {dtype_of(src)}")
    input += add_along.op.forward(_cut(src, index), index, input.shape,  # type: ignore[attr-defined]
                                  dim)


@op(input=lambda g: g, index=None,
    src=lambda g, dim, index, src_shape: _uncut(_gather(g, dim, index), src_shape),
    mutate=_add_into)
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """Return a copy with `src` added at an index along `dim`; indices may repeat.

    >>> import minigrad as torch
    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([1, 1]), torch.tensor([2., 3.]))
    tensor([0., 5., 0.])
    """
    return _copied(_add_into)(input, dim, index, src)


# ------------------------------------------------------------------------------- index_select etc.
def _check_vector(name: str, index: ndarray, size: int, dim: int) -> ndarray:
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got {index.ndim} dimensions")
    if index.dtype.kind != "i":
        raise RuntimeError(f"{name}(): Expected dtype int32 or int64 for index, got "
                           f"{dtype_of(index)}")
    index = index.reshape(-1)
    if index.size and int(index.max()) >= size:
        raise IndexError(f"{name}(): index out of range in self: {int(index.max())} for dimension "
                         f"{dim} with size {size}")
    if index.size and int(index.min()) < 0:
        kind = RuntimeError if name == "index_select" else IndexError
        raise kind(f"{name}(): index {int(index.min())} is out of bounds for dimension {dim} with "
                   f"size {size}")
    return index


@op(input=lambda g, index, input_shape, dim: add_select(g, index, input_shape, dim), index=None)
def index_select(input: Any, dim: int, index: Any) -> Any:
    """Return the rows (or columns, ...) of `dim` that an index vector names; they may repeat.

    >>> import minigrad as torch
    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([1, 1]))
    tensor([[2, 2],
            [4, 4]])
    """
    dim = _check.dim(dim, input.ndim)
    index = _check_vector("index_select", index, input.shape[dim] if input.ndim else 1, dim)
    return input.take(index, dim) if input.ndim else input.reshape(1).take(index).reshape(())


@op(value=lambda g, index, dim: index_select(g, dim, index), index=None,
    shown="IndexAddBackward0")
def add_select(value: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Return zeros of `shape` with slices added at an index vector: index_select's adjoint."""
    if not shape:
        return np.asarray(value.sum(dtype=value.dtype))
    dim %= len(shape)
    front = (shape[dim], *shape[:dim], *shape[dim + 1:])
    y = np.zeros(front, value.dtype)
    rows = value.reshape(shape[:dim] + (index.size,) + shape[dim + 1:])
    rows = np.moveaxis(rows, dim, 0).reshape(index.size, -1) if index.size else value.reshape(0, 1)
    add_rows(y.reshape(shape[dim], -1) if y.size else y.reshape(1, 0), index.reshape(-1), rows)
    return np.moveaxis(y, 0, dim)


def _check_source(name: str, index: ndarray, source: ndarray, dim: int, error: Any) -> None:
    size = source.shape[dim] if source.ndim else 1
    if index.size != size:
        raise error(f"{name}_(): Number of indices ({index.size}) should be equal to "
                    f"source.size(dim): ({size}), for dim: {dim}")


@op(input=lambda g: g, index=None,
    source=lambda g, index, dim, alpha: index_select(g, dim, index) * alpha)
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """Return a copy with alpha * source added at an index vector along `dim`; it may repeat.

    >>> import minigrad as torch
    >>> torch.index_add(torch.zeros(2), 0, torch.tensor([1, 1]), torch.tensor([2., 3.]))
    tensor([0., 5.])
    """
    dim = _check.dim(dim, input.ndim)
    index = _check_vector("index_add", index, input.shape[dim] if input.ndim else 1, dim)
    _check_source("index_add", index, source, dim, RuntimeError)
    if source.dtype != input.dtype:
        raise RuntimeError(f"index_add_(): self ({dtype_of(input)}) and source "
                           f"({dtype_of(source)}) must have the same scalar type")
    if input.ndim != source.ndim or any(n != m for i, (n, m) in enumerate(
            zip(input.shape, source.shape, strict=True)) if i != dim):
        raise RuntimeError(f"index_add(): source tensor shape must match self tensor shape, "
                           f"excluding dim {dim}: got {source.shape} and {input.shape}")
    added = add_select.op.forward(source, index, input.shape, dim)  # type: ignore[attr-defined]
    return input + (added if alpha == 1 else (added * alpha).astype(input.dtype))


def _along(ndim: int, dim: int, index: ndarray) -> tuple[Any, ...]:
    return (slice(None),) * dim + (index,) if ndim else (...,)


def _once(index: Any, shape: Any, dim: int) -> ndarray:
    """Return each position of an index vector once, counted from the front."""
    return np.unique(getattr(index, "_data", index) % (shape[dim] if shape else 1))


@op(input=lambda g, dim, index: index_fill(g, dim, index, 0.0), index=None,
    source=lambda g, dim, index: index_select(g, dim, index))
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """Return a copy with `source` written at an index vector along `dim`."""
    dim = _check.dim(dim, input.ndim)
    index = _check_vector("index_copy", index, input.shape[dim] if input.ndim else 1, dim)
    _check_source("index_copy", index, source, dim, IndexError)
    if source.dtype != input.dtype:
        raise RuntimeError(f"index_copy_(): self and source expected to have the same dtype, but "
                           f"got (self) {dtype_of(input)} and (source) {dtype_of(source)}")
    y = input.copy()
    y[_along(input.ndim, dim, index)] = source
    return y


@op(input=lambda g, dim, index: index_fill(g, dim, index, 0.0), index=None,
    value=lambda g, dim, index: index_select(g, dim, _once(index, g.shape, dim)),
    shown=lambda value: f"IndexFillBackward{int(type(value) is ndarray)}")
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """Return a copy with a number written at an index vector along `dim`.

    >>> import minigrad as torch
    >>> torch.index_fill(torch.zeros(3), 0, torch.tensor([0, 2]), 7)
    tensor([7., 0., 7.])
    """
    dim = _check.dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if index.dtype.kind != "i":
        raise IndexError(f"index_fill_(): Expected dtype int64 for index, got {dtype_of(index)}")
    index = _check_vector("index_fill", np.where((index < 0) & (index >= -size), index + size,
                                                 index), size, dim)
    y = input.copy()
    y[_along(input.ndim, dim, index)] = value
    return y


# -------------------------------------------------------------------------------- flat positions
@op(input=lambda g, index, input_shape: _untake(g, index, input_shape), index=None)
def take(input: Any, index: Any) -> Any:
    """Return the elements at positions of the flat tensor, in the index's shape.

    >>> import minigrad as torch
    >>> torch.take(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 3]))
    tensor([1, 4])
    """
    if index.dtype.kind != "i":
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {dtype_of(index)}")
    try:
        return np.asarray(input.reshape(-1).take(index))
    except IndexError:
        bad = index[(index < -input.size) | (index >= input.size)]
        raise IndexError(f"out of range: tried to access index {int(bad.reshape(-1)[0])} on a "
                         f"tensor of {input.size} elements.") from None


@op(value=lambda g, index: take(g, index), index=None, shown="PutBackward0")
def _untake(value: Any, index: Any, shape: tuple[int, ...]) -> Any:
    y = np.zeros(shape, value.dtype)
    np.add.at(y.reshape(-1), index.reshape(-1), value.reshape(-1))
    return y


@op(input=lambda g, index, accumulate: g if accumulate else put(g, index, 0.0), index=None,
    source=lambda g, index, source_shape: reshape(take(g, index), source_shape))
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Return a copy with `source` written (or added) at positions of the flat tensor."""
    if isinstance(source, ndarray) and source.size != index.size:
        raise IndexError(f"put_(): Expected source and index to have the same number of elements, "
                         f"but got source.numel() = {source.size}, index.numel() = {index.size}")
    y = np.array(input, order="C")
    flat = y.reshape(-1)
    values = source.reshape(-1) if isinstance(source, ndarray) else source
    if accumulate:
        np.add.at(flat, index.reshape(-1), values)
    else:
        flat[index.reshape(-1)] = values
    return y


def take_along_dim(input: Any, indices: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """Return the elements at `indices` along `dim`; the other dimensions broadcast.

    Without `dim` both are flattened: then it undoes argsort, argmax and so on of the flat tensor.

    >>> import minigrad as torch
    >>> x = torch.tensor([[10, 30, 20]])
    >>> torch.take_along_dim(x, torch.argsort(x, dim=1), 1)
    tensor([[10, 20, 30]])
    """
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)), out=out)
    dim = _check.dim(dim, input.ndim)
    if indices.ndim != input.ndim:
        raise RuntimeError(f"torch.take_along_dim(): input and indices should have the same number "
                           f"of dimensions, but got {input.ndim} dimensions for input, and "
                           f"{indices.ndim} dimensions for indices")
    shape = list(np.broadcast_shapes(
        *[tuple(1 if i == dim else n for i, n in enumerate(x.shape)) for x in (input, indices)]))
    indices = wrap(np.where(indices._data < 0, indices._data + input.shape[dim], indices._data),
                   None)  # negative ones count from the end
    wide = [x.expand([x.shape[i] if i == dim else n for i, n in enumerate(shape)])
            for x in (input, indices)]
    return gather(wide[0], dim, wide[1], out=out)


