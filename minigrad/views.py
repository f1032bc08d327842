"""Views and in-place writes: how they stay differentiable.

A view remembers its base tensor and the chain of view ops that leads from the base to it. When a
view is written in place, the *base* gets a new place on the tape (`copy_slices`: the old base with
the viewed region replaced), and every other view of that base ties itself again (`as_view`) at its
next use, because `Storage.rebased` has moved on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from . import engine
from ._quiet import quietly
from .anomaly import anomaly, user_line
from .calls import gather, run_forward
from .engine import Leaf, Node, Op, apply, op, record
from .modes import state
from .versions import InferenceStorage, Intercepted, overlapping, storage_of

Chain = tuple[tuple[Op, tuple[Any, ...]], ...]
intercept_inplace: Any = None  # in-place ops on batched tensors; func/_vmap.py sets it


def mark_view(out: Any, made_by: Op, args: Sequence[Any]) -> None:
    """Note that `out` is a view of the first argument: shared memory and version counter."""
    source = args[0]
    step = (made_by, tuple(args[1:]))
    storage = out._storage = source._storage or storage_of(source)
    if source._base is None:
        out._base, out._chain = source, (step,)
    else:
        out._base, out._chain = source._base, (*source._chain, step)
    if storage.rebased:
        out._rebased = storage.rebased
    if made_by.many:
        out._frozen = _one_of_several(made_by.name)
    elif not state.grad:
        out._frozen = "it is a view that was made in no_grad mode"
    elif source._frozen is not None:
        out._frozen = source._frozen


@lru_cache(maxsize=64)
def _one_of_several(name: str) -> str:
    return (f"it is one output of {name}, which returns several views; writing into one of them is "
            f"not supported")


def refresh(view: Any) -> None:
    """Tie a view to the tape again if its base's history was rewritten since."""
    rebased = view._storage.rebased
    if view._rebased != rebased:
        base = view._base
        if base._node is not None and any(made_by.many for made_by, _ in view._chain):
            raise RuntimeError(f"the base of this view was modified inplace, but {view._frozen}")
        for when, undo in base._reshapes:
            if when > view._rebased:  # the chain starts from the shape that the base had before
                view._chain = (undo, *view._chain)
        view._rebased = rebased
        if base._node is not None:
            tie(view)


def tie(view: Any) -> None:
    """Give a view a place on the tape that comes straight from its base."""
    base = view._base
    args = [base, view._chain, axis_order(base._data)]
    move_to(view, record(AS_VIEW, 1, args, [base._data, *args[1:]], view._data, ()))


def move_to(x: Any, node: Node) -> None:
    """Give `x` a new place on the tape; what retain_grad keeps is the gradient of the newest."""
    old = x._node
    if isinstance(old, Node) and old.retain is not None and old.retain() is x:
        node.retain, old.retain = old.retain, None
    x._node = node


def axis_order(array: np.ndarray) -> tuple[int, ...]:
    """Return the axes from the largest stride to the smallest: the layout of a dense array."""
    return tuple(sorted(range(array.ndim), key=lambda i: -abs(array.strides[i])))


def laid_out(shape: Sequence[int], dtype: Any, order: Sequence[int]) -> np.ndarray:
    """Return zeros in the base's own memory layout, in which its chain of views is valid."""
    zeros = np.zeros([shape[i] for i in order], dtype)
    return zeros.transpose(np.argsort(order)) if order else zeros


def replay(x: Any, chain: Chain) -> Any:
    """Apply a chain of view ops to another array or tensor."""
    for view_op, options in chain:
        x = apply(view_op, (x, *options))
    return x


def region(array: np.ndarray, chain: Chain) -> np.ndarray:
    """Return the part of a plain array that a chain of views shows, sharing its memory."""
    state.arrays += 1
    try:
        return replay(array, chain)
    finally:
        state.arrays -= 1


@op(input=lambda g: g)
def relaid(input: Any, order: Any) -> np.ndarray:
    """Return a copy in a base's own memory layout."""
    out = laid_out(input.shape, input.dtype, order)
    out[...] = input
    return out


def shown_of(g: Any, chain: Chain, order: Any) -> Any:
    """Return the part of a base's gradient that a chain of views shows, whatever its layout."""
    array = getattr(g, "_data", g)
    dense = array.transpose(order).flags.c_contiguous if array.ndim else True
    return replay(g if dense else relaid(g, order), chain)


@op(value=lambda g, chain, order: shown_of(g, chain, order))
def scatter_view(value: Any, shape: Any, chain: Chain, order: Any) -> np.ndarray:
    """Return zeros of a base's shape with `value` added at the place of a view."""
    out = laid_out(shape, value.dtype, order)
    part = region(out, chain)
    if part.flags.writeable and not overlapping(part):
        part[...] = value
        return out
    places = laid_out(shape, np.int64, order)  # expand, unfold: elements that occur repeatedly
    memory = places.transpose(order) if order else places
    memory[...] = np.arange(places.size).reshape(memory.shape)
    flat = np.bincount(region(places, chain).ravel(), np.asarray(value).ravel(), places.size)
    (out.transpose(order) if order else out)[...] = flat.reshape(memory.shape)
    return out


@op(input=lambda g, input_shape, chain, order: scatter_view(g, input_shape, chain, order),
    shown="AsStridedBackward0")
def as_view(input: Any, chain: Chain, order: Any) -> np.ndarray:
    """Return the view that a chain of view ops shows of its base."""
    return region(input, chain)


@op(base=lambda g, chain, order: copy_slices(g, 0.0, chain, order),
    value=lambda g, chain, order: shown_of(g, chain, order), shown="torch::autograd::CopySlices")
