"""Functions of PyTorch's top namespace that programs seldom call by that name."""

from __future__ import annotations

import math
import mmap
import os
from typing import Any

import numpy as np

from .. import _check
from ..engine import wrap
from . import arithmetic, conv, vector_norm
from .elementwise import clone
from .fill import empty_strided, numpy_dtype
from .join import chunk, split, split_with_sizes

__all__ = ["convolution", "empty_permuted", "fill", "frobenius_norm", "from_file", "nuclear_norm",
           "unravel_index", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"]


def fill(input: Any, value: Any) -> Any:
    """Return a tensor like `input` whose elements are all `value` (a number or 0-d tensor).

    >>> import minigrad as torch
    >>> torch.fill(torch.zeros(2), 3)
    tensor([3., 3.])
    """
    return clone(_check.tensor(input, "fill")).fill_(value)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """Return the coordinates, one tensor per dimension, of flat positions in a shape.

    Raises TypeError for indices that are no integers, ValueError for a negative size. Positions
    outside are counted around, as in PyTorch.

    >>> import minigrad as torch
    >>> torch.unravel_index(torch.tensor([3, 5]), (2, 3))
    (tensor([1, 1]), tensor([0, 2]))
    """
    kind = _check.tensor(indices, "unravel_index", "indices")._data.dtype
    if kind.kind not in "iu":
        raise TypeError(f"unravel_index: expected 'indices' to be integer dtype, but got "
                        f"torch.{kind.name}")
    sizes = _check.sizes((shape,))
    if min(sizes, default=0) < 0:
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    found, flat = [], indices
    for n in reversed(sizes):
        found.append(arithmetic.remainder(flat, n) if n else flat)
        flat = arithmetic.floor_divide(flat, n) if n else flat
    return tuple(reversed(found))


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, requires_grad: bool = False,
                   pin_memory: bool = False) -> Any:
    """Return an unset dense tensor whose dimensions lie in memory in the order given, last fastest.

    >>> import minigrad as torch
    >>> torch.empty_permuted((2, 3, 5), (0, 2, 1)).stride()
    (15, 1, 3)
    """
    shape, order = _check.new_sizes("empty_permuted", (size,)), tuple(physical_layout)
    if len(order) != len(shape):
        raise RuntimeError(f"empty_permuted: Number of dimensions in size ({len(shape)}) does not "
                           f"match the length of the physical_layout ({len(order)})")
    if sorted(order) != list(range(len(shape))):
        raise RuntimeError(f"empty_permuted: Duplicate dim not allowed, nor one out of range: "
                           f"physical_layout must be an order of {list(range(len(shape)))}, got "
                           f"{list(order)}")
    steps, step = [0] * len(shape), 1
    for axis in reversed(order):
        steps[axis], step = step, step * max(shape[axis], 1)
    return empty_strided(shape, steps, dtype=dtype, layout=layout, device=device,
                         requires_grad=requires_grad, pin_memory=pin_memory)


# ----------------------------------------------------------- pieces that are no views of each other
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Return the pieces of `chunk`, which may be written in place: here they are copies."""
    return tuple(clone(part) for part in chunk(input, chunks, dim))


def unsafe_split(tensor: Any, split_size: int, dim: int = 0) -> tuple[Any, ...]:
    """Return the pieces of `split`, which may be written in place: here they are copies."""
    return tuple(clone(part) for part in split(tensor, split_size, dim))


def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return pieces of the given sizes, which may be written in place: here they are copies."""
    return tuple(clone(part) for part in split_with_sizes(input, split_sizes, dim))


# ------------------------------------------------------------------------------------------ norms
def frobenius_norm(input: Any, dim: Any, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the root of the sum of squares over dimensions; use `linalg.vector_norm`."""
    return vector_norm.norm(input, 2, dim, keepdim, out)


@_check.takes("input")
def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the sum of a matrix's singular values; use `linalg.matrix_norm(A, "nuc")`."""
    return vector_norm.norm(input, "nuc", dim, keepdim, out)


# ------------------------------------------------------------------------------------ convolution
def convolution(input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
                transposed: bool, output_padding: Any, groups: int) -> Any:
    """Return the convolution (or transposed one) over as many dimensions as the input has."""
    rank = _check.tensor(input, "convolution").dim() - 2
    if rank not in (1, 2, 3):
        raise RuntimeError(f"convolution: expected an input of 3 to 5 dimensions, got {rank + 2}")
    if transposed:
        return getattr(conv, f"conv_transpose{rank}d")(
            input, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(conv, f"conv{rank}d")(input, weight, bias, stride, padding, dilation, groups)


# ------------------------------------------------------------------------------------------ files
def from_file(filename: str, shared: bool | None = None, size: int | None = 0, *,
              dtype: Any = None, layout: Any = None, device: Any = None,
              pin_memory: bool = False) -> Any:
    """Return a vector that shows the bytes of a file.

    Args: filename; shared: True writes what is written into the tensor back to the file, which is
    made or made longer if need be; else the file stays as it is; size: the number of elements.
    Raises RuntimeError if the file cannot be opened or is too short.

    >>> import minigrad as torch
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     t = torch.from_file(file.name, shared=True, size=2, dtype=torch.int32)
    ...     t.copy_(torch.tensor([7, 8])).tolist()
    ...     torch.from_file(file.name, size=2, dtype=torch.int32)
    [7, 8]
    tensor([7, 8], dtype=torch.int32)
    """
    _check.place(layout, device, pin_memory)
    kind, count = numpy_dtype(dtype), int(size or 0)
    if count < 0:
        raise RuntimeError(f"from_file: size must not be negative, got {count}")
    length = count * kind.itemsize
    flags = os.O_RDWR | os.O_CREAT if shared else os.O_RDONLY
    try:
        number = os.open(filename, flags, 0o666)
    except OSError as error:
        raise RuntimeError(f"from_file: unable to open file <{filename}>: {error.strerror}"
                           ) from None
    try:
        if os.fstat(number).st_size < length:
            if not shared:
                raise RuntimeError(f"from_file: file <{filename}> has "
                                   f"{os.fstat(number).st_size} bytes, {length} are needed")
            os.truncate(number, length)
        if not length:
            return wrap(np.empty(0, kind), None)
        access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
        memory = mmap.mmap(number, math.ceil(length), access=access)
    finally:
        os.close(number)
    return wrap(np.frombuffer(memory, kind, count), None)
