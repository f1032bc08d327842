"""Picking one element per place along a dimension, and its adjoint: for max, sort, topk, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine import op

ndarray = np.ndarray


@op(input=lambda g, indices, input_shape, dim: put_along(g, indices, input_shape, dim),
    indices=None)
def take_along(input: Any, indices: Any, dim: int) -> Any:
    """Return the elements at `indices` along `dim`; no index may occur twice in a row."""
    return np.take_along_axis(input, indices, dim) if input.ndim else input.copy()


@op(value=lambda g, indices, dim: take_along(g, indices, dim), indices=None)
def put_along(value: Any, indices: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Return zeros of `shape` with `value` at `indices` along `dim`."""
    if not shape:
        return np.array(value)
    y = np.zeros(shape, value.dtype)
    np.put_along_axis(y, indices, value, dim)
    return y


def _grid(indices: ndarray, dim: int) -> tuple[Any, ...]:
    """Return the full NumPy index of `indices` along `dim`."""
    grid: list[Any] = list(np.ogrid[tuple(slice(0, s) for s in indices.shape)])
    grid[dim] = indices
    return tuple(grid)


@op(input=lambda g, indices, dim: add_along(g, indices, dim), indices=None)
def repeat_along(input: Any, indices: Any, dim: int) -> Any:
    """Return the elements at `indices` along `dim`, which has the same size before and after."""
    return np.take_along_axis(input, indices, dim) if input.ndim else input.copy()


@op(value=lambda g, indices, dim: repeat_along(g, indices, dim), indices=None)
def add_along(value: Any, indices: Any, dim: int) -> Any:
    """Return zeros with `value` added at `indices` along `dim`, repetitions included."""
    y = np.zeros(value.shape, value.dtype)
    np.add.at(y, _grid(indices, dim) if value.ndim else (), value)
    return y
