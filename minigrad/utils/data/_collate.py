"""`default_collate` and `default_convert`: how samples become a batch of tensors."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...ops.create import from_numpy, tensor
from ...ops.join import stack
from ...tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples along a new first dimension.

    Tensors and arrays are stacked, numbers become a tensor (floats a float64 one), strings a list;
    dicts, tuples (as a list), named tuples and lists are collated entry by entry. RuntimeError for
    samples of different lengths, TypeError for other types.

    >>> import minigrad as torch
    >>> torch.utils.data.default_collate([{"x": 1.5, "y": "a"}, {"x": 2.5, "y": "b"}])
    {'x': tensor([1.5000, 2.5000], dtype=torch.float64), 'y': ['a', 'b']}
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, (np.ndarray, np.generic)):
        return _arrays(batch, first)
    if isinstance(first, float):
        return from_numpy(np.array(batch, np.float64))
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: default_collate([sample[key] for sample in batch])
                                for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) > 1:
            raise RuntimeError("each element in list of batch should be of equal size; the samples "
                               f"have {sorted({len(sample) for sample in batch})} entries")
        entries = [default_collate(entry) for entry in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*entries)
        return entries if isinstance(first, tuple) else _rebuilt(first, entries)
    raise TypeError("default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
                    f"lists; found {type(first)}. Give the DataLoader a collate_fn.")


def _arrays(batch: Sequence[Any], first: Any) -> Tensor:
    if first.dtype.kind in "SUOV":
        raise TypeError("default_collate: batch must contain tensors, numpy arrays, numbers, dicts "
                        f"or lists; found an array of dtype {first.dtype}")
    return from_numpy(np.stack(batch))


def _rebuilt(like: Any, entries: Any) -> Any:
    """Return entries in a container of the sample's own type, if it can be made."""
    try:
        if isinstance(like, dict) and type(like) is not dict:
            made = copy.copy(like)
            made.update(entries)
            return made
        return type(like)(entries)
    except TypeError:
        return entries


def default_convert(data: Any) -> Any:
    """Turn the arrays inside one sample into tensors (what a loader without batches does)."""
    if isinstance(data, np.generic) and data.dtype.kind not in "SUOV":
        return tensor(data)
    if isinstance(data, np.ndarray) and data.dtype.kind not in "SUOV":
        return from_numpy(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(value) for value in data])
    return data
