"""Matrix products and what is built from them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import _check, _dtype
from ..engine import op
from ..kernels._product import VECTOR, many_products, matrix_product, two_products
from ..kernels._threads import one_blas_thread
from ..kernels.softmax import ones
from .shape import reshape, transpose

ndarray = np.ndarray
FEW = 4096  # elements of a matrix whose product is too short for anything but the product itself


# --------------------------------------------------------------------------------- common parts
def _mT(x: Any) -> Any:
    return x.swapaxes(-2, -1) if type(x) is ndarray else transpose(x, -2, -1)


def _rows(x: Any) -> Any:
    """Return a matrix of all rows: the leading dimensions joined."""
    return x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def product(a: ndarray, b: ndarray) -> ndarray:
    """Return the matrix product of arrays of one dtype; leading dimensions broadcast."""
    if a.dtype.kind == "f" and a.itemsize == 2:  # NumPy has no fast product of halves
        return product(a.astype(np.float32), b.astype(np.float32)).astype(a.dtype)
    if b.ndim <= 2:
        if a.ndim <= 2:
            if a.ndim == b.ndim == 2:
                return matrix_product(a, b)
            small = max(a.size, b.size) <= VECTOR
            return np.asarray(a.dot(b) if small else one_blas_thread(a.dot, b))
        if a.shape[-1] and b.ndim == 2:  # one large product instead of many small ones
            y = matrix_product(a.reshape(-1, a.shape[-1]), b)
            return y.reshape(*a.shape[:-1], b.shape[1])
    return many_products(a, b)


def _times(a: Any, b: Any) -> Any:
    """Return the matrix product inside of a rule: at once on arrays, as an op on tensors."""
    if type(a) is ndarray and type(b) is ndarray:
        return product(a, b)
    return matmul(a, b)


def check_same(name: str, a: ndarray, b: ndarray) -> None:
    """Refuse operands of different dtypes, and bools."""
    if a.dtype != b.dtype:
        raise RuntimeError(f"{name}: expected m1 and m2 to have the same dtype, but got: "
                           f"{_dtype.dtype_of(a)} != {_dtype.dtype_of(b)}; convert one with .to()")
    if a.dtype.kind == "b":
        raise NotImplementedError(f"{name} is not implemented for 'Bool'; convert with .int()")


def mismatch(*arrays: Any, **_: Any) -> Exception:
    """Explain why two arrays have no matrix product."""
    a, b = arrays[:2]
    if a.ndim == b.ndim == 1:
        return RuntimeError(f"inconsistent tensor size, expected tensor [{a.size}] and src "
                            f"[{b.size}] to have the same number of elements")
    if b.ndim == 1:
        return RuntimeError(f"size mismatch, got input ({a.shape[-2]}), mat ({a.shape[-2]}x"
                            f"{a.shape[-1]}), vec ({b.size}): the last size of the matrix must be "
                            f"the size of the vector")
    inner = b.shape[-2]
    if a.shape[-1] != inner:
        rows = a.size // max(a.shape[-1], 1)
        if b.ndim == 2:
            return RuntimeError(
                f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a.shape[-1]} and "
                f"{b.shape[0]}x{b.shape[1]}): tensors of shape {list(a.shape)} and "
                f"{list(b.shape)}; the last size of the first must be the first of the second")
        return RuntimeError(f"mat1 and mat2 shapes cannot be multiplied: tensors of shape "
                            f"{list(a.shape)} and {list(b.shape)}; the last size of the first "
                            f"({a.shape[-1]}) must be the second last of the second ({inner})")
    return _check.broadcast_error(np.empty(a.shape[:-2]), np.empty(b.shape[:-2]))


# --------------------------------------------------------------------------------------- matmul
def _left(g: Any, other: Any, input_shape: tuple[int, ...]) -> Any:
    """Return the gradient of the first factor: g @ other^T (the engine sums what was broadcast)."""
    if len(input_shape) == 1 and other.ndim > 1:
        g = _row(g)
    if other.ndim == 1:
        return _column(g) * other
    return _times(g, _mT(other))


def _right(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    """Return the gradient of the second factor: input^T @ g."""
    if input.ndim == 1:
        return _column(input) * _row(g) if len(other_shape) > 1 else input * g
    if len(other_shape) == 1:
        return _times(reshape(g, (-1,)), _rows(input))
    if len(other_shape) == 2:
        return _times(_mT(_rows(input)), _rows(g))
    return _times(_mT(input), g)


def _row(x: Any) -> Any:
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _column(x: Any) -> Any:
    return reshape(x, (*x.shape, 1))


def _matmul_name(input_shape: tuple[int, ...], other_shape: tuple[int, ...]) -> str:
    """Return the name of the last step of PyTorch's decomposition."""
    names = {(1, 1): "Dot", (2, 1): "Mv", (1, 2): "Squeeze", (2, 2): "Mm"}
    ranks = (len(input_shape), len(other_shape))
    if ranks == (1, 2):
        return "SqueezeBackward4"
    return ("CloneBackward0" if ranks[0] == 2 and ranks[1] > 2 else
            names.get(ranks, "UnsafeView") + "Backward0")


