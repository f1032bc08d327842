"""Which memory a file keeps: arrays that overlap share one storage, as they do in the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """Where an array lies: the storage's name and length, and the first element's position."""

    key: str
    numel: int
    offset: int


def element_strides(array: Array) -> list[int]:
    """Return the strides in elements; where a stride has no effect, that of a dense array."""
    strides: list[int] = []
    dense = 1
    for length, stride in zip(reversed(array.shape), reversed(array.strides), strict=True):
        strides.append(dense if length == 1 or not array.size else stride // array.itemsize)
        dense = strides[-1] * max(length, 1)
    return strides[::-1]


def to_storable(array: Array) -> Array:
    """Return the array, or a dense copy where its strides are negative or fall between elements."""
    regular = all(
        stride >= 0 and stride % array.itemsize == 0
        for length, stride in zip(array.shape, array.strides, strict=True)
        if length > 1
    )
    return array if regular else np.ascontiguousarray(array)


def extent(shape: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many elements there are from the first to the last one of a strided array."""
    if 0 in shape:
        return 0
    return 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))


def share(arrays: list[Array]) -> tuple[list[Array], list[Place]]:
    """Return the storages that cover the arrays, and each array's place in them.

    A storage reaches from the first to the last element of arrays that overlap. Two dtypes in one
    storage raise RuntimeError, as in PyTorch.
    """
    starts = [array.__array_interface__["data"][0] for array in arrays]
    ends = [
        start + array.itemsize * extent(array.shape, element_strides(array))
        for start, array in zip(starts, arrays, strict=True)
    ]
    groups = [[number] for number, array in enumerate(arrays) if not array.size]
    reached = 0
    filled = (number for number, array in enumerate(arrays) if array.size)
    for number in sorted(filled, key=starts.__getitem__):
        if starts[number] >= reached:
            groups.append([])
        groups[-1].append(number)
        reached = max(reached, ends[number])
    groups.sort(key=min)  # numbered in the order in which they are first needed
    places: dict[int, Place] = {}
    storages = []
    for key, group in enumerate(groups):
        first = arrays[group[0]]
        length = (max(ends[n] for n in group) - starts[group[0]]) // first.itemsize
        storages.append(as_strided(first, (length,), (first.itemsize,), writeable=False))
        for number in group:
            offset, between = divmod(starts[number] - starts[group[0]], first.itemsize)
            if arrays[number].dtype != first.dtype or between:
                raise RuntimeError(
                    f"save: tensors of dtypes {first.dtype} and {arrays[number].dtype} view the "
                    f"same memory, which a checkpoint cannot express; clone() one of them"
                )
            places[number] = Place(str(key), length, offset)
    return storages, [places[number] for number in range(len(arrays))]
