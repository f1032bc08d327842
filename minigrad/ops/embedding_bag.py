"""Looking up bags of rows of a table: their sum, mean or maximum."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import _check
from ..engine import wrap
from .choose import _where as where
from .embedding import _checked, _embedding, _factors, renormalise
from .index import add_index, take_index
from .margin_loss import labelled
from .shape import reshape, unsqueeze

ndarray = np.ndarray
MODES = ("sum", "mean", "max")
NAME = "EmbeddingBagBackward0"


@_check.takes("input", "weight", "offsets?")
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
    _check_options(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights)
    input, offsets, per_sample_weights, include_last_offset = _flat(
        input, offsets, per_sample_weights, include_last_offset)
    return bags_of(weight, input, offsets, mode, scale_grad_by_freq, per_sample_weights,
                   include_last_offset, padding_idx, max_norm, norm_type)[0]


def bags_of(weight: Any, input: Any, offsets: Any, mode: str, by_frequency: bool, per_sample: Any,
            last_included: bool, padding_idx: int | None, max_norm: float | None = None,
            norm_type: float = 2) -> tuple[Any, ndarray, ndarray, ndarray | None]:
    """Return the result, the bag of each index, the bags' sizes, and the rows of the maxima."""
    input, indices = _checked_indices(input, offsets, weight)
    bags, count, kept = _bags(offsets._data, len(indices), last_included)
    kept &= _unpadded(indices, padding_idx, weight.shape[0])
    if max_norm is not None:
        renormalise(weight, indices, max_norm, norm_type)
    sizes = np.bincount(bags[kept], minlength=count)
    if mode == "max":
        y, winners = _largest(weight, indices[kept], bags[kept], count)
        return labelled(y, NAME), bags, sizes, winners
    dtype = weight._data.dtype
    share = kept.astype(dtype)
    if mode == "mean" and count:
        share /= np.maximum(sizes, 1)[bags]
    factor = wrap(share, None)
    if per_sample is not None:
        factor = per_sample * factor
    factors = _factors(indices, dtype, None, True) if by_frequency else None
    rows = _embedding(weight, input, factors) * unsqueeze(factor, 1)
    y = add_index(rows, (count, weight.shape[1]), (bags,)) if count else rows[:0]
    return labelled(y, NAME), bags, sizes, None


def _check_options(input: Any, weight: Any, mode: str, by_frequency: bool, sparse: bool,
                   per_sample: Any) -> None:
    if per_sample is not None and tuple(per_sample.shape) != tuple(input.shape):
        raise ValueError(f"embedding_bag: per_sample_weights must have the shape of the input, "
                         f"{tuple(input.shape)}, got {tuple(per_sample.shape)}")
    if weight.ndim != 2:
        raise ValueError(f"embedding_bag: weight has to be a 2D Tensor, (rows, features), got "
                         f"shape {tuple(weight.shape)}")
    if mode not in MODES:
        raise ValueError(f"embedding_bag: mode has to be one of sum, mean or max, got {mode!r}")
    if mode == "max" and (by_frequency or sparse):
        raise ValueError("embedding_bag: max mode does not support scale_grad_by_freq or sparse")
    if sparse:
        raise RuntimeError("embedding_bag: sparse=True needs sparse tensors, which minigrad does "
                           "not have; use sparse=False")
    if per_sample is not None and mode != "sum":
        raise NotImplementedError(f"embedding_bag: per_sample_weights is only supported for "
                                  f"mode='sum', got mode={mode!r}")
    if per_sample is not None and per_sample.dtype != weight.dtype:
        raise RuntimeError(f"embedding_bag: Expected weight to have the same type as "
                           f"per_sample_weights, got {weight.dtype} and {per_sample.dtype}")


