"""Looking up rows of a table by index, and the table's derivatives."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check, views
from ..engine import op, wrap
from ..kernels._product import VECTOR, matrix_product
from ..kernels.softmax import ones
from ..modes import state

ndarray = np.ndarray
# a negative index is larger than all others
_UNSIGNED = {np.dtype(np.int32): np.uint32, np.dtype(np.int64): np.uint64}
SMALL = 32768  # elements of a matrix that is multiplied faster than indices are sorted
FEW = 256  # rows of a table with which that matrix consists of rows of the identity


def _spread_rule(g: Any, weight_shape: tuple[int, ...], indices: Any, factors: Any) -> Any:
    at_once = type(g) is ndarray  # no tensors: without the detour of calling an op
    spread = _spread.op.forward if at_once else _spread  # type: ignore[attr-defined]
    return spread(g, indices, factors, weight_shape)


@op(weight=_spread_rule, indices=None, factors=None)
def _embedding(weight: Any, indices: Any, factors: Any) -> Any:
    """Return weight[indices]; `factors` multiply the gradients of the looked up rows."""
    # a quarter to half of the time; tables that are not row-major it would copy as a whole
    return weight.take(indices, 0) if weight.flags.c_contiguous else weight[indices]


EMBEDDING = _embedding.op  # type: ignore[attr-defined]


@op(value=lambda g, indices, factors: _gather(g, indices, factors), indices=None, factors=None,
    shown="EmbeddingDenseBackwardBackward0")
def _spread(value: Any, indices: Any, factors: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with the rows of factors * value added at their indices."""
    if factors is not None:
        value = value * factors
    rows = indices.reshape(-1)
    if 0 < rows.size * shape[0] <= SMALL and shape[0] <= FEW and value.dtype.itemsize > 2:
        y = _spread_small(value.reshape(len(rows), -1), rows, shape[0])
        if y is not None:
            return y
    y = np.zeros(shape, value.dtype)
    if rows.size:
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
        value = value.reshape(len(order), *shape[1:])[order]
        y[rows[starts]] = np.add.reduceat(value, starts, 0)
    return y


@lru_cache(maxsize=8)
def _identity(size: int, dtype: np.dtype) -> ndarray:
    return np.eye(size, dtype=dtype)


def _spread_small(value: ndarray, rows: ndarray, count: int) -> ndarray | None:
    """Add rows by a product with a matrix of zeros and ones; None if inf or nan would spread."""
    chosen = _identity(count, value.dtype).take(rows, 0)
    y = matrix_product(chosen.T, value)
    total = ones(y.size, y.dtype).dot(y.reshape(-1)) if y.size <= VECTOR else np.add.reduce(y, None)
    return y if total - total == 0 else None


@op(weight=lambda g, weight_shape, indices, factors: _spread(g, indices, factors, weight_shape),
    indices=None, factors=None)
def _gather(weight: Any, indices: Any, factors: Any) -> Any:
    """Return factors * weight[indices], the adjoint of `_spread`."""
    rows = weight[indices]
    return rows if factors is None else rows * factors


def embedding(input: Any, weight: Any, padding_idx: int | None = None,
              max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:
    """Return the rows weight[input]: input (*) of int64 or int32 gives (*, D) for weight (V, D).

    `padding_idx`: this row gets no gradient. `max_norm`: rows that are looked up are first scaled
    down, in place, to this norm. `scale_grad_by_freq`: divide a row's gradient by how often it
    occurs in the input. Sparse gradients do not exist here: sparse=True raises RuntimeError.
    IndexError for indices outside of [0, V).

    >>> import minigrad as torch
    >>> table = torch.tensor([[1., 2.], [3., 4.]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 1]), table)
    tensor([[3., 4.],
            [3., 4.]])
    """
    if sparse:
        raise RuntimeError("embedding: sparse=True needs sparse tensors, which minigrad does not "
                           "have; use sparse=False")
    if padding_idx is not None:
        padding_idx = _check_padding(padding_idx, weight)
    indices = _checked("embedding", input, weight)
    if max_norm is not None:
        renormalise(weight, indices, max_norm, norm_type)
    factors = None
    if padding_idx is not None or scale_grad_by_freq:
        factors = _factors(indices, weight._data.dtype, padding_idx, scale_grad_by_freq)
    return EMBEDDING.run(weight, input, factors)


def _check_padding(padding_idx: int, weight: Any) -> int:
    rows = _check.tensor(weight, "embedding", "weight", 2).shape[0]
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"Padding_idx must be within num_embeddings: {padding_idx} for "
                             f"{rows} rows")
    return padding_idx % rows


