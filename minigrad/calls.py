"""What a call of an op does, step by step, for all ops and arguments: see `apply_any`.

`quick_calls.py` does the same in one piece for the usual case. What is unusual comes here: ops
over a list of tensors or with several results, arrays instead of tensors (inside of rules), tensors
that vmap has batched, wrong arguments, and every call while anomaly mode, saved tensors hooks or
somebody else watches (`anomaly.watched`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import engine
from ._quiet import hush, recover, unhush
from .anomaly import anomaly
from .declare import Op, Overridden, no_tensor
from .engine import NUMBERS, Node, Pick, new, record
from .modes import state
from .versions import InferenceStorage, Intercepted, note_saved, storage_of

ndarray = np.ndarray


def apply_any(op: Op, args: Sequence[Any]) -> Any:
    """Run an op on tensors and record it, or on plain arrays and record nothing."""
    try:
        arrays, mask, found = (gather_many if op.variadic else gather)(op, args)
    except Intercepted:
        return engine.intercept(op, args)
    except Overridden:
        return op.offer(args)
    if not found and not state.arrays:
        raise op.refuse(at := [*op.inputs, 0][0], args[at])
    y, aux = run_forward(op, arrays)
    if anomaly.on:
        anomaly.after_forward(op, arrays, y)
    if not found:
        return (y, *aux[: len(op.also)]) if op.also else y
    node = record(op, mask, args, arrays, y, aux) if mask and state.grad else None
    if op.many:
        outs = [result(op, args, array, node and Pick(node, k)) for k, array in enumerate(y)]
        if node is not None and node.plan.y is not None:
            node.versions += [("y", s, s.count) for s in map(storage_of, outs)]
        return outs
    out = result(op, args, y, node)
    if node is not None and node.plan.y is not None:
        storage = storage_of(out)
        node.versions.append(("y", storage, storage.count))
    if op.also:
        more = [result(op, args, np.asarray(a), None) for a in aux[: len(op.also)]]
        note_saved(node, op.also, more)
        return (out, *more)
    return out


def result(op: Op, args: Sequence[Any], array: ndarray, node: Node | None) -> Any:
    """Wrap one result array in a tensor."""
    out = new(engine.Tensor)
    out._data = array
    if op.view:
        engine.Tensor._mark_view(out, op, args)
    if node is None:
        if state.inference and not op.view:
            out._storage = InferenceStorage()
    elif array.dtype.kind == "f":
        out._node = node
    return out


def gather(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """Replace tensors by their arrays; also return the mask of inputs that need a gradient."""
    arrays, mask, found = list(args), 0, False
    for i, bit in op.bits:
        arg = args[i]
        if isinstance(arg, engine.Tensor):
            found = True
            arrays[i] = arg._data
            if arg._base is not None:
                engine.refresh(arg)
            if arg._node is not None:
                mask |= bit
        elif type(arg) not in NUMBERS and not (state.arrays and isinstance(arg, ndarray)):
            if not isinstance(arg, np.generic):
                raise op.refuse(i, arg)
            if not state.arrays:
                arrays[i] = arg.item()
    return arrays, mask, found


def gather_many(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """`gather` for ops over a sequence of tensors (cat, stack, einsum): the first argument."""
    arrays, mask, found = list(args), 0, False
    items = arrays[0] = op.listed(args[0])
    for k, arg in enumerate(items):
        if isinstance(arg, engine.Tensor):
            found = True
            items[k] = arg._data
            if arg._base is not None:
                engine.refresh(arg)
            if arg._node is not None:
                mask = op.bits[0][1]
        elif not (state.arrays and isinstance(arg, (ndarray, np.generic))):
            raise no_tensor(arg, f"{op.name}(): expected Tensor as element {k} in argument 0, "
                                 f"but got {type(arg).__name__}")
    return arrays, mask, found


def run_forward(op: Op, arrays: list[Any]) -> tuple[Any, Sequence[Any]]:
    """Run the op on arrays; return the result (list for many) and the auxiliary results."""
    loud = None
    try:
        loud = hush()
        y = op.forward(*arrays)
    except Exception as error:
        raise op.failure(error, arrays)  # noqa: B904 - what NumPy said stays visible below
    finally:
        (unhush if loud else recover)(loud)
    aux: Sequence[Any] = ()
    if op.aux:
        y, *aux = y
    if type(y) is not ndarray:
        y = list(y) if op.many else np.asarray(y)
    return y, aux

