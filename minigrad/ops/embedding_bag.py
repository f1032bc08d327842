"""Looking up bags of rows of a table: their sum, mean or maximum."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..engine import wrap
from .choose import _where as where
from .embedding import _checked, _embedding, _factors, renormalise
from .index import add_index, take_index
from .margin_loss import labelled
from .shape import reshape, unsqueeze

ndarray = np.ndarray


def embedding_bag(input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None,
                  norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
                  sparse: bool = False, per_sample_weights: Any = None,
                  include_last_offset: bool = False, padding_idx: int | None = None) -> Any:
    """Return the "mean", "sum" or "max" of the rows weight[i] of each bag i of indices: (B, D).

    input (B, L): bags of one length, or (L,) with `offsets` (B,), where each bag begins (with
    include_last_offset the last one is the end). `per_sample_weights` of the input's shape multiply
    the rows, for "sum" only. Indices equal to padding_idx are left out. For the other options see
    `embedding`. Empty bags give zeros.

    >>> import minigrad as torch
    >>> table, bags = torch.tensor([[1., 2.], [3., 4.]]), torch.tensor([[0, 1], [1, 1]])
    >>> torch.nn.functional.embedding_bag(bags, table)
    tensor([[2., 3.],
            [3., 4.]])
    """
    if weight._data.dtype.kind in "iu" and input._data.dtype.kind == "f":
        warnings.warn("embedding_bag: the arguments are (input, weight, ...); the order (weight, "
                      "input, ...) is deprecated", stacklevel=2)
        input, weight = weight, input
    _check_options(input, mode, scale_grad_by_freq, sparse, per_sample_weights)
    input, offsets, per_sample_weights = _flat(input, offsets, per_sample_weights)
    indices = _checked_indices(input, weight)
    bags, count = _bags(offsets._data, len(indices), include_last_offset)
    kept = _kept(indices, padding_idx, weight.shape[0])
    if max_norm is not None:
        renormalise(weight, indices, max_norm, norm_type)
    if mode == "max":
        return labelled(_largest(weight, indices, bags, count, kept), "EmbeddingBagBackward0")
    dtype = weight._data.dtype
    share = kept.astype(dtype)
    if mode == "mean":
        share /= np.maximum(np.bincount(bags[kept], minlength=count), 1)[bags]
    share = wrap(share, None) if per_sample_weights is None else per_sample_weights * wrap(share,
                                                                                           None)
    factors = _factors(indices, dtype, None, True) if scale_grad_by_freq else None
    rows = _embedding(weight, input, factors) * unsqueeze(share, 1)
    y = add_index(rows, (count, weight.shape[1]), (bags,))
    return labelled(y, "EmbeddingBagBackward0")


def _check_options(input: Any, mode: str, by_frequency: bool, sparse: bool,
                   per_sample: Any) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode has to be one of sum, mean or max, got {mode!r}")
    if sparse:
        raise RuntimeError("embedding_bag: sparse=True needs sparse tensors, which minigrad does "
                           "not have; use sparse=False")
    if mode == "max" and by_frequency:
        raise ValueError("embedding_bag: max mode does not support scale_grad_by_freq")
    if per_sample is not None:
        if mode != "sum":
            raise NotImplementedError(f"embedding_bag: per_sample_weights is only supported for "
                                      f"mode='sum', got mode={mode!r}")
        if tuple(per_sample.shape) != tuple(input.shape):
            raise ValueError(f"embedding_bag: per_sample_weights must have the shape of the input, "
                             f"{tuple(input.shape)}, got {tuple(per_sample.shape)}")


def _flat(input: Any, offsets: Any, per_sample: Any) -> tuple[Any, Any, Any]:
    """Return the indices in one row, where the bags begin, and the weights in one row."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: if input is 2D, (bags, length), then offsets has to "
                             "be None")
        bags, length = input.shape
        offsets = wrap(np.arange(bags, dtype=np.int64) * length, None)
        flat = reshape(input, (-1,))
        return flat, offsets, None if per_sample is None else reshape(per_sample, (-1,))
    if input.ndim != 1:
        raise ValueError(f"embedding_bag: input has to be 1D or 2D, but got shape "
                         f"{tuple(input.shape)}")
    if offsets is None or offsets.ndim != 1:
        raise ValueError("embedding_bag: for 1D input offsets has to be a 1D Tensor, the places "
                         "where the bags begin")
    return input, offsets, per_sample


def _checked_indices(input: Any, weight: Any) -> ndarray:
    """Return the indices; PyTorch raises RuntimeError here where `embedding` has IndexError."""
    try:
        return _checked("embedding_bag", input, weight)
    except IndexError as error:
        raise RuntimeError(str(error)) from None


def _bags(starts: ndarray, length: int, last_included: bool) -> tuple[ndarray, int]:
    """Return to which bag each index belongs, and how many bags there are."""
    if starts.size and starts[0] != 0:
        raise RuntimeError(f"embedding_bag: offsets[0] has to be 0, got {starts[0]}")
    if starts.size and starts[-1] > length:
        raise RuntimeError(f"embedding_bag: offsets[-1] can not be greater than input's length "
                           f"{length}, got {starts[-1]}")
    count = len(starts) - bool(last_included)
    places = np.searchsorted(starts[:count], np.arange(length), side="right") - 1
    return places, count


def _kept(indices: ndarray, padding_idx: int | None, rows: int) -> ndarray:
    if padding_idx is None:
        return np.ones(indices.shape, bool)
    if not -rows <= padding_idx < rows:
        raise RuntimeError(f"embedding_bag: padding_idx must be within the {rows} rows, got "
                           f"{padding_idx}")
    return indices != padding_idx % rows


def _largest(weight: Any, indices: ndarray, bags: ndarray, count: int, kept: ndarray) -> Any:
    """Return the largest element of each bag and feature; the first of equal ones."""
    table = weight._data
    winners = np.zeros((count, table.shape[1]), np.int64)
    filled = np.zeros((count, 1), bool)
    for bag in range(count):
        members = indices[(bags == bag) & kept]
        if members.size:
            filled[bag] = True
            winners[bag] = members[table[members].argmax(0)]
    y = take_index(weight, (winners, np.arange(table.shape[1])))
    return y if filled.all() else where(wrap(filled, None), y, 0.0)
