"""The methods of Tensor for shapes, dtypes, indexing and products: one line each where possible.

`name = family.op` makes the op a method; `name_ = _inplace(family.op)` its in-place form. What
takes sizes as `f(2, 3)` or `f((2, 3))` is a short method of its own. `_methods_math.py` has the
rest.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from . import _dtype
from ._check import sizes, tensor
from .engine import apply
from .ops import (
    arrange,
    convert,
    create,
    decompose,
    fill,
    index,
    join,
    linalg,
    lu,
    masked,
    matrix_functions,
    products,
    random,
    rank,
    reduce,
    repeat,
    shape,
    slicing,
    spectral,
    strided,
    triangular,
)
from .ops import cross as vectors
from .ops import scatter as at
from .ops import scatter_reduce as reducing
from .reshaping import reshaped
from .views import inplace


def _inplace(function: Any) -> Callable[..., Any]:
    """Return the in-place form of an op: it writes into the tensor and returns it."""

    def method(self: Any, *args: Any, **given: Any) -> Any:
        return inplace(function, (self, *args), given)

    update_wrapper(method, function)
    method.__name__ = method.__qualname__ = function.op.name + "_"
    method.__doc__ = f"In-place form of `{function.op.name}`.\n\n{function.__doc__}"
    return method


class Methods:
    """Base of Tensor: one line per method, grouped by the files of `ops`."""

    _data: Any

    # ---- writing
    def copy_(self, src: Any, non_blocking: Any = False) -> Any:
        """Write another tensor's values into this one: broadcast, and cast to its dtype."""
        if getattr(getattr(src, "_data", None), "ndim", 0) > self._data.ndim:
            raise RuntimeError(f"output with shape {list(self._data.shape)} doesn't match the "
                               f"broadcast shape {list(src._data.shape)}; reshape the source")
        return inplace(convert.copy, (self, src))

    def fill_(self, value: Any) -> Any:
        """Write a number into every element."""
        if hasattr(value, "_data"):
            if value._data.ndim:
                raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor "
                                   f"with {value._data.ndim} dimensions.")
            return inplace(convert.fill_with, (self, value))
        if not isinstance(value, (numbers.Real, np.number)):
            raise TypeError(f"fill_(): argument 'value' must be a number or a 0-d Tensor, not "
                            f"{type(value).__name__}")
        return inplace(convert.fill, (self, value))

    zero_ = _inplace(convert.zero)

    uniform_ = random.uniform_
    normal_ = random.normal_
    bernoulli_ = random.bernoulli_
    exponential_ = random.exponential_
    random_ = random.random_
    bernoulli = random.bernoulli
    multinomial = random.multinomial

    # ---- shape
    def view(self, *size: Any) -> Any:
        """Return the same memory under another shape, or read as another dtype."""
        if len(size) == 1 and isinstance(size[0], _dtype.dtype):
            kind = size[0].numpy
            if kind == self._data.dtype:
                return shape.view(self, self._data.shape)
            return convert.view_bits(self, kind)
        if not size:
            raise TypeError("view() needs a shape or a dtype")
        return apply(shape.VIEW, (self, sizes(size)))

    def reshape(self, *shape_: Any) -> Any:
        """Return the elements under another shape: a view if possible, else a copy."""
        return shape.reshape_to(self, self._data, sizes(shape_))

    def view_as(self, other: Any) -> Any:
        """Return the same memory under another tensor's shape."""
        return shape.view(self, tensor(other, "view_as", "other")._data.shape)

    def reshape_as(self, other: Any) -> Any:
        """Return the elements under another tensor's shape."""
        return shape.reshape(self, tensor(other, "reshape_as", "other")._data.shape)

    def permute(self, *dims: Any) -> Any:
        """Return a view with the dimensions in the order `dims`."""
        return shape.permute(self, sizes(dims))

    def expand(self, *size: Any) -> Any:
        """Return a view in which dimensions of size 1 are repeated."""
        return shape.expand(self, sizes(size))

    def expand_as(self, other: Any) -> Any:
        """Return a view of another tensor's shape in which dimensions of size 1 are repeated."""
        return shape.expand(self, tensor(other, "expand_as", "other")._data.shape)

    def sum_to_size(self, *size: Any) -> Any:
        """Sum over the dimensions that broadcasting from `size` to this shape would add."""
        size, own = sizes(size), self._data.shape
        extra = len(own) - len(size)
        if extra < 0 or any(s not in (1, n) for s, n in zip(size, own[extra:], strict=True)):
            raise RuntimeError(f"size {list(size)} is not expandable to size {list(own)}.")
        if not size:
            return reduce.sum(self)
        axes = [i for i, n in enumerate(own) if i < extra or size[i - extra] != n]
        if not axes:
            return self
        summed = reduce.sum(self, axes, True)
        return shape.view(summed, size) if extra else summed

    def unflatten(self, dim: Any, sizes_: Any) -> Any:
        """Split one dimension into several; one of the sizes may be -1."""
        return shape.unflatten(self, dim, sizes_)

    flatten = shape.flatten
    ravel = shape.ravel
    contiguous = shape.contiguous
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    transpose = shape.transpose
    swapaxes = shape.swapaxes
    swapdims = shape.swapdims
    t = shape.t
    adjoint = shape.adjoint
    movedim = moveaxis = shape.movedim

    def broadcast_to(self, *size: Any) -> Any:
        """Return a view in which dimensions of size 1 are repeated until the shape is `size`."""
        return shape.broadcast_to(self, sizes(size))

    split = join.split
    split_with_sizes = join.split_with_sizes
    chunk = join.chunk
    tensor_split = join.tensor_split
    hsplit = join.hsplit
    vsplit = join.vsplit
    dsplit = join.dsplit
    unbind = join.unbind
    select = slicing.select
    narrow = slicing.narrow

    tril = arrange.tril
    triu = arrange.triu
    tril_ = _inplace(arrange.tril)
    triu_ = _inplace(arrange.triu)
    fliplr = arrange.fliplr
    flipud = arrange.flipud
    rot90 = arrange.rot90
    roll = arrange.roll
    diag = arrange.diag
    diagflat = arrange.diagflat
    diagonal = arrange.diagonal
    diag_embed = arrange.diag_embed
    unfold = arrange.unfold
    as_strided = strided.as_strided
    as_strided_ = strided.as_strided_
    repeat_interleave = repeat.repeat_interleave

    def flip(self, *sizes_: Any, dims: Any = None) -> Any:
        """Return a copy with the order reversed along the given dimensions."""
        return arrange.flip(self, sizes(sizes_) if dims is None else dims)

    def repeat(self, *sizes_: Any) -> Any:
        """Return the tensor repeated as a whole along each dimension."""
        return repeat.repeat(self, sizes(sizes_))

    def tile(self, *dims: Any) -> Any:
        """Return the tensor repeated along each dimension; missing leading repeats are 1."""
        return repeat.tile(self, sizes(dims))

    # ---- in place, without moving memory
    def squeeze_(self, dim: Any = None) -> Any:
        """Remove dimensions of size 1 from this tensor itself."""
        return reshaped(self, shape.squeeze, dim)

    def unsqueeze_(self, dim: Any) -> Any:
        """Insert a dimension of size 1 into this tensor itself."""
        return reshaped(self, shape.unsqueeze, dim)

    def transpose_(self, dim0: Any, dim1: Any) -> Any:
        """Swap two dimensions of this tensor itself."""
        return reshaped(self, shape.transpose, dim0, dim1)

    swapaxes_ = swapdims_ = transpose_

    def t_(self) -> Any:
        """Transpose this matrix itself."""
        return reshaped(self, shape.t)

    # ---- at indices
    gather = at.gather
    scatter = at.scatter
    scatter_ = at.scatter_
    scatter_add = at.scatter_add
    scatter_add_ = _inplace(at.scatter_add)
    scatter_reduce = reducing.scatter_reduce
    scatter_reduce_ = reducing.scatter_reduce_
    index_select = at.index_select
    index_add = at.index_add
    index_add_ = _inplace(at.index_add)
    index_copy = at.index_copy
    index_copy_ = _inplace(at.index_copy)
    index_fill = at.index_fill
    index_fill_ = _inplace(at.index_fill)
    take = at.take
    put = at.put
    put_ = _inplace(at.put)
    take_along_dim = at.take_along_dim
    index_put = index.put_index
    index_put_ = index.put_index_
    masked_select = masked.masked_select
    masked_scatter = masked.masked_scatter
    masked_scatter_ = _inplace(masked.masked_scatter)
    nonzero = masked.nonzero
    argwhere = masked.argwhere

    # ---- new tensors like this one
    def new(self, *args: Any, device: Any = None) -> Any:
        """Return a tensor of this dtype, made as by the legacy constructors."""
        kind = _dtype.from_numpy[self._data.dtype]
        return create.TensorType("new", kind)(*args, device=device)

    def new_tensor(self, data: Any, *, dtype: Any = None, device: Any = None,
                   requires_grad: Any = False) -> Any:
        """Return a tensor of the data, in this tensor's dtype unless one is given."""
        kind = _dtype.from_numpy[self._data.dtype] if dtype is None else dtype
        return create.tensor(data, dtype=kind, device=device, requires_grad=requires_grad)

    new_zeros = fill.new_zeros
    new_ones = fill.new_ones
    new_empty = fill.new_empty
    new_full = fill.new_full

    # ---- products
    matmul = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    vdot = linalg.vdot
    inner = products.inner
    outer = ger = products.outer
    addmm = products.addmm
    addmm_ = _inplace(products.addmm)
    addbmm = products.addbmm
    addbmm_ = _inplace(products.addbmm)
    baddbmm = products.baddbmm
    baddbmm_ = _inplace(products.baddbmm)
    addmv = products.addmv
    addmv_ = _inplace(products.addmv)
    addr = products.addr
    addr_ = _inplace(products.addr)
    kron = products.kron
    trace = products.trace
    det = decompose.det
    logdet = decompose.logdet
    slogdet = decompose.slogdet_pair
    svd = spectral.svd_by_columns
    qr = decompose.qr_by_some
    inverse = decompose.inverse
    pinverse = rank.pinverse
    cholesky = triangular.lower_or_upper
    cholesky_inverse = triangular.cholesky_inverse
    cholesky_solve = triangular.cholesky_solve
    triangular_solve = triangular.triangular_solve
    lu_solve = lu.lu_solve_legacy
    lu = lu.lu_legacy
    cross = vectors.cross
    matrix_power = decompose.matrix_power
    matrix_exp = matrix_functions.matrix_exp
    geqrf = matrix_functions.geqrf
    orgqr = matrix_functions.orgqr
    ormqr = matrix_functions.ormqr
