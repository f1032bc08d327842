"""The memory behind tensors: `torch.storage`.

A tensor shows a window of a block of bytes. Views, and tensors detached from views, share it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._device import cpu
from ._dtype import dtype_of, get_default_dtype, to_dtype

ndarray = np.ndarray


def extent(array: ndarray) -> tuple[int, int]:
    """Return the addresses of the first byte of an array's elements and behind the last one."""
    low = high = array.ctypes.data
    if not array.size:
        return low, high
    for step, n in zip(array.strides, array.shape, strict=True):
        low, high = low + min(step * (n - 1), 0), high + max(step * (n - 1), 0)
    return low, high + array.itemsize


def owner(array: ndarray) -> ndarray:
    """Return the array that an array is a window of."""
    while True:
        above = array.base
        if not isinstance(above, ndarray):
            above = getattr(above, "base", None)  # what NumPy's as_strided puts in between
            if not isinstance(above, ndarray):
                return array
        array = above


class _Window:
    """Bytes for `np.asarray`: the elements of an array with the gaps between them."""

    def __init__(self, array: ndarray) -> None:
        low, high = extent(array)
        self.base = array
        self.__array_interface__ = {"data": (low, not array.flags.writeable), "typestr": "|u1",
                                    "shape": (high - low,), "version": 3}


def memory(array: ndarray) -> ndarray:
    """Return the bytes of an array, from its first to its last, sharing its memory."""
    if array.flags.c_contiguous:
        return array.reshape(-1).view(np.uint8)
    return np.asarray(_Window(array))


def window(block: ndarray, dtype: Any, size: Any, stride: Any, begin: int) -> ndarray:
    """Return an array of a block of bytes: strides in elements, `begin` in bytes."""
    if 0 in size:
        return block[:0].view(dtype).reshape(size)
    return ndarray(size, dtype, block, begin, tuple(s * dtype.itemsize for s in stride))


def last(size: Any, stride: Any) -> int:
    """Return how far the last element lies behind the first, in elements; -1 if there is none."""
    if 0 in size:
        return -1
    return sum((n - 1) * s for n, s in zip(size, stride, strict=True))


def origin(tensor: Any) -> ndarray:
    """Return the array at whose beginning the memory that a tensor shares begins."""
    root = tensor if tensor._base is None else tensor._base
    found: ndarray = root._data if root._origin is None else root._origin
    if found is tensor._data:
        return found
    (low, high), (first, end) = extent(found), extent(tensor._data)
    return found if low <= first and end <= high else owner(tensor._data)


def offset(tensor: Any) -> int:
    """Return at which element of the memory that it shares a tensor begins."""
    array = tensor._data
    return (array.ctypes.data - extent(origin(tensor))[0]) // array.itemsize  # type: ignore[no-any-return]


