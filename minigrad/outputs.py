"""`out=`: writing results into tensors that callers give, with PyTorch's rules for what fits."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from . import engine
from .modes import state
from .storage import extent
from .versions import overlapping
from .views import wrote

ndarray = np.ndarray

# Ops whose out= must have the result's own dtype; the others cast within a category.
_EXACT = """
    abs addbmm addmm addmv alias_copy all amax amin aminmax any argmax argmin as_strided_copy
    baddbmm bmm bucketize ceil conj_physical cross cummax cummin det diag diagonal_copy dot
    eigh eigvalsh expand_copy floor frac gather gelu hardshrink heaviside histc histogram
    index_add index_copy index_reduce index_select inv isin isneginf isposinf kthvalue
    linalg_cross linalg_norm linalg_vector_norm log_softmax logcumsumexp logsigmoid lu lu_solve
    lu_unpack masked_select matmul matrix_norm mm mode msort multi_dot multinomial mv nan_to_num
    nanquantile neg nonzero norm ormqr permute_copy qr quantile renorm round scatter scatter_add
    scatter_reduce searchsorted sgn sign signbit slice_scatter slogdet softmax softplus
    softshrink solve solve_triangular sort squeeze_copy svd svdvals t_copy take take_along_dim
    tensordot topk transpose_copy triangular_solve tril triu trunc unbind_copy unfold_copy
    unsqueeze_copy vdot vecdot vector_norm view_copy where
"""
EXACT = frozenset(_EXACT.split())
# Ops that may write over parts of what they read: they are done with it before. The others raise.
_OVER_INPUTS = """
    alias_copy all amax amin aminmax any argmax argmin as_strided_copy bmm cholesky cholesky_ex
    cholesky_inverse cholesky_solve cond cummax cummin det diag diagonal_copy dot eigh eigvalsh
    expand_copy geqrf histc histogram householder_product inner inv linalg_pinv linalg_norm
    linalg_vector_norm log_softmax logsigmoid logsumexp lstsq lu lu_solve lu_unpack matmul
    matrix_norm matrix_power max mean median min mm multi_dot mv mvlgamma nanmean nanmedian
    nanquantile nansum ndtr norm ormqr permute_copy pinv prod qr quantile slice_scatter softmax
    solve solve_triangular squeeze_copy std std_mean sum svd svdvals tensordot tensorinv
    tensorsolve transpose_copy triangular_solve tril triu unbind_copy unfold_copy unsqueeze_copy
    var var_mean vdot vecdot vector_norm view_copy
"""
OVER_INPUTS = frozenset(_OVER_INPUTS.split())
# Ops that refuse even the input itself as out=.
NOT_ITSELF = frozenset({"cross", "linalg_cross", "gather", "index_select", "take", "take_along_dim",
                        "masked_select", "kthvalue", "scatter", "scatter_add"})


def into(name: str, made: Any, out: Any, args: Any = ()) -> Any:
    """Write a result (or a tuple of them) into `out`, a tensor (or as many); return `out`.

    `args` are the op's arguments. RuntimeError if autograd would have to record the write, if the
    dtype does not fit, or if the memory is that of an argument.
    """
    Tensor = engine.Tensor
    if isinstance(made, (tuple, list)):
        if not isinstance(out, (tuple, list)) or len(out) != len(made):
            raise TypeError(f"{name}(): argument 'out' must be a tuple of {len(made)} Tensors")
        pairs = list(zip(made, out, strict=True))
    else:
        pairs = [(made, out)]
    for _, target in pairs:
        if not isinstance(target, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not "
                            f"{type(target).__name__}")
    given = [t for a in args for t in (a if isinstance(a, (tuple, list)) else [a])
             if isinstance(t, Tensor)]
    if state.grad and any(t.requires_grad for pair in pairs for t in (*pair, *given)):
        raise RuntimeError(f"{name}(): functions with out=... arguments don't support "
                           f"automatic differentiation, but one of the arguments requires "
                           f"grad; drop out= or use no_grad()")
    for one, target in pairs:
        write(name, one._data, target, given)
    return out


def write(name: str, y: ndarray, target: Any, given: Any = (), warn: bool = True) -> None:
    """Write an array into a tensor, which takes its shape."""
    _check_dtype(name, y, target)
    if target._data.shape != y.shape:
        if target._data.size and warn:
            warnings.warn(f"An output with one or more elements was resized since it had shape "
                          f"{list(target._data.shape)}, which does not match the required output "
                          f"shape {list(y.shape)}: {name}() was given another tensor. Resize it "
                          f"before by out.resize_(0), or give one of the right shape.", UserWarning,
                          stacklevel=_outside())
        target.resize_(y.shape)
    if not target._data.flags.writeable or overlapping(target._data):
        raise RuntimeError(
            f"unsupported operation: more than one element of the written-to tensor refers to a "
            f"single memory location: {name}() would write into an out= whose memory is shared by "
            f"several elements (expand) or read-only; clone() it first")
    if name not in OVER_INPUTS and any(_overlap(name, target, t) for t in given):
        raise RuntimeError(
            f"unsupported operation: some elements of the input tensor and the written-to tensor "
            f"refer to a single memory location: out= of {name}() lies in the memory of an "
            f"argument; clone() that one first")
    target._data[...] = y
    wrote(target, name)


def _check_dtype(name: str, y: ndarray, target: Any) -> None:
    Tensor, found = engine.Tensor, target._data.dtype
    if y.dtype == found:
        return
    if name in EXACT:
        wanted, got = Tensor._type_name(y.dtype).lower(), Tensor._type_name(found).lower()
        raise RuntimeError(f"Expected out tensor to have dtype {wanted}, but got {got} instead: "
                           f"{name}() does not convert what it writes into out=")
    if not Tensor._can_cast(y.dtype, found):
        raise RuntimeError(f"{name}(): result type {Tensor._type_name(y.dtype)} can't be cast to "
                           f"the desired output type {Tensor._type_name(found)}; give an out= of "
                           f"another dtype")


def _overlap(name: str, target: Any, given: Any) -> bool:
    """Tell whether two dense tensors share a part of their memory (or all, where that matters)."""
    a, b = target._data, given._data
    if not (a.size and b.size and _dense(a) and _dense(b)):
        return False
    (low, high), (first, last) = extent(a), extent(b)
    if (low, high) == (first, last) and a.strides == b.strides:
        return name in NOT_ITSELF
    return low < last and first < high


def _dense(array: ndarray) -> bool:
    order = sorted(range(array.ndim), key=lambda k: -abs(array.strides[k]))
    return array.transpose(order).flags.c_contiguous


def _outside() -> int:
    """Return how many calls above `write` the first one outside of minigrad is."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("minigrad"):
        frame, level = frame.f_back, level + 1
    return level
