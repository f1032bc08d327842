"""The methods of Tensor that few programs call: memory, rare ops, what complex ones would need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _check
from ._absent import OF_TENSORS, Absent
from ._check import asked_format, integer, sizes, tensor
from ._device import contiguous_format, preserve_format
from ._methods import _inplace
from .engine import wrap
from .kernels.layout import stride_of, suggested
from .ops import copies, distance, draws, floats, histogram, inner, into, masked
from .storage import TypedStorage, UntypedStorage, memory, origin, window
from .storage import offset as storage_offset
from .views import storage_of, wrote


class RareMethods:
    """Base of Tensor."""

    _data: Any
    _origin: Any
    _storage: Any
    requires_grad: Any

    # ---- numbers
    frexp = floats.frexp
    ldexp = floats.ldexp
    nextafter = floats.nextafter
    nextafter_ = _inplace(floats.nextafter)
    angle = floats.angle
    isreal = floats.isreal

    def ldexp_(self, other: Any) -> Any:
        """In-place form of `ldexp`."""
        return self.mul_(2.0 ** tensor(other, "ldexp_", "other"))

    real = property(floats.real, doc="The tensor itself: it has no imaginary part.")
    imag = property(floats.imag, doc="Refused: the tensor has no imaginary part.")

    def conj(self) -> Any:
        """Return the tensor itself: it is its own conjugate."""
        return self

    conj_physical = conj_physical_ = resolve_conj = resolve_neg = conj

    def is_conj(self) -> bool:
        """Return False: no tensor is a conjugate view."""
        return False

    is_neg = is_conj

    # ---- what tensors of other kinds would answer
    is_distributed = is_shared = is_conj
    is_ipu = is_maia = is_mkldnn = is_mtia = is_sparse_csr = is_vulkan = is_xla = property(
        lambda self: False, doc="Always False: a dense tensor on the CPU.")
    name = property(lambda self: None, doc="None: tensors have no names.")

    def to_dense(self, dtype: Any = None, *, masked_grad: Any = None) -> Any:
        """Return the tensor itself (in another dtype if one is given): it is dense."""
        return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined]

    def sparse_dim(self) -> int:
        """Return 0: no dimension is sparse."""
        return 0

    def dense_dim(self) -> int:
        """Return the number of dimensions: all are dense."""
        return self._data.ndim  # type: ignore[no-any-return]

    def pin_memory(self, device: Any = None) -> Any:
        """Refuse: memory is pinned for an accelerator, and there is none."""
        raise RuntimeError("Cannot access accelerator device when none is available: pin_memory() "
                           "is for copies to a GPU, and minigrad computes on the CPU only")

    def const_data_ptr(self) -> int:
        """Return the address of the first element."""
        return self._data.ctypes.data  # type: ignore[no-any-return]

    # ---- pieces that are no views
    unsafe_chunk = inner.unsafe_chunk
    unsafe_split = inner.unsafe_split
    unsafe_split_with_sizes = inner.unsafe_split_with_sizes

    # ---- random
    geometric_ = draws.geometric_
    cauchy_ = draws.cauchy_
    log_normal_ = draws.log_normal_

    # ---- writing into parts
    select_scatter = into.select_scatter
    slice_scatter = into.slice_scatter
    diagonal_scatter = into.diagonal_scatter
    as_strided_scatter = into.as_strided_scatter
    index_reduce = into.index_reduce
    fill_diagonal_ = into.fill_diagonal_
    narrow_copy = copies.narrow_copy

    def index_reduce_(self, dim: int, index: Any, source: Any, reduce: str, *,
                      include_self: bool = True) -> Any:
        """In-place form of `index_reduce`."""
        return self.copy_(into.index_reduce(self.clone(), dim, index, source, reduce,
                                            include_self=include_self))

    renorm = distance.renorm

    def renorm_(self, p: float, dim: int, maxnorm: float) -> Any:
        """In-place form of `renorm`."""
        return self.copy_(distance.renorm(self.clone(), p, dim, maxnorm))

    histogram = histogram.histogram
    nonzero_static = masked.nonzero_static

    def apply_(self, callable: Callable[[Any], Any]) -> Any:
        """Replace every element by what a function of one number returns; slow, and no history."""
        return self._elementwise("apply_", callable)

    def map_(self, tensor: Any, callable: Callable[[Any, Any], Any]) -> Any:
        """Replace every element by a function of it and of the other tensor's; slow, no history."""
        return self._elementwise("map_", callable, tensor)

    def map2_(self, x: Any, y: Any, callable: Callable[[Any, Any, Any], Any]) -> Any:
        """Replace every element by a function of it and of two other tensors'; slow, no history."""
        return self._elementwise("map2_", callable, x, y)

    def _elementwise(self, name: str, function: Callable[..., Any], *others: Any) -> Any:
        if self.requires_grad:
            raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use "
                               f"var.detach().{name}() instead.")
        target = self._data
        columns = [np.broadcast_to(t._data, target.shape).ravel().tolist() for t in (self, *others)]
        values = [function(*row) for row in zip(*columns, strict=True)]
        target[...] = np.array(values, target.dtype).reshape(target.shape)
        wrote(self, name)
        return self

    # ---- memory
    def resize_(self, *args: Any, memory_format: Any = None) -> Any:
        """Give the tensor another shape, in place: its memory read row by row, grown if need be.

        What is new in grown memory is 0; tensors that shared the old memory keep it. Raises
        RuntimeError on tensors that require grad.

        >>> import minigrad as torch
        >>> torch.arange(4).resize_(2, 3)
        tensor([[0, 1, 2],
                [3, 0, 0]])
        """
        if self.requires_grad:
            raise RuntimeError("cannot resize variables that require grad; use reshape() or "
                               "detach() it first")
        shape = tuple(integer(n, "size") for n in sizes(args))
        asked = asked_format(memory_format) or contiguous_format
        if memory_format is preserve_format:
            raise RuntimeError("resize_: unsupported memory format Preserve; see resize_as_")
        if shape == self._data.shape:
            if memory_format is not None:
                self.set_(self, 0, shape, stride_of(shape, asked))
            return self
        array, self._origin = self._data, origin(self)
        block = memory(self._origin)
        begin, count = storage_offset(self) * array.itemsize, int(np.prod(shape, dtype=np.int64))
        steps = stride_of(shape, asked)
        if begin + count * array.itemsize > block.size:
            grown = np.zeros(begin + count * array.itemsize, np.uint8)
            grown[:block.size] = block
            block = self._origin = grown
        self._data = window(block, array.dtype, shape, steps, begin)
        wrote(self, "resize_")
        return self

    def resize_as_(self, the_template: Any, *, memory_format: Any = None) -> Any:
        """Give the tensor the shape of another one, in place: see `resize_`."""
        template = tensor(the_template, "resize_as_", "the_template")._data
        if memory_format is preserve_format:
            memory_format = suggested(template)
        return self.resize_(*template.shape, memory_format=memory_format)

    @_check.takes("source?")
    def set_(self, source: Any = None, storage_offset: int = 0, size: Any = None,
             stride: Any = None) -> Any:
        """Let the tensor show the memory of another one; without `source` it becomes empty.

        With size and stride (in elements) it shows that part of the other's memory.
        """
        if self.requires_grad:
            raise RuntimeError("set_: a tensor that requires grad cannot show other memory; detach "
                               "it, or assign to .data")
        if source is None:
            self._data, self._origin = np.empty(0, self._data.dtype), None
            return self
        if isinstance(source, (UntypedStorage, TypedStorage)):
            source = _all_of(source, self.dtype)
        if source._data.dtype != self._data.dtype:
            raise RuntimeError(f"set_: expected a source of dtype {self.dtype}, but got "
                               f"{source.dtype}; convert with .to()")
        shown = source.detach()
        if size is not None:
            steps = stride or stride_of(size, contiguous_format)
            shown = shown.as_strided(size, steps, shown.storage_offset() + storage_offset)
        self._data, self._storage, self._origin = shown._data, storage_of(shown), origin(shown)
        return self

    def new_empty_strided(self, size: Any, stride: Any, **options: Any) -> Any:
        """Return an unset tensor with this shape and these strides, in this tensor's dtype."""
        from .ops.fill import empty_strided

        options["dtype"] = options.get("dtype") or self.dtype
        return empty_strided(size, stride, **options)

    def dim_order(self, ambiguity_check: bool = False) -> tuple[int, ...]:
        """Return the dimensions from the largest stride to the smallest."""
        strides = self.stride()
        return tuple(sorted(range(len(strides)), key=lambda k: -strides[k]))


def _all_of(storage: UntypedStorage | TypedStorage, dtype: Any) -> Any:
    """Return a storage's memory as a flat tensor."""
    dtype, block = getattr(storage, "dtype", dtype), storage.untyped()._bytes
    return wrap(block[:block.size // dtype.itemsize * dtype.itemsize].view(dtype.numpy), None)


# A descriptor per absent name that says why: a __getattr__ would slow down every other lookup.
for _name in OF_TENSORS:
    setattr(RareMethods, _name, Absent(_name))
