"""Products built from matrix products: outer, addmm, tensordot, kron, chains."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import op
from ..outputs import into
from .arrange import put_diagonal
from .elementwise import mul
from .linalg import _column, _mT, _row, _times, check_same, mismatch, mm, product
from .reduce import sum
from .shape import expand, permute, reshape, unsafe_view, view

ndarray = np.ndarray


# ------------------------------------------------------------------------------ vectors
def outer(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """Return the matrix of all products of two vectors' elements.

    >>> import minigrad as torch
    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    for name, x in (("self", input), ("vec2", vec2)):
        if x.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x.ndim}-D")
    y = mul(reshape(input, (-1, 1)), vec2)
    return y if out is None else into("outer", y, out, (input, vec2))


def ger(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """Another name of `outer`."""
    return outer(input, vec2, out=out)


@_check.takes("input", "other")
def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the sums of products over the last dimensions; numbers multiply.

    >>> import minigrad as torch
    >>> torch.inner(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor(11.)
    """
    if not (input.ndim and other.ndim):
        y = mul(input, other)
    elif input.shape[-1] != other.shape[-1]:
        raise RuntimeError(f"inner() the last dimension must match on both input tensors but got "
                           f"shapes {list(input.shape)} and {list(other.shape)}")
    else:
        y = tensordot(input, other, ([-1], [-1]))
    return y if out is None else into("inner", y, out, (input, other))


# ------------------------------------------------------- beta * input + alpha * product
def _scaled(x: Any, factor: float) -> Any:
    return x if factor == 1 else x * factor


def _added(name: str, input: ndarray, y: ndarray, beta: float, alpha: float) -> ndarray:
    """Return beta * input + alpha * y in y's own memory; with beta 0 input's nan do not count."""
    if input.dtype != y.dtype:
        check_same(name, input, y)
    y = np.asarray(y)
    if y.dtype.kind in "iu":  # the factors of integers are cut to integers
        alpha, beta = int(alpha), int(beta)
    if alpha != 1:
        y *= alpha
    if beta != 0:
        if input.shape != y.shape and np.broadcast_shapes(input.shape, y.shape) != y.shape:
            raise ValueError
        y += _scaled(input, beta)
    return y


def _add_error(input: ndarray, a: ndarray, b: ndarray, *_: Any) -> Exception:
    """Explain whether the factors or the summand do not fit."""
    try:
        shape = np.matmul(np.empty(a.shape), np.empty(b.shape)).shape
    except ValueError:
        return mismatch(a, b)
    try:
        np.broadcast_to(np.empty(input.shape), shape)
    except ValueError:
        return RuntimeError(f"The expanded size of the tensor {list(shape)} must match the "
                            f"existing size {list(input.shape)} of the summand, which does not "
                            f"broadcast to it")
    return RuntimeError("the shapes do not fit")


def _need(name: str, *ranked: tuple[str, ndarray, int]) -> None:
    for what, array, rank in ranked:
        if array.ndim != rank:
            raise RuntimeError(f"{name}: {what} must be {rank}D, got {array.ndim}D")
    check_same(name, ranked[0][1], ranked[1][1])


@op(input=lambda g, beta: _scaled(g, beta),
    mat1=lambda g, mat2, alpha: _scaled(_times(g, _mT(mat2)), alpha),
    mat2=lambda g, mat1, alpha: _scaled(_times(_mT(mat1), g), alpha), explain=_add_error)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * input + alpha * (mat1 @ mat2); input broadcasts.

    >>> import minigrad as torch
    >>> torch.addmm(torch.ones(2), torch.eye(2), torch.eye(2), beta=2)
    tensor([[3., 2.],
            [2., 3.]])
    """
    _need("addmm", ("mat1", mat1, 2), ("mat2", mat2, 2))
    return _added("addmm", input, product(mat1, mat2), beta, alpha)


@op(input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(_times(g, _mT(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(_times(_mT(batch1), g), alpha), explain=_add_error)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * input + alpha * (batch1 @ batch2) for batches of matrices."""
    _need("baddbmm", ("batch1", batch1, 3), ("batch2", batch2, 3))
    if (batch1.shape[0], batch1.shape[2]) != batch2.shape[:2]:
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: "
                           f"[{batch1.shape[0]}, {batch1.shape[2]}] but got: "
                           f"{list(batch2.shape[:2])}. (baddbmm)")
    return _added("baddbmm", input, product(batch1, batch2), beta, alpha)


@op(input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(_times(g, _mT(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(_times(_mT(batch1), g), alpha), explain=_add_error)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * input + alpha * (the sum of batch1[i] @ batch2[i] over i)."""
    _need("addbmm", ("batch1", batch1, 3), ("batch2", batch2, 3))
    if (batch1.shape[0], batch1.shape[2]) != batch2.shape[:2]:
        raise RuntimeError(f"addbmm: batch1 and batch2 must fit, got shapes {list(batch1.shape)} "
                           f"and {list(batch2.shape)}")
    return _added("addbmm", input, np.add.reduce(product(batch1, batch2), 0), beta, alpha)


@op(input=lambda g, beta: _scaled(g, beta),
    mat=lambda g, vec, alpha: _scaled(_column(g) * vec, alpha),
    vec=lambda g, mat, alpha: _scaled(_times(g, mat), alpha), explain=_add_error)
def addmv(input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * input + alpha * (mat @ vec)."""
    _need("addmv", ("mat", mat, 2), ("vec", vec, 1))
    return _added("addmv", input, product(mat, vec), beta, alpha)


@op(input=lambda g, beta: _scaled(g, beta),
    vec1=lambda g, vec2, alpha: _scaled(_times(g, vec2), alpha),
    vec2=lambda g, vec1, alpha: _scaled(_times(vec1, g), alpha), explain=_add_error)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * input + alpha * (the outer product of two vectors)."""
    if input.dtype == vec1.dtype == vec2.dtype == np.bool_ and vec1.ndim == vec2.ndim == 1:
        return (input & bool(beta)) | (vec1[:, None] & vec2 & bool(alpha))
    _need("addr", ("vec1", vec1, 1), ("vec2", vec2, 1))
    return _added("addr", input, vec1[:, None] * vec2, beta, alpha)


# --------------------------------------------------------------------- several dimensions
@_check.takes("a", "b")
def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Return the sums of products over pairs of dimensions.

    `dims` is a number n (the last n of a with the first n of b) or a pair of lists of dimensions.

    >>> import minigrad as torch
    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 4), dims=1).shape
    torch.Size([2, 4])
    """
    if isinstance(dims, (tuple, list)):
        pairs = [[d] if isinstance(d, int) else list(d) for d in dims]
    else:
        count = int(dims)
        if count < 0 or count > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects 0 <= dims <= {min(a.ndim, b.ndim)}, but got "
                               f"dims={count}")
        pairs = [list(range(a.ndim - count, a.ndim)), list(range(count))]
    if len(pairs[0]) != len(pairs[1]):
        raise RuntimeError(f"both dimension lists should have same length, got {pairs[0]} and "
                           f"{pairs[1]}")
    one, two = (_check.dims(p, x.ndim) for p, x in zip(pairs, (a, b), strict=True))
    for i, j in zip(one, two, strict=True):
        if a.shape[i] != b.shape[j] and a.shape[i] != 1 and b.shape[j] != 1:
            raise RuntimeError(f"contracted dimensions need to match, but first has size "
                               f"{a.shape[i]} in dim {i} and second has size {b.shape[j]} in dim "
                               f"{j}")
    a = _summed(a, [i for i, j in zip(one, two, strict=True) if b.shape[j] == 1 != a.shape[i]])
    b = _summed(b, [j for i, j in zip(one, two, strict=True) if a.shape[i] == 1 != b.shape[j]])
    rest_a = [i for i in range(a.ndim) if i not in one]
    rest_b = [i for i in range(b.ndim) if i not in two]
    shape = [a.shape[i] for i in rest_a] + [b.shape[i] for i in rest_b]
    size = 1
    for i in one:
        size *= a.shape[i]
    rows = _flat(permute(a, (*rest_a, *one)), [a.shape[i] for i in rest_a], size, False)
    columns = _flat(permute(b, (*two, *rest_b)), [b.shape[i] for i in rest_b], size, True)
    y = view(mm(rows, columns), tuple(shape))
    return y if out is None else into("tensordot", y, out, (a, b))


def _summed(x: Any, dims: list[int]) -> Any:
    """Return x summed over the dimensions whose partner has size 1 and would be broadcast."""
    return sum(x, dims, True) if dims else x


def _flat(x: Any, rest: list[int], size: int, last: bool) -> Any:
    """Return a matrix of the free and the contracted dimensions (or the other way around)."""
    free = 1
    for n in rest:
        free *= n
    return reshape(x, (size, free) if last else (free, size))


@_check.takes("input", "other")
def kron(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the Kronecker product: blocks of `other`, each times one element of `input`.

    >>> import minigrad as torch
    >>> torch.kron(torch.tensor([1, 2]), torch.tensor([1, 1]))
    tensor([1, 1, 2, 2])
    """
    ndim = max(input.ndim, other.ndim)
    shapes = [(1,) * (ndim - x.ndim) + tuple(x.shape) for x in (input, other)]
    left = reshape(input, tuple(s for n in shapes[0] for s in (n, 1)))
    right = reshape(other, tuple(s for n in shapes[1] for s in (1, n)))
    y = unsafe_view(mul(left, right), tuple(a * b for a, b in zip(*shapes, strict=True)))
    return y if out is None else into("kron", y, out, (input, other))


@_check.takes()
def multi_dot(tensors: Any, *, out: Any = None) -> Any:
    """Return the product of several matrices, in the order that needs the fewest multiplications.

    The first and the last may be vectors. Order by dynamic programming (Cormen et al., 15.2).

    >>> import minigrad as torch
    >>> torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)]).shape
    torch.Size([2])
    """
    items = list(tensors)
    if len(items) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(items)}")
    row, column = items[0].ndim == 1, items[-1].ndim == 1
    if row:
        items[0] = _row(items[0])
    if column:
        items[-1] = _column(items[-1])
    if any(x.ndim != 2 for x in items):
        raise RuntimeError("multi_dot(): the tensors must be matrices; the first and the last may "
                           "be vectors")
    y = _chain(items, _best_cuts(items), 0, len(items) - 1)
    shape = tuple(y.shape[1 if row else 0:1 if column else 2])
    y = view(y, shape)
    return y if out is None else into("multi_dot", y, out, (tensors,))


@_check.takes()
def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """Return the product of several matrices (deprecated: use `linalg.multi_dot`)."""
    import warnings

    warnings.warn("torch.chain_matmul is deprecated and will be removed in a future release: use "
                  "torch.linalg.multi_dot, which takes a list", UserWarning, stacklevel=2)
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices, out=out)


def _best_cuts(items: list[Any]) -> dict[tuple[int, int], int]:
    sizes = [x.shape[0] for x in items] + [items[-1].shape[1]]
    cost = {(i, i): 0 for i in range(len(items))}
    cuts: dict[tuple[int, int], int] = {}
    for length in range(1, len(items)):
        for i in range(len(items) - length):
            j = i + length
            cost[i, j], cuts[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j))
    return cuts


def _chain(items: list[Any], cuts: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return items[i]
    k = cuts[i, j]
    return mm(_chain(items, cuts, i, k), _chain(items, cuts, k + 1, j))


@op(input=lambda g, input_shape:
    put_diagonal(expand(g, (min(input_shape),)), input_shape, 0, 0, 1))
def trace(input: Any) -> Any:
    """Return the sum of a matrix's diagonal.

    >>> import minigrad as torch
    >>> torch.trace(torch.eye(3))
    tensor(3.)
    """
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    kind = input.dtype if input.dtype.kind == "f" else np.int64
    return np.asarray(np.trace(input, dtype=kind))
