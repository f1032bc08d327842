"""Batching rules: how an op works on all examples at once. `_table.py` says which op has which.

A rule gets the op, its arguments and the level of the innermost vmap among them, and returns what
the op returns, batched at that level; or NotImplemented for what it does not cover, which then runs
one example at a time. `full` is always the tensor inside, with the batch as dimension 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import Op, apply
from ..ops import index as indexing
from ..ops import shape
from ..tensor import Tensor
from ._batched import BatchedTensor, Level, batch, levels_of, lift

Rule = Callable[[Op, list[Any], Level], Any]
FULL = slice(None)


def is_batched(t: Any, level: Level) -> bool:
    return isinstance(t, BatchedTensor) and t._level is level


def padded(t: Any, ndim: int, level: Level) -> Any:
    """Return the full tensor with dimensions of size 1 after the batch, for broadcasting."""
    if not is_batched(t, level):
        return t
    own, full = t._data.ndim, t._full
    if own == ndim:
        return full
    sizes = full._data.shape
    return shape.reshape(full, (sizes[0], *(1,) * (ndim - own), *sizes[1:]))


def _inputs(op: Op, args: list[Any]) -> list[Any]:
    return [args[i] for i in op.inputs if isinstance(args[i], Tensor)]


def _wrapped(out: Any, level: Level) -> Any:
    if isinstance(out, list):
        return [batch(t, level) for t in out]
    if isinstance(out, tuple):
        return tuple(batch(t, level) for t in out)
    return batch(out, level)


def _everywhere(op: Op, args: list[Any], level: Level) -> list[Any]:
    """Return the arguments with every input tensor replaced by its full one, repeated if needed."""
    made = list(args)
    for i in op.inputs:
        if isinstance(made[i], Tensor):
            made[i] = lift(made[i], [level])._full
    return made


def _at(dim: int, ndim: int) -> int:
    """Return a dimension of one example as a dimension of the full tensor."""
    if not -ndim <= dim < ndim:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, "
                         f"{ndim - 1}], but got {dim})")
    return dim % ndim + 1


def _all_at(dims: Any, ndim: int) -> Any:
    if isinstance(dims, (list, tuple)):
        return type(dims)(_at(d, ndim) for d in dims)
    return _at(dims, ndim)


# --------------------------------------------------------------------------------------- families
def elementwise(op: Op, args: list[Any], level: Level) -> Any:
    """Broadcast: examples of fewer dimensions get sizes of 1 after the batch."""
    tensors = _inputs(op, args)
    dims = [t._data.ndim for t in tensors]
    if len({t._data.dtype for t in tensors}) > 1 and 0 in dims:
        return NotImplemented  # 0-d tensors promote by other rules, and would not be 0-d here
    made = list(args)
    for i in op.inputs:
        made[i] = padded(made[i], max(dims), level)
    return _wrapped(apply(op, made), level)


def leading(op: Op, args: list[Any], level: Level) -> Any:
    """Ops that work on the last dimensions and take any dimensions in front as a batch."""
    made = _everywhere(op, args, level)
    tensors = _inputs(op, args)
    if len({t._data.ndim for t in tensors}) > 1:
        ndim = max(t._data.ndim for t in tensors)
        for i in op.inputs:
            if isinstance(args[i], Tensor):
                made[i] = padded(lift(args[i], [level]), ndim, level)
    return _wrapped(apply(op, made), level)


def first_leading(op: Op, args: list[Any], level: Level) -> Any:
    """The same if only the first input is batched; other inputs are weights for all."""
    if any(is_batched(args[i], level) for i in op.inputs[1:]):
        return NotImplemented
    return _wrapped(apply(op, [args[0]._full, *args[1:]]), level)


def along(*options: str, sizes: str = "") -> Rule:
    """Make the rule of ops along dimensions: every input has the batch, the dimensions move."""

    def rule(op: Op, args: list[Any], level: Level) -> Any:
        given = [t._data.ndim for t in _inputs(op, args)]
        ndim = max(given)
        if min(given) != ndim or not ndim:
            return NotImplemented
        made = _everywhere(op, args, level)
        for name in options:
            at = op.slots[name]
            if made[at] is None:
                return NotImplemented
            made[at] = _all_at(made[at], ndim)
        if sizes:
            made[op.slots[sizes]] = (level.size, *made[op.slots[sizes]])
        return _wrapped(apply(op, made), level)

    return rule


def reduction(op: Op, args: list[Any], level: Level) -> Any:
    """Reduce over some dimensions; all of them are all but the batch."""
    if len(_inputs(op, args)) > 1:
        return NotImplemented
    x, at = args[0], op.slots["dim"]
    ndim, full, dims = x._data.ndim, x._full, args[at]
    made = list(args)
    if not ndim:
        if dims not in (None, (), [], 0, -1, (0,), (-1,), [0], [-1]):
            return NotImplemented
        made[0], made[at] = shape.unsqueeze(full, 1), 1
        if "keepdim" in op.slots:
            made[op.slots["keepdim"]] = False
        return _wrapped(apply(op, made), level)
    if dims is None or dims in ((), []):
        dims = list(range(ndim))
    made[0], made[at] = full, _all_at(dims, ndim)
    return _wrapped(apply(op, made), level)


def reduction_of_one(op: Op, args: list[Any], level: Level) -> Any:
    """The same for ops that reduce one dimension only: all of them are joined before."""
    x, at = args[0], op.slots["dim"]
    if not x._data.ndim or len(_inputs(op, args)) > 1:
        return NotImplemented
    made = list(args)
    if args[at] is None:
        if "keepdim" in op.slots and args[op.slots["keepdim"]]:
            return NotImplemented
        made[0], made[at] = shape.reshape(x._full, (level.size, x._data.size)), 1
    else:
        made[0], made[at] = x._full, _all_at(args[at], x._data.ndim)
    return _wrapped(apply(op, made), level)


def folded(op: Op, args: list[Any], level: Level) -> Any:
    """Ops whose dimension 0 is a batch already: examples and that batch become one dimension."""
    x = args[0]
    if any(is_batched(args[i], level) for i in op.inputs[1:]) or x._data.ndim < 3:
        return NotImplemented
    out = apply(op, [shape.flatten(x._full, 0, 1), *args[1:]])
    return _wrapped(unfolded(out, level.size), level)


def unfolded(out: Any, size: int) -> Any:
    if isinstance(out, (tuple, list)):
        return type(out)(unfolded(t, size) for t in out)
    sizes = out._data.shape
    return shape.reshape(out, (size, sizes[0] // size if size else 0, *sizes[1:]))


# ------------------------------------------------------------------------------------------- views
def view(op: Op, args: list[Any], level: Level) -> Any:
    x, sizes = args
    sizes = shape.infer(tuple(sizes), x._data.size)
    full = shape.reshape(x._full, (level.size, *sizes))
    made = batch(full, level)
    made._copied = op.view and full._base is None and levels_of(full) == []
    return made


def permute(op: Op, args: list[Any], level: Level) -> Any:
    x, dims = args
    if len(dims) != x._data.ndim:
        return NotImplemented
    return batch(shape.permute(x._full, (0, *_all_at(tuple(dims), x._data.ndim))), level)


def t(op: Op, args: list[Any], level: Level) -> Any:
    x = args[0]
    if x._data.ndim > 2:
        return NotImplemented
    return batch(shape.transpose(x._full, 1, 2) if x._data.ndim == 2 else x._full[...], level)


def expand(op: Op, args: list[Any], level: Level) -> Any:
    x, sizes = args
    if len(sizes) < x._data.ndim:
        return NotImplemented
    full = padded(x, len(sizes), level)
    return batch(shape.expand(full, (level.size, *sizes)), level)


def diag_embed(op: Op, args: list[Any], level: Level) -> Any:
    x, offset, *dims = args
    ndim = x._data.ndim + 1
    return batch(apply(op, (x._full, offset, *[_at(d, ndim) for d in dims])), level)


def as_strided(op: Op, args: list[Any], level: Level) -> Any:
    """Strides and offset count inside of each example; none may reach into the next one."""
    x, size, stride, offset, layout = args
    end = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and end >= x._data.size:
        raise RuntimeError(f"setStorage: sizes {list(size)}, strides {list(stride)}, storage "
                           f"offset {offset} reach beyond the {x._data.size} elements")
    if not x._full.is_contiguous():
        raise RuntimeError("as_strided: under vmap the tensor must be row-major; call contiguous()")
    step = x._data.size
    return batch(apply(op, (x._full, (level.size, *size), (step, *stride), offset,
                            (step, *layout))), level)


def squeeze(op: Op, args: list[Any], level: Level) -> Any:
    x, dims = args
    sizes = x._data.shape
    if not sizes:
        return batch(x._full[...], level)
    if dims is None:
        dims = range(len(sizes))
    elif not isinstance(dims, (tuple, list)):
        dims = (dims,)
    places = tuple(d for d in _all_at(tuple(dims), len(sizes)) if sizes[d - 1] == 1)
    return batch(shape.squeeze(x._full, places) if places else x._full[...], level)


def unsqueeze(op: Op, args: list[Any], level: Level) -> Any:
    x, dim = args
    return batch(shape.unsqueeze(x._full, _at(dim, x._data.ndim + 1)), level)


def select(op: Op, args: list[Any], level: Level) -> Any:
    return batch(indexing.select_index(args[0]._full, (FULL, *args[1])), level)


def fill_region(op: Op, args: list[Any], level: Level) -> Any:
    value, sizes, key = args
    return batch(indexing.fill_index(value._full, (level.size, *sizes), (FULL, *key)), level)


def _adjacent(key: Any) -> bool:
    """Return True if the arrays of an advanced index stand next to each other."""
    places = [k for k, item in enumerate(key) if type(item) is np.ndarray]
    return places == list(range(places[0], places[-1] + 1))


def _plain(key: Any) -> bool:
    return all(isinstance(item, (np.ndarray, slice)) for item in key) and _adjacent(key)


def take_index(op: Op, args: list[Any], level: Level) -> Any:
    x, key = args
    return batch(apply(op, (x._full, (FULL, *key))), level) if _plain(key) else NotImplemented


def add_index(op: Op, args: list[Any], level: Level) -> Any:
    value, sizes, key = args
    if not _plain(key):
        return NotImplemented
    return batch(apply(op, (value._full, (level.size, *sizes), (FULL, *key))), level)


def set_index(op: Op, args: list[Any], level: Level) -> Any:
    x, value, basic, advanced = args
    if advanced is not None and not _plain(advanced):
        return NotImplemented
    region = np.broadcast_to(np.zeros((), bool), x._data.shape)
    if basic:
        region = indexing.select_index.op.forward(region, basic)  # type: ignore[attr-defined]
    if advanced is not None:
        region = region[advanced]
    if isinstance(value, Tensor) and value._data.ndim > region.ndim:
        return NotImplemented
    return batch(apply(op, (lift(x, [level])._full, padded(value, region.ndim, level),
                            (FULL, *basic), advanced and (FULL, *advanced))), level)


# ------------------------------------------------------------------------------ joining, splitting
def cat(op: Op, args: list[Any], level: Level) -> Any:
    tensors, dim = args
    ndim = max(t._data.ndim for t in tensors)
    if any(t._data.ndim != ndim for t in tensors):
        return NotImplemented
    at = _at(dim, ndim + (op.name == "stack"))
    return batch(apply(op, ([lift(t, [level])._full for t in tensors], at)), level)
