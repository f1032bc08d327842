"""Sequences of different lengths, as one padded tensor or packed: all first steps, all second ones.

Packed data begin with the longest sample: step t has the first `batch_sizes[t]` samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine import op
from .slicing import narrow, select

ndarray = np.ndarray


def present(batch_sizes: Sequence[int]) -> ndarray:
    """Return which samples each step has, (T, N) of bool."""
    return np.arange(batch_sizes[0]) < np.asarray(batch_sizes)[:, None]


def _by_time(x: Any, batch_first: bool) -> Any:
    return x.swapaxes(0, 1) if batch_first else x


@op(input=lambda g, input_shape, batch_sizes, batch_first: pad_packed(
    g, batch_sizes, input_shape[1 if batch_first else 0], 0, batch_first),
    shown="PackPaddedSequenceBackward0")
def pack_padded(input: Any, batch_sizes: tuple[int, ...], batch_first: bool) -> Any:
    """Return the steps that there are of (T, N, *), or (N, T, *), one after the other."""
    return _by_time(input, batch_first)[:len(batch_sizes)][present(batch_sizes)]


@op(input=lambda g, batch_sizes, batch_first: pack_padded(g, batch_sizes, batch_first),
    shown=lambda batch_first: "TransposeBackward0" if batch_first
    else "torch::autograd::CopySlices")
def pad_packed(input: Any, batch_sizes: tuple[int, ...], length: int, value: float,
               batch_first: bool) -> Any:
    """Return packed data as (length, N, *), or (N, length, *), with `value` where nothing is."""
    y = _filled(length, batch_sizes[0], batch_first, input, value)
    _by_time(y, batch_first)[:len(batch_sizes)][present(batch_sizes)] = input
    return y


def _filled(length: int, batch: int, batch_first: bool, like: ndarray,
            value: float) -> ndarray:
    shape = (batch, length) if batch_first else (length, batch)
    y = np.empty(shape + like.shape[1:], like.dtype)
    y[...] = np.asarray(value).astype(like.dtype)
    return y


def _steps(count: int, length: int, left: bool) -> tuple[int, int]:
    """Return where a sequence begins and ends."""
    return (length - count, length) if left else (0, count)


def _sequences(g: Any, shapes: list[tuple[int, ...]], batch_first: bool, left: bool) -> list[Any]:
    length = max(shape[0] for shape in shapes)
    return [narrow(select(g, 0 if batch_first else 1, k), 0, _steps(shape[0], length, left)[0],
                   shape[0]) for k, shape in enumerate(shapes)]


@op(tensors=lambda g, tensors_shape, batch_first, left: _sequences(
    g, tensors_shape, batch_first, left), shown="torch::autograd::CopySlices",
    explain=lambda tensors, *_: RuntimeError(
        f"pad_sequence: The size of tensors must match but for dim 0, got sequences of shapes "
        f"{sorted({a.shape for a in tensors})}"))
def pad_sequences(tensors: Any, batch_first: bool, value: float, left: bool) -> Any:
    """Return sequences (T_i, *) as (T, N, *), or (N, T, *), padded to the longest."""
    length = max(len(a) for a in tensors)
    y = _filled(length, len(tensors), batch_first, tensors[0], value)
    by_sample = y if batch_first else y.swapaxes(0, 1)
    for sample, a in zip(by_sample, tensors, strict=True):
        sample[slice(*_steps(len(a), length, left))] = a
    return y
