"""The methods of Tensor that say what it is, change its dtype, copy it or hand it to others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import _check, _dtype, storage
from ._check import dim as check_dim
from ._check import tensor
from ._device import check_memory_format, contiguous_format, preserve_format
from .kernels.layout import has_format, stride_of
from .ops import convert, create, shape


def _own_dim(dim: int, ndim: int) -> int:
    """Return a dimension that exists in [0, ndim): 0-d tensors have none, even for 0 and -1."""
    found = check_dim(dim, ndim)
    if not ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return found


class InfoMethods:
    """Base of Tensor: see the module's docstring."""

    # ---- what the array is
    is_leaf: Any
    grad: Any
    grad_fn: Any
    requires_grad: Any
    _data: Any
    _node: Any
    _origin: Any = None  # detached views: the array at whose beginning their memory begins

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self._data.ndim  # type: ignore[no-any-return]

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one dimension."""
        found = self._data.shape
        return _dtype.as_size(found) if dim is None else found[_own_dim(dim, len(found))]

    def stride(self, dim: int | None = None) -> Any:
        """Return how many elements lie between neighbours of each dimension, or of one."""
        array = self._data
        steps = tuple(s // array.itemsize for s in array.strides) if array.size else stride_of(
            array.shape, contiguous_format)
        return steps if dim is None else steps[_own_dim(dim, len(steps))]

    def numel(self) -> int:
        """Return the number of elements."""
        return self._data.size  # type: ignore[no-any-return]

    nelement = numel

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self._data.itemsize  # type: ignore[no-any-return]

    itemsize = property(lambda self: self._data.itemsize, doc="The bytes of one element.")
    nbytes = property(lambda self: self._data.size * self._data.itemsize,
                      doc="The bytes of all elements.")

    def data_ptr(self) -> int:
        """Return the address of the first element, 0 if there is none."""
        return self._data.ctypes.data if self._data.size else 0

    def is_contiguous(self, *, memory_format: Any = None) -> bool:
        """Return True if the memory is row-major (or of another format) without gaps."""
        if memory_format is not None:
            check_memory_format(memory_format)
            return has_format(self._data, memory_format)
        return self._data.flags.c_contiguous  # type: ignore[no-any-return]

    def is_floating_point(self) -> bool:
        """Return True for float16, float32 and float64."""
        return self._data.dtype.kind == "f"  # type: ignore[no-any-return]

    def is_complex(self) -> bool:
        """Return False: there are no complex tensors."""
        return False

    def is_signed(self) -> bool:
        """Return True if the dtype has negative numbers."""
        return self._data.dtype.kind in "if"

    def is_same_size(self, other: Any) -> bool:
        """Return True if the shapes are equal."""
        return self._data.shape == tensor(other, "is_same_size", "other")._data.shape  # type: ignore[no-any-return]

    def storage_offset(self) -> int:
        """Return at which element of the memory that it shares the tensor begins."""
        return storage.offset(self)

    def untyped_storage(self) -> storage.UntypedStorage:
        """Return the block of memory that the tensor and its views share."""
        return storage.UntypedStorage(storage.origin(self))

    def storage(self) -> storage.TypedStorage:
        """Return that block as numbers; deprecated, see `untyped_storage`."""
        return storage.typed(self)

    def cuda(self, device: Any = None, non_blocking: Any = False) -> Any:
        """Refuse: there is no GPU."""
        raise AssertionError("Torch not compiled with CUDA enabled: minigrad computes on the CPU")

    def get_device(self) -> int:
        """Return -1: the tensor is on the CPU."""
        return -1

    def is_pinned(self) -> bool:
        """Return False: no memory is pinned for an accelerator."""
        return False

    def is_set_to(self, tensor: Any) -> bool:
        """Return True if both are the same view of the same memory."""
        a, b = self._data, tensor._data
        return (a.ctypes.data, a.shape, a.strides, a.dtype) == (  # type: ignore[no-any-return]
            b.ctypes.data, b.shape, b.strides, b.dtype)

    # ---- on the tape
    @property
    def output_nr(self) -> int:
        """Which of its function's outputs the tensor is: 0 unless that has several."""
        return getattr(self._node, "index", 0)

    def _kind_of_grad(self) -> Any:
        # not by vars(self): Python's lookup of attributes is slower once it has made the dict
        return self._data.dtype if self._grad_dtype is ... else self._grad_dtype

    @property
    def grad_dtype(self) -> Any:
        """The dtype of a leaf's `.grad`: settable, the tensor's own by default.

        With None, `.grad` may be set to a tensor of any dtype.
        """
        if not self.is_leaf:
            raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
        found = self._kind_of_grad()
        return None if found is None else _dtype.from_numpy[found]

    @grad_dtype.setter
    def grad_dtype(self, value: Any) -> None:
        if not self.is_leaf:
            raise RuntimeError("grad_dtype can only be set on leaf tensors.")
        if value is not None and (not isinstance(value, _dtype.dtype) or value.numpy.kind != "f"):
            raise TypeError(f"grad_dtype must be a floating point dtype or None, got {value!r}")
        kind = None if value is None else value.numpy
        if self.grad is not None and kind is not None and self.grad._data.dtype != kind:
            raise RuntimeError(f"grad_dtype: .grad exists already, as {self.grad.dtype}")
        self._grad_dtype = kind
        if self._node is not None:
            self._node.dtype = kind or self._data.dtype

    # ---- transposed
    @property
    def T(self) -> Any:
        """The tensor with its dimensions in reverse order; meant for matrices."""
        if self._data.ndim not in (1, 2):
            warnings.warn("Tensor.T on tensors of other than 2 dimensions is deprecated: use mT "
                          "for matrices, or permute", UserWarning, stacklevel=2)
        return shape.permute(self, tuple(range(self._data.ndim))[::-1])

    @property
    def mT(self) -> Any:
        """The tensor with its last two dimensions swapped."""
        if self._data.ndim < 2:
            raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. "
                               f"Got {self._data.ndim}-D tensor.")
        return shape.transpose(self, -2, -1)

    mH = property(lambda self: self.mT, doc="The conjugate transpose: `mT` of a real tensor.")

    @property
    def H(self) -> Any:
        """The conjugate transpose of a matrix: its transpose, as it is real."""
        if self._data.ndim not in (0, 2):
            raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got "
                               f"{self._data.ndim}-D tensor; use mH for batches.")
        return shape.transpose(self, 0, 1) if self._data.ndim else self

    real = property(lambda self: self, doc="The tensor itself, as it is real.")

    def conj(self) -> Any:
        """Return the tensor itself, as it is real."""
        return self

    # ---- copies, and the way to other libraries
    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return create.from_numpy(np.asarray(array))

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()

    # ---- dtype
    to = convert.to
    type = convert.type_

    @_check.takes("other")
    def type_as(self, other: Any) -> Any:
        """Return the tensor in another tensor's dtype."""
        return convert.as_type(self, other._data.dtype)

    def float(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as float32."""
        return convert.to(self, _dtype.float32, memory_format=memory_format)

    def double(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as float64."""
        return convert.to(self, _dtype.float64, memory_format=memory_format)

    def half(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as float16."""
        return convert.to(self, _dtype.float16, memory_format=memory_format)

    def long(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as int64."""
        return convert.to(self, _dtype.int64, memory_format=memory_format)

    def int(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as int32."""
        return convert.to(self, _dtype.int32, memory_format=memory_format)

    def short(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as int16."""
        return convert.to(self, _dtype.int16, memory_format=memory_format)

    def char(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as int8."""
        return convert.to(self, _dtype.int8, memory_format=memory_format)

    def byte(self, memory_format: Any = preserve_format) -> Any:
        """Return the tensor as uint8."""
        return convert.to(self, _dtype.uint8, memory_format=memory_format)

    def bool(self, memory_format: Any = preserve_format) -> Any:
        """Return True where the elements are not zero."""
        return convert.to(self, _dtype.bool_, memory_format=memory_format)

    def cpu(self) -> Any:
        """Return the tensor itself: it is on the CPU."""
        return self