def _checked(where: str, input: Any, weight: Any) -> ndarray:
    """Return the indices as an array after checking them."""
    try:
        indices, table = input._data, weight._data
    except AttributeError:
        wrong = "weight" if hasattr(input, "_data") else "input"
        given = weight if wrong == "weight" else input
        raise TypeError(f"{where}(): argument '{wrong}' must be Tensor, not "
                        f"{type(given).__name__}") from None
    unsigned = _UNSIGNED.get(indices.dtype)
    if unsigned is None:
        raise RuntimeError(f"{where}: Expected indices of dtype int64 or int32, got {input.dtype}; "
                           f"convert with .long()")
    if table.ndim != 2:
        raise RuntimeError(f"{where}: 'weight' must be 2-D, (rows, features), got shape "
                           f"{tuple(weight.shape)}")
    rows = table.shape[0]
    if indices.size:
        places = indices.view(unsigned)
        if places.item(places.argmax()) >= rows:  # twice as fast as the largest value itself
            bad = indices[(indices < 0) | (indices >= rows)].flat[0]
            raise IndexError(f"{where}: index out of range: {bad} for a table of {rows} rows")
    return indices


def _factors(indices: ndarray, dtype: Any, padding_idx: int | None, by_frequency: bool) -> Any:
    """Return what the gradient of each looked up row is multiplied with."""
    factors = np.ones(indices.shape, dtype)
    if by_frequency and indices.size:
        _, place, count = np.unique(indices, return_inverse=True, return_counts=True)
        factors /= count[place].reshape(indices.shape)
    if padding_idx is not None:
        factors[indices == padding_idx] = 0
    return wrap(factors[..., None], None)


def renormalise(weight: Any, indices: ndarray, max_norm: float, norm_type: float) -> None:
    """Scale the rows at `indices` down, in place, where their norm is larger than max_norm."""
    rows = np.unique(indices)
    table = weight._data
    norms = np.linalg.norm(table[rows].astype(np.float64), norm_type, 1)
    large = norms > max_norm
    scale = (max_norm / (norms[large] + 1e-7)).astype(table.dtype)
    table[rows[large]] *= scale[:, None]
    views.wrote(weight, "embedding (max_norm)")


def embedding_renorm_(input: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    """Scale the rows input[indices] down, in place, where their norm is larger than max_norm.

    RuntimeError if the table requires grad: do it under no_grad.

    >>> import minigrad as torch
    >>> torch.embedding_renorm_(torch.tensor([[3., 4.]]), torch.tensor([0]), 1., 2.)
    tensor([[0.6000, 0.8000]])
    """
    if input.requires_grad and state.grad:
        raise RuntimeError("embedding_renorm_: a tensor that requires grad is being used in an "
                           "in-place operation; do it under minigrad.no_grad()")
    renormalise(input, _checked("embedding_renorm_", indices, input), max_norm, norm_type)
    return input


@_check.takes("input")
def one_hot(input: Any, num_classes: int = -1) -> Any:
    """Return int64 zeros with a 1 at each index: (*) gives (*, num_classes).

    num_classes=-1: one more than the largest index. RuntimeError for other dtypes than int64 and
    for indices outside of [0, num_classes).

    >>> import minigrad as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    indices = _check.tensor(input, "one_hot")._data
    if indices.dtype != np.int64:
        raise RuntimeError(f"one_hot is only applicable to index tensors of dtype int64, got "
                           f"{input.dtype}; convert with .long()")
    if num_classes == -1:
        if not indices.size:
            raise RuntimeError("one_hot: Can not infer the number of classes from an empty tensor; "
                               "give num_classes")
        num_classes = int(indices.max()) + 1
    if indices.size and (indices.min() < 0 or indices.max() >= num_classes):
        raise RuntimeError(f"one_hot: Class values must be at least 0 and smaller than num_classes="
                           f"{num_classes}, got {indices.min()} to {indices.max()}")
    return wrap((indices[..., None] == np.arange(num_classes)).astype(np.int64), None)
