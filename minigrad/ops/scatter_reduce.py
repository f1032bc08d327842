"""scatter_reduce: sums, means, products and extremes of what falls onto the same place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._dtype import dtype_of
from ..engine import op, wrap
from ._operands import with_out
from .index import add_index, take_index
from .scatter import _check_index, _cut, _gather, _scatter, _uncut, places
from .shape import reshape

ndarray = np.ndarray
REDUCE = ("sum", "prod", "mean", "amax", "amin")


def _one_by_one(index: ndarray, shape: tuple[int, ...], dim: int) -> tuple[ndarray, ndarray]:
    """Return the flat places, and for each how often it occurred before."""
    flat = places(index, shape, dim)
    order = np.argsort(flat, kind="stable")
    ranked = flat[order]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    turn = np.empty(flat.size, np.int64)
    turn[order] = np.arange(flat.size) - np.repeat(first, np.diff(np.r_[first, flat.size]))
    return flat, turn


def _extreme(input: ndarray, src: ndarray, flat: ndarray, touched: ndarray, largest: bool,
             include_self: bool) -> tuple[ndarray, ndarray, ndarray]:
    """Return the extremes, and the shares of the gradient of the input and of src (ties share)."""
    pick, worst = (np.maximum, -np.inf) if largest else (np.minimum, np.inf)
    if input.dtype.kind == "b":
        worst = not largest
    elif input.dtype.kind != "f":
        limits = np.iinfo(input.dtype)
        worst = limits.min if largest else limits.max
    y = input.copy()
    if not include_self:
        y[touched] = worst
    pick.at(y.reshape(-1), flat, src.reshape(-1))
    mine = (input == y) & (include_self | ~touched)
    theirs = (src.reshape(-1) == y.reshape(-1)[flat]).astype(y.dtype)
    number = mine.astype(y.dtype)
    np.add.at(number.reshape(-1), flat, theirs)
    safe = np.maximum(number, 1)
    return y, mine / safe, (theirs / safe.reshape(-1)[flat]).reshape(src.shape)


@op(input=lambda g, mine: g * mine, index=None, src=lambda g, dim, index, theirs, src_shape:
    _uncut(_gather(g, dim, index) * theirs, src_shape), aux="mine theirs",
    shown="ScatterReduceBackward0")
def _scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str,
                    include_self: bool) -> Any:
    flat = places(index, input.shape, dim)
    src = _cut(src, index)
    touched = np.zeros(input.shape, bool)
    touched.reshape(-1)[flat] = True
    if reduce in ("amax", "amin"):
        return _extreme(input, src, flat, touched, reduce == "amax", include_self)
    kind = input.dtype
    if kind == np.float16:  # in which a sum of ones would end at 2048
        input, src = input.astype(np.float32), src.astype(np.float32)
    mine = np.ones(input.shape, input.dtype) if include_self else (~touched).astype(input.dtype)
    total = np.array(input * mine, order="C")
    np.add.at(total.reshape(-1), flat, src.reshape(-1))
    theirs = np.ones(src.shape, input.dtype)
    if reduce == "mean":
        count = np.bincount(flat, minlength=input.size).reshape(input.shape) + include_self
        count = np.maximum(count, 1).astype(input.dtype)
        total = total / count if input.dtype.kind == "f" else total // count
        mine, theirs = mine / count, theirs / count.reshape(-1)[flat].reshape(src.shape)
    return tuple(a.astype(kind, copy=False) for a in (total, mine, theirs))


@op(input=lambda g: g, shown="ScatterReduceBackward0")
def _finished(input: Any) -> Any:
    return input.copy()


def _product(input: Any, dim: int, index: Any, src: Any, include_self: bool) -> Any:
    """Multiply in turns: in each, every place gets at most one factor. Right at zeros, too."""
    shape = input._data.shape
    flat, turn = _one_by_one(index._data, shape, dim)
    if not include_self:
        input = _scatter(input, dim, index, 1.0)
    src = src[tuple(slice(0, n) for n in index._data.shape)] if src.ndim else src
    y, values = reshape(input, (-1,)), reshape(src, (-1,))
    for k in range(int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == k)
        neutral = np.ones(y._data.shape, y._data.dtype)
        neutral[flat[now]] = 0
        factor = add_index(take_index(values, (now,)), y._data.shape, (flat[now],))
        y = y * (factor + wrap(neutral, None))
    return _finished(reshape(y, shape))


@with_out
def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *,
                   include_self: bool = True) -> Any:
    """Return a copy in which `src` is reduced onto the places of an index along `dim`.

    `reduce`: 'sum', 'prod', 'mean', 'amax' or 'amin'; `include_self` counts the old element, too.

    >>> import minigrad as torch
    >>> torch.scatter_reduce(torch.zeros(2), 0, torch.tensor([1, 1]), torch.tensor([2., 4.]),
    ...                      "mean", include_self=False)
    tensor([0., 3.])
    """
    if reduce not in REDUCE:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got "
                           f"{reduce}")
    own, source = _check.tensor(input, "scatter_reduce")._data, src._data
    at = _check_index("scatter_reduce", own, dim, index._data, source)
    if own.dtype != source.dtype:
        raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got "
                           f"{dtype_of(own)} and {dtype_of(source)}")
    if reduce == "prod":
        return _product(input, at, index, src, include_self)
    return _scatter_reduce(input, at, index, src, reduce, include_self)


def scatter_reduce_(input: Any, dim: int, index: Any, src: Any, reduce: str, *,
                    include_self: bool = True) -> Any:
    """Reduce `src` onto the places of an index along `dim`, in place."""
    before = input.clone()  # what the derivative needs must not be overwritten
    return input.copy_(scatter_reduce(before, dim, index, src, reduce, include_self=include_self))