def _flat(input: Any, offsets: Any, per_sample: Any,
          last_included: bool) -> tuple[Any, Any, Any, bool]:
    """Return indices and weights in one row, where the bags begin, and if the end is included."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: if input is 2D, (bags, length), then offsets has to "
                             "be None")
        bags, length = input.shape
        offsets = wrap(np.arange(bags, dtype=np.int64) * length, None)
        flat = reshape(input, (-1,))
        return flat, offsets, None if per_sample is None else reshape(per_sample, (-1,)), False
    if input.ndim != 1:
        raise ValueError(f"embedding_bag: input has to be 1D or 2D, but got shape "
                         f"{tuple(input.shape)}")
    if offsets is None or offsets.ndim != 1:
        raise ValueError("embedding_bag: for 1D input offsets has to be a 1D Tensor, the places "
                         "where the bags begin")
    return input, offsets, per_sample, last_included


def _checked_indices(input: Any, offsets: Any, weight: Any) -> tuple[Any, ndarray]:
    """Return the indices; PyTorch raises RuntimeError here where `embedding` has IndexError."""
    kinds = np.result_type(input._data, offsets._data)
    if kinds not in (np.int64, np.int32):
        raise RuntimeError(f"embedding_bag: Expected indices and offsets of dtype int64 or int32, "
                           f"got {input.dtype} and {offsets.dtype}; convert with .long()")
    if weight._data.dtype.kind != "f":
        raise RuntimeError(f"embedding_bag: Expected weight to be of a floating dtype, got "
                           f"{weight.dtype}")
    if input._data.dtype != kinds:
        input = wrap(input._data.astype(kinds), None)
    try:
        return input, _checked("embedding_bag", input, weight)
    except IndexError as error:
        raise RuntimeError(str(error)) from None


def _bags(starts: ndarray, length: int, last_included: bool) -> tuple[ndarray, int, ndarray]:
    """Return to which bag each index belongs, how many bags there are, and which are in one."""
    if last_included and not starts.size:
        raise RuntimeError("embedding_bag: include_last_offset: the number of offsets should be at "
                           "least 1, the end of the last bag")
    if starts.size and starts[0] != 0:
        raise RuntimeError(f"embedding_bag: offsets[0] has to be 0, got {starts[0]}")
    if starts.size and starts[-1] > length:
        raise RuntimeError(f"embedding_bag: offsets[-1] can not be greater than input's length "
                           f"{length}, got {starts[-1]}")
    if (starts[1:] < starts[:-1]).any():
        raise RuntimeError(f"embedding_bag: Expected offsets to be in ascending order, got "
                           f"{starts.tolist()}")
    count = len(starts) - bool(last_included)
    places = np.arange(length)
    bags = np.searchsorted(starts[:count], places, side="right") - 1
    kept = places < starts[-1] if last_included else np.full(length, count > 0)
    return np.maximum(bags, 0), count, kept


def _unpadded(indices: ndarray, padding_idx: int | None, rows: int) -> ndarray:
    if padding_idx is None:
        return np.ones(indices.shape, bool)
    if not -rows <= padding_idx < rows:
        raise RuntimeError(f"embedding_bag: padding_idx must be within the {rows} rows, got "
                           f"{padding_idx}")
    return indices != padding_idx % rows


def _largest(weight: Any, indices: ndarray, bags: ndarray, count: int) -> tuple[Any, ndarray]:
    """Return the largest element of each bag and feature, the first of equal ones; and its row."""
    width = weight.shape[1]
    winners = np.zeros((count, width), np.int64)
    filled = np.zeros((count, 1), bool)
    if bags.size:
        starts = np.flatnonzero(np.concatenate([[True], bags[1:] != bags[:-1]]))
        rows = weight._data[indices]
        largest = np.repeat(np.maximum.reduceat(rows, starts, 0),
                            np.diff([*starts, len(bags)]), 0)
        place = np.arange(len(bags))[:, None]
        first = np.minimum.reduceat(np.where(rows == largest, place, len(bags) - 1), starts, 0)
        winners[bags[starts]] = indices[first]
        filled[bags[starts]] = True
    y = take_index(weight, (winners, np.arange(width)))
    return (y if filled.all() else where(wrap(filled, None), y, 0.0)), winners


# ------------------------------------------------------------------------ PyTorch's inner function
def embedding_bag_parts(weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False,
                        mode: int = 0, sparse: bool = False, per_sample_weights: Any = None,
                        include_last_offset: bool = False,
                        padding_idx: int | None = None) -> tuple[Any, Any, Any, Any]:
    """Return `nn.functional.embedding_bag` and what PyTorch keeps for its gradient.

    `mode`: 0 sum, 1 mean, 2 max. The others are the bag of each index (empty for sums), the bags'
    sizes (zeros for sums) and the rows of the maxima (for "max", else the sizes).

    >>> import minigrad as torch
    >>> torch.embedding_bag(torch.eye(2), torch.tensor([0, 1, 1]), torch.tensor([0, 1]))[0]
    tensor([[1., 0.],
            [0., 2.]])
    """
    if mode not in (0, 1, 2) or (per_sample_weights is not None and mode):
        raise RuntimeError(f"embedding_bag: mode must be 0 (sum), 1 (mean) or 2 (max), with "
                           f"per_sample_weights 0, got {mode!r}")
    name = MODES[mode]
    flat = reshape(indices, (-1,))
    scale = None if per_sample_weights is None else reshape(per_sample_weights, (-1,))
    _check_options(flat, weight, name, scale_grad_by_freq, sparse, scale)
    y, bags, sizes, winners = bags_of(weight, flat, offsets, name, scale_grad_by_freq, scale,
                                      include_last_offset, padding_idx)
    if mode == 0:
        bags, sizes = bags[:0] if padding_idx is None else bags, np.zeros_like(sizes)
    found = sizes if winners is None else winners
    return y, wrap(bags, None), wrap(sizes, None), wrap(found.copy(), None)
