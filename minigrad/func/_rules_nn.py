"""Batching rules of products, convolutions and losses."""

from __future__ import annotations

from typing import Any

from ..engine import Op, apply
from ..ops import elementwise as pointwise
from ..ops import linalg, reduce, shape
from ._batched import Level, batch, lift
from ._rules import elementwise, folded, is_batched, padded, unfolded


def matmul(op: Op, args: list[Any], level: Level) -> Any:
    """Vectors become matrices; then leading dimensions broadcast, the batch in front of them."""
    a, b = args
    if not a._data.ndim or not b._data.ndim:
        return NotImplemented
    row, column = a._data.ndim == 1, b._data.ndim == 1
    if row:
        a = shape.unsqueeze(a, 0)
    if column:
        b = shape.unsqueeze(b, 1)
    ndim = max(a._data.ndim, b._data.ndim)
    y = batch(linalg.matmul(padded(a, ndim, level), padded(b, ndim, level)), level)
    if row:
        y = shape.squeeze(y, -2)
    return shape.squeeze(y, -1) if column else y


def linear(op: Op, args: list[Any], level: Level) -> Any:
    x, weight, bias = args
    if not is_batched(weight, level) and not is_batched(bias, level):
        return batch(linalg.linear(x._full, weight, bias), level)
    if weight._data.ndim == 1:
        return NotImplemented
    y = linalg.matmul(x, shape.transpose(weight, -2, -1))
    return y if bias is None else y + bias


def add_product(op: Op, args: list[Any], level: Level) -> Any:
    x, a, b, beta, alpha = args
    y = linalg.matmul(a, b)
    return (y if alpha == 1 else y * alpha) + (x if beta == 1 else x * beta)


def _grouped(t: Any, level: Level) -> Any:
    """Return (N, B * C, ...) of examples (N, C, ...)."""
    full = shape.movedim(lift(t, [level])._full, 0, 1)
    return shape.flatten(full, 1, 2)


def _joined(t: Any, level: Level) -> Any:
    """Return (B * O, ...) of weights (O, ...) of each example."""
    return None if t is None else shape.flatten(lift(t, [level])._full, 0, 1)


def convolution(op: Op, args: list[Any], level: Level) -> Any:
    """One kernel for all: examples join the batch. A kernel for each: they join the groups."""
    x, weight, bias = args[:3]
    if x._data.ndim != weight._data.ndim:
        return NotImplemented
    if not is_batched(weight, level) and not is_batched(bias, level):
        return folded(op, args, level)
    groups = op.slots["groups"]
    made = [_grouped(x, level), _joined(weight, level), _joined(bias, level), *args[3:]]
    made[groups] = args[groups] * level.size
    y = apply(op, made)
    sizes = y._data.shape
    y = shape.reshape(y, (sizes[0], level.size, sizes[1] // level.size, *sizes[2:]))
    return batch(shape.movedim(y, 1, 0), level)


def weight_gradient(op: Op, args: list[Any], level: Level) -> Any:
    g, x = args[:2]
    groups = op.slots["groups"]
    made = [_grouped(g, level), _grouped(x, level), *args[2:]]
    made[groups] = args[groups] * level.size
    return batch(unfolded(apply(op, made), level.size), level)


# ------------------------------------------------------------------------------------------ losses
def loss(op: Op, args: list[Any], level: Level) -> Any:
    """Compute the loss of every element, then reduce the elements of each example."""
    how = args[op.slots["reduction"]]
    made = list(args)
    made[op.slots["reduction"]] = "none"
    values = elementwise(op, made, level)
    if values is NotImplemented or how == "none":
        return values
    return reduce.mean(values) if how == "mean" else reduce.sum(values)


def cross_entropy(op: Op, args: list[Any], level: Level) -> Any:
    x, target, weight = args[:3]
    smooth = "label_smoothing" in op.slots and args[op.slots["label_smoothing"]]
    if weight is not None or smooth or x._data.ndim < 2 or target._data.ndim != x._data.ndim - 1:
        return NotImplemented
    how = args[op.slots["reduction"]]
    made = [_joined(x, level), _joined(target, level), *args[2:]]
    made[op.slots["reduction"]] = "none"
    values = batch(unfolded(apply(op, made), level.size), level)
    if how == "none":
        return values
    total = reduce.sum(values)
    if how == "sum":
        return total
    counted = target != args[op.slots["ignore_index"]]
    return total / pointwise.cast(reduce.sum(counted), x._data.dtype)