@op(input=_left, other=_right, shown=_matmul_name, explain=mismatch)
def matmul(input: Any, other: Any) -> Any:
    """Return the matrix product of the last two dimensions; leading ones broadcast.

    A vector on the left is a row and on the right a column, whose dimension disappears again. Both
    operands must have one dtype; sizes that do not fit raise RuntimeError.

    >>> import minigrad as torch
    >>> torch.matmul(torch.tensor([[1., 2.], [3., 4.]]), torch.tensor([1., 1.]))
    tensor([3., 7.])
    """
    if type(input) is not ndarray or type(other) is not ndarray:
        bad = other if type(input) is ndarray else input
        raise TypeError(f"matmul(): both arguments must be Tensor, not {type(bad).__name__}")
    if input.dtype is not other.dtype or input.dtype.kind == "b":
        check_same("matmul", input, other)
    if not (input.ndim and other.ndim):
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are "
                           f"{input.ndim}D and {other.ndim}D; use * for numbers")
    return product(input, other)


def _ranked(name: str, message: str, a: ndarray, b: ndarray, ranks: tuple[int, int]) -> ndarray:
    """Check the ranks and dtypes of two factors; return their product."""
    if (a.ndim, b.ndim) != ranks:
        raise RuntimeError(f"{message}, got {a.ndim}D and {b.ndim}D tensors ({name})")
    check_same(name, a, b)
    if ranks == (3, 3) and (a.shape[0], a.shape[2]) != b.shape[:2]:
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: "
                           f"[{a.shape[0]}, {a.shape[2]}] but got: {list(b.shape[:2])}. ({name})")
    return product(a, b)


@op(input=lambda g, mat2: _times(g, _mT(mat2)), mat2=lambda g, input: _times(_mT(input), g),
    explain=mismatch)
def mm(input: Any, mat2: Any) -> Any:
    """Return the product of two matrices (no broadcasting)."""
    return _ranked("mm", "self must be a matrix and mat2 must be a matrix", input, mat2, (2, 2))


@op(input=lambda g, mat2: _times(g, _mT(mat2)), mat2=lambda g, input: _times(_mT(input), g))
def bmm(input: Any, mat2: Any) -> Any:
    """Return the products of two batches of matrices: (b, n, k) @ (b, k, m)."""
    return _ranked("bmm", "batch1 must be a 3D tensor and batch2 must be a 3D tensor", input, mat2,
                   (3, 3))


@op(input=lambda g, vec: _column(g) * vec, vec=lambda g, input: _times(g, input), explain=mismatch)
def mv(input: Any, vec: Any) -> Any:
    """Return the product of a matrix and a vector."""
    return _ranked("mv", "vector + matrix @ vector expected", input, vec, (2, 1))


@op(input=lambda g, tensor: g * tensor, tensor=lambda g, input: g * input, explain=mismatch)
def dot(input: Any, tensor: Any) -> Any:
    """Return the sum of the products of two vectors' elements.

    >>> import minigrad as torch
    >>> torch.dot(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor(11.)
    """
    return _ranked("dot", "1D tensors expected", input, tensor, (1, 1))


@op(input=lambda g, other: g * other, other=lambda g, input: g * input, explain=mismatch)
def vdot(input: Any, other: Any) -> Any:
    """Return the dot product of two (real) vectors."""
    return _ranked("vdot", "1D tensors expected", input, other, (1, 1))


# --------------------------------------------------------------------------------------- linear
def _linear_name(y_shape: tuple[int, ...], bias_shape: tuple[int, ...]) -> str:
    rank = len(y_shape)
    if bias_shape:
        return "AddmmBackward0" if rank == 2 else "ViewBackward0"
    return {1: "SqueezeBackward4", 2: "MmBackward0"}.get(rank, "UnsafeViewBackward0")