class UntypedStorage:
    """The block of bytes that a tensor and its views share, as `Tensor.untyped_storage` gives it.

    A sequence of bytes: writing into it writes into the tensors. Its size is fixed. A new one is
    made of a number of bytes, or of a list of them.

    >>> import minigrad as torch
    >>> x = torch.zeros(2, dtype=torch.int16)
    >>> memory = x[1:].untyped_storage()
    >>> memory[0] = 7
    >>> x, memory.nbytes(), memory.tolist()
    (tensor([7, 0], dtype=torch.int16), 4, [7, 0, 0, 0])
    """

    device = cpu
    is_cuda = False

    def __init__(self, content: Any = 0) -> None:
        if isinstance(content, int):
            content = np.zeros(content, np.uint8)
        elif isinstance(content, (list, tuple, bytes, bytearray)):
            content = np.array(list(content), np.uint8)
        if not isinstance(content, ndarray):
            raise TypeError(f"UntypedStorage: expected a number of bytes or a list of them, got "
                            f"{type(content).__name__}; a tensor's own is untyped_storage()")
        self._bytes = memory(content)

    def untyped(self) -> UntypedStorage:
        """Return the storage itself."""
        return self

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        return self._bytes.ctypes.data  # type: ignore[no-any-return]

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self._bytes.size

    size = __len__ = nbytes

    def element_size(self) -> int:
        """Return 1: the elements are bytes."""
        return 1

    def tolist(self) -> list[int]:
        """Return the bytes as a list."""
        return self._bytes.tolist()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if index.step not in (None, 1):
                raise RuntimeError(f"Trying to slice with a step of {index.step}, but only a step "
                                   f"of 1 is supported")
            return type(self)(self._bytes[index])
        return self._bytes[index].item()

    def __setitem__(self, index: Any, value: int) -> None:
        self._bytes[index] = value

    def fill_(self, value: int) -> UntypedStorage:
        """Set every byte."""
        self._bytes[:] = value
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> UntypedStorage:
        """Copy another storage of as many bytes into this one."""
        if source.nbytes() != self.nbytes():
            raise RuntimeError(f"size does not match, self was {self.nbytes()} bytes but src was "
                               f"{source.nbytes()} bytes")
        self._bytes[:] = source.untyped()._bytes
        return self

    def clone(self) -> UntypedStorage:
        """Return a copy of the bytes."""
        return type(self)(self._bytes.copy())

    def cpu(self) -> UntypedStorage:
        """Return the storage itself: it is on the CPU."""
        return self

    def resize_(self, size: int) -> None:
        """Refuse another size: NumPy's arrays keep theirs."""
        if size != self.nbytes():
            raise RuntimeError("Trying to resize storage that is not resizable: storages keep "
                               "their size here; use Tensor.resize_")

    def is_shared(self) -> bool:
        """Return False: no other process sees the memory."""
        return False

    is_pinned = is_shared

    def __repr__(self) -> str:
        lines = "".join(f" {value}\n" for value in self.tolist())
        return (f"{lines}[torch.storage.UntypedStorage(device=cpu) of size {len(self)}]")


class TypedStorage:
    """The memory of a tensor as a sequence of its numbers; deprecated, see `UntypedStorage`.

    >>> import minigrad as torch, warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     list(torch.ones(2, 2)[1].storage())
    [1.0, 1.0, 1.0, 1.0]
    """

    device = cpu
    is_cuda = is_sparse = False

    def __init__(self, content: Any = 0, *, wrap_storage: UntypedStorage | None = None,
                 dtype: Any = None) -> None:
        self.dtype = dtype = get_default_dtype() if dtype is None else to_dtype(dtype)
        if wrap_storage is None:
            made = (np.zeros(content, dtype.numpy) if isinstance(content, int) else
                    np.array(list(content), dtype.numpy))
            wrap_storage = UntypedStorage(made)
        self._storage = wrap_storage
        count = wrap_storage.nbytes() // dtype.itemsize
        self._numbers = wrap_storage._bytes[:count * dtype.itemsize].view(dtype.numpy)

    def untyped(self) -> UntypedStorage:
        """Return the same memory as bytes."""
        return self._storage

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return self._storage.data_ptr()

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self._storage.nbytes()

    def size(self) -> int:
        """Return the number of elements."""
        return self._numbers.size

    __len__ = size

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self.dtype.itemsize  # type: ignore[no-any-return]

    def tolist(self) -> list[Any]:
        """Return the elements as a list of numbers."""
        return self._numbers.tolist()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, int):
            raise RuntimeError(f"a storage is only indexed by int, got {type(index).__name__}")
        return self._numbers[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._numbers[index] = value

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element."""
        self._numbers[:] = value
        return self

    def is_shared(self) -> bool:
        """Return False: no other process sees the memory."""
        return False

    is_pinned = is_shared

    def __repr__(self) -> str:
        lines = "".join(f" {value}\n" for value in self.tolist())
        return (f"{lines}[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size "
                f"{len(self)}]")


def typed(tensor: Any) -> TypedStorage:
    """Return a tensor's memory as numbers of its dtype, with PyTorch's warning."""
    warnings.warn("TypedStorage is deprecated. It will be removed in the future and UntypedStorage "
                  "will be the only storage class. This should only matter to you if you are using "
                  "storages directly. To access UntypedStorage directly, use "
                  "tensor.untyped_storage() instead of tensor.storage()", UserWarning,
                  stacklevel=3)
    array = tensor._data
    return TypedStorage(wrap_storage=UntypedStorage(origin(tensor)), dtype=dtype_of(array))
