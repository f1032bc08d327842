"""Repeating elements: repeat, tile, repeat_interleave, and grids of all combinations."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from .. import _check, engine
from ..engine import op, wrap
from .index import take_index
from .join import stack
from .reduce import sum
from .scatter import index_select
from .shape import expand, reshape, row_major, unsqueeze

ndarray = np.ndarray


# -------------------------------------------------------------------------------------- repeating
def _unrepeat(g: Any, shape: tuple[int, ...], repeats: tuple[int, ...]) -> Any:
    """Sum the copies that `repeat` made."""
    shape = (1,) * (len(repeats) - len(shape)) + shape
    pairs = [s for pair in zip(repeats, shape, strict=True) for s in pair]
    return sum(reshape(g, pairs), tuple(range(0, len(pairs), 2))) if pairs else g


@op(input=lambda g, input_shape, repeats: _unrepeat(g, input_shape, repeats))
def repeat(input: Any, repeats: tuple[int, ...]) -> Any:
    """Return the tensor repeated as a whole along each dimension."""
    if len(repeats) < input.ndim:
        raise RuntimeError(f"Number of dimensions of repeat dims ({len(repeats)}) can not be "
                           f"smaller than number of dimensions of tensor ({input.ndim})")
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension: repeats are "
                           f"{list(repeats)}")
    return np.tile(input, repeats)


def tile(input: Any, dims: Any) -> Any:
    """Return the tensor repeated along each dimension; missing leading repeats are 1.

    >>> import minigrad as torch
    >>> torch.tile(torch.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    dims = _check.sizes((dims,))
    return repeat(input, (1,) * (_check.tensor(input, "tile")._data.ndim - len(dims)) + dims)


def repeat_interleave(input: Any, repeats: Any = None, dim: int | None = None, *,
                      output_size: int | None = None) -> Any:
    """Repeat each element along `dim` (None: of the flat tensor) a number of times.

    `repeats` is a number, or an integer tensor with one number per element. With a single tensor:
    the indices 0, 1, ... each repeated as often as the tensor says. `output_size` is the expected
    size of the result along `dim`: RuntimeError if it comes out otherwise.

    >>> import minigrad as torch
    >>> torch.repeat_interleave(torch.tensor([5, 6]), torch.tensor([1, 2]))
    tensor([5, 6, 6])
    """
    made = _repeated_each(input, repeats, dim)
    size = made._data.shape[0 if dim is None else dim]
    if output_size is not None and size != output_size:
        raise RuntimeError(f"repeat_interleave: output_size={output_size} was expected, but the "
                           f"repeats give {size}; leave output_size away or correct it")
    return made


def _repeated_each(input: Any, repeats: Any, dim: int | None) -> Any:
    if repeats is None:
        _check.tensor(input, "repeat_interleave", "repeats")
        return wrap(np.repeat(np.arange(len(input)), _counts(input)), None)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    dim = _check.dim(dim, input.ndim)
    shape = input._data.shape
    if isinstance(repeats, engine.Tensor) and repeats._data.size != 1:
        counts = _counts(repeats)
        if counts.ndim != 1 or len(counts) != shape[dim]:
            raise RuntimeError(f"repeats must have the same size as input along dim, but got "
                               f"repeats.size(0) = {counts.size} and input.size({dim}) = "
                               f"{shape[dim]}")
        return index_select(input, dim, wrap(np.repeat(np.arange(shape[dim]), counts), None))
    times = int(repeats)
    if times < 0:
        raise RuntimeError(f"Repeats must be non-negative, got {times}")
    wide = expand(unsqueeze(input, dim + 1), (*shape[:dim + 1], times, *shape[dim + 1:]))
    return reshape(row_major(wide), (*shape[:dim], shape[dim] * times, *shape[dim + 1:]))


def _counts(repeats: Any) -> ndarray:
    counts = repeats._data
    if counts.dtype.kind != "i":
        raise RuntimeError(f"repeats has to be Long or Int tensor, got {counts.dtype}")
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeats can not be negative")
    return counts  # type: ignore[no-any-return]


# -------------------------------------------------------------------------------- grids of values
@_check.takes()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Any, ...]:
    """Return the coordinates of a grid: each vector expanded over the others' dimensions.

    `indexing` 'ij' keeps the order of the vectors; 'xy' swaps the first two.

    >>> import minigrad as torch
    >>> torch.meshgrid(torch.arange(2), torch.arange(2), indexing="ij")[0]
    tensor([[0, 0],
            [1, 1]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing is None:
        warnings.warn("torch.meshgrid: pass indexing='ij' (this default) or indexing='xy'; the "
                      "default will change", UserWarning, stacklevel=2)
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
                           f"{indexing}")
    if len({x._data.dtype for x in tensors}) > 1:
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    for x in tensors:
        if x.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but "
                               f"got shape {list(x.shape)}")
    n = len(tensors)
    if indexing == "xy" and n > 1:
        grids = meshgrid(tensors[1], tensors[0], *tensors[2:], indexing="ij")
        return (grids[1], grids[0], *grids[2:])
    shape = tuple(x._data.size for x in tensors)
    return tuple(expand(reshape(x, tuple(-1 if k == i else 1 for k in range(n))), shape)
                 for i, x in enumerate(tensors))


@_check.takes()
def cartesian_prod(*tensors: Any) -> Any:
    """Return all combinations of one element of each vector, as rows."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(x, (-1,)) for x in meshgrid(*tensors, indexing="ij")], 1)


@_check.takes("input")
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Return all combinations of r elements of a vector in order, as rows."""
    if input.ndim != 1 or r < 0:
        raise RuntimeError(f"Expect a 1D vector and a non-negative number, got {input.ndim}D and "
                           f"{r}")
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    chosen = np.array(list(pick(range(len(input)), r)), np.int64).reshape(-1, r)
    if not r:
        return input[:0]
    return stack([take_index(input, (chosen[:, k],)) for k in range(r)], 1)