def _linear_error(x: ndarray, w: ndarray, b: Any) -> Exception:
    if x.shape[-1] != w.shape[1]:
        rows = x.size // max(x.shape[-1], 1)
        return RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and {w.shape[1]}x"
            f"{w.shape[0]}): linear expected {w.shape[1]} features in the last dimension of the "
            f"input, got input shape {list(x.shape)} with weight shape {list(w.shape)}")
    return RuntimeError(f"The expanded size of the tensor ({w.shape[0]}) must match the existing "
                        f"size ({b.shape[-1] if b.ndim else 0}) of the bias: linear expected a "
                        f"bias of shape [{w.shape[0]}], got {list(b.shape)}")


def _linear_input(g: Any, weight: Any) -> Any:
    return _times(g, weight)


def _linear_weight(g: Any, input: Any) -> Any:
    return _times(_mT(_rows(g)), _rows(input)) if input.ndim > 1 else _column(g) * input


@op(input=_linear_input, weight=_linear_weight, bias=lambda g: g, shown=_linear_name,
    explain=_linear_error)
def _linear(input: Any, weight: Any, bias: Any = None) -> Any:
    if input.dtype is not weight.dtype:
        check_same("linear", input, weight)
    rank, size = input.ndim, input.size
    if rank > 1 and size and input.itemsize > 2:
        rows = input if rank == 2 else input.reshape(-1, input.shape[-1])
        outputs = len(weight)
        if size <= FEW >= weight.size and len(rows) * outputs <= FEW:
            # with 64 columns and more OpenBLAS takes longer for a transposed factor than NumPy
            # to copy it and OpenBLAS then: (32, 64) @ (64, 64) 5.6 and 4.5 us
            y = rows.dot(weight.T if outputs < 64 else weight.T.copy())
        else:
            y = matrix_product(rows, weight.T)
    else:
        y = product(input, weight.T)
    if bias is not None:
        if bias.dtype is not y.dtype:
            check_same("linear", y, bias)
        if bias.ndim > 1:
            y = y.reshape(*input.shape[:-1], len(weight))
        y += bias
    return y if y.ndim == rank else y.reshape(*input.shape[:-1], len(weight))


@_linear.fused  # type: ignore[attr-defined]
def _linear_backward(g: Any, input: Any, weight: Any, bias_shape: Any, needs: Any) -> Any:
    """Return all gradients: what the rules say, with the questions that they share asked once."""
    first, second, third = needs
    rank = g.ndim
    if rank < 2 or g.itemsize < 4 or not g.size:
        return (_linear_input(g, weight) if first else None,
                _linear_weight(g, input) if second else None, g)
    rows: Any = g
    x: Any = input  # None if `second` is False, as weight is if `first` is
    if rank > 2:
        rows = g.reshape(-1, g.shape[-1])
        x = input.reshape(len(rows), input.shape[-1]) if second else None
    n, outputs = rows.shape
    inputs = weight.shape[1] if first else x.shape[1] if second else 0
    small = n * outputs <= FEW >= n * inputs and inputs * outputs <= FEW
    dx: Any = None
    dw = db = None
    if small:  # at most FEW ** 1.5 multiplications
        dx = rows.dot(weight) if first else None
        dw = rows.T.dot(x) if second else None
    elif first and second:
        dx, dw = two_products(rows, weight, rows.T, x)
    elif first:
        dx = matrix_product(rows, weight)
    elif second:
        dw = matrix_product(rows.T, x)
    if rank > 2 and first:
        dx = dx.reshape(*g.shape[:-1], inputs)
    if not third:
        return dx, dw, None
    if bias_shape != (outputs,):
        db = g  # the engine sums over what was broadcast
    else:
        one = ones(n, g.dtype)  # a product with ones is faster than NumPy's sum
        db = one.dot(rows) if small else one_blas_thread(one.dot, rows)
    return dx, dw, db


LINEAR = _linear.op  # type: ignore[attr-defined]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """Return `input @ weight^T + bias`: (..., in) with (out, in) and (out,) gives (..., out).

    >>> import minigrad as torch
    >>> torch.nn.functional.linear(torch.ones(1, 2), torch.tensor([[1., 2.]]), torch.ones(1))
    tensor([[4.]])
    """
    try:
        if weight._data.ndim == 2 and input._data.ndim:
            return LINEAR.run(input, weight, bias)
    except AttributeError:
        _check.tensors("linear", input=input, weight=weight)
        raise
    if weight.ndim == 1:
        y = matmul(input, weight)
        return y if bias is None else y + bias
    raise RuntimeError(f"linear(): expected a weight of shape (out, in) or (in,) and an input of "
                       f"at least 1 dimension, got {list(weight.shape)} and {list(input.shape)}")