def copy_slices(base: Any, value: Any, chain: Chain, order: Any) -> np.ndarray:
    """Return a copy of the base with the region of a view replaced by `value`."""
    out = laid_out(base.shape, base.dtype, order)
    out[...] = base
    region(out, chain)[...] = value
    return out


@op(input=lambda g: g * 0)
def erased(input: Any) -> np.ndarray:
    """Stand for an in-place write that depends on the old value only by steps: zero gradient."""
    return input.copy()


ERASED, AS_VIEW, COPY_SLICES = erased.op, as_view.op, copy_slices.op


def inplace(function: Any, args: Sequence[Any], given: dict[str, Any] | None = None) -> Any:
    """Run an op and write its result into its first argument, with history and version count."""
    made = function.op
    args = made.fill(tuple(args), given or {})
    x = args[0]
    try:
        arrays, mask, _ = gather(made, args)
    except Intercepted:
        return intercept_inplace(made, args)
    if not isinstance(x, engine.Tensor):
        raise made.refuse(0, x)
    check_writable(made, x, bool(mask))
    y, aux = (None, ()) if made.mutate else run_forward(made, arrays)
    if y is not None:
        check_result(made, x, y)
    node = None
    if mask and state.grad and x._data.dtype.kind == "f":
        target = x._data
        plan = made.plans.get(mask) or made.plan(mask)
        if 0 in plan.direct:  # a rule wants the value from before the write
            arrays[0] = target.copy()
        node = record(made, mask, args, arrays, target, aux)
        node.versions = [v for v in node.versions if v[0] != made.names[0]]
        node.meta = {**(node.meta or {}), "inplace": True}
        arrays[0] = target
    elif state.grad and x._node is not None and not made.bits[0][1]:
        node = record(ERASED, 1, (x,), [x._data], x._data, ())  # comparisons: the slope is zero
    if made.mutate:
        quietly(made.mutate, *arrays)
    else:
        x._data[...] = y
    wrote(x, made.name + "_")
    if node is not None:
        if node.plan.y is not None:
            storage = storage_of(x)
            node.versions.append(("y", storage, storage.count))
        rebase(x, node)
    return x


def wrote(x: Any, by: str) -> None:
    """Count an in-place write into `x`."""
    storage = x._storage or storage_of(x)
    storage.wrote(by, user_line() if anomaly.on else None)
    if state.levels:
        state.levels[-1].note(x)


def rebase(x: Any, node: Node) -> None:
    """Give `x` the new place `node` on the tape; for a view, give its base one that contains it."""
    storage = storage_of(x)
    storage.rebased += 1
    move_to(x, node)
    if x._base is None:
        return
    base = x._base
    args = [base, x, x._chain, axis_order(base._data)]
    mask = 2 | (base._node is not None)
    move_to(base, record(COPY_SLICES, mask, args, [base._data, x._data, *args[2:]], base._data, ()))
    refresh(x)


def check_writable(made: Op, x: Any, tracked: bool) -> None:
    """Refuse in-place writes that autograd cannot follow, or that memory does not allow."""
    if x._base is not None:
        engine.refresh(x)
        if x._node is not None and any(by.name == "as_strided" for by, _ in x._chain[1:]):
            tie(x)  # it may reach beyond the view that it was made from
    if state.grad:
        check_leaf(made, x)
        if x._frozen and (tracked or x._node is not None):
            raise RuntimeError(f"{made.name}_: this view is being modified inplace, but {x._frozen}"
                               f". Write into the base tensor, or clone() the view first.")
    if isinstance(x._storage, InferenceStorage) and not state.inference:
        raise RuntimeError(f"Inplace update to inference tensor outside InferenceMode is not "
                           f"allowed: {made.name}_ would write into a tensor that was made inside "
                           f"inference_mode(). clone() it first, or write inside the block.")
    if not x._data.flags.writeable or (x._base is not None and overlapping(x._data)):
        raise RuntimeError(
            f"unsupported operation: {made.name}_ would write into memory that is shared by "
            f"several elements (expand, unfold) or read-only. clone() the tensor before the write.")


def check_leaf(made: Op, x: Any) -> None:
    """Refuse to change a leaf whose gradient is wanted, or a view of one."""
    base = x if x._base is None else x._base
    # a view of a constant that has a place on the tape is, or comes from, a leaf made of a view
    if type(base._node) is Leaf or (x._node is not None and base._node is None):
        raise RuntimeError(
            f"{'a leaf' if base is x else 'a view of a leaf'} Variable that requires grad is "
            f"being used in an in-place operation: {made.name}_ would overwrite a tensor of "
            f"shape {list(x._data.shape)} whose gradient is wanted. Write under no_grad(), or "
            f"use {made.name}, which returns a new tensor.")


def check_result(made: Op, x: Any, y: np.ndarray) -> None:
    """Refuse results that do not fit into `x`: another shape, or a dtype of a higher category."""
    if y.shape != x._data.shape:
        raise RuntimeError(f"output with shape {list(x._data.shape)} doesn't match the broadcast "
                           f"shape {list(y.shape)} of {made.name}_; use {made.name} instead")
    if y.dtype != x._data.dtype and not engine.Tensor._can_cast(y.dtype, x._data.dtype):
        raise RuntimeError(
            f"result type {engine.Tensor._type_name(y.dtype)} can't be cast to the desired output "
            f"type {engine.Tensor._type_name(x._data.dtype)}; convert with .to() first, or use "
            f"{made.name}, which returns a new tensor")


engine.refresh = refresh
