"""Write the function that calls one op: `apply_any` for the usual case, without loops.

An op of one result that is called on tensors and numbers gets a function of its own, which is
written as text, once it has been called some times. It takes the op's arguments by position. For
`mul`, of which both inputs have been seen to need gradients, it begins like this:

    def mul(x0, x1):
        ...
        mask = 0
        if isinstance(x0, Tensor):
            a0, n0 = x0._data, x0._node
            ...
        y = op.forward(a0, a1)

x are arguments, a arrays, n nodes, c auxiliary results, by number. How a call is recorded depends
on which inputs need gradients (`mask`). What there is a plan for stands in the text, anything else
goes to `record`, which makes the plan; then the function is written anew. Such a function takes
half the time of loops over the op's inputs: Python looks attributes up in 5 ns instead of 40 where
a line of code meets objects of one class, and each op has lines of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import engine
from ._quiet import hush, recover, unhush
from .anomaly import anomaly
from .calls import apply_any
from .declare import Op, Plan, function_of
from .engine import NUMBERS, Node, new, record
from .modes import state
from .nodes import numbers
from .versions import InferenceStorage, Intercepted, Storage

# What the functions know by name, besides Tensor and `refresh`, their op and its plans.
NAMES = {"InferenceStorage": InferenceStorage, "Intercepted": Intercepted, "NUMBERS": NUMBERS,
         "Node": Node, "Storage": Storage, "__name__": __name__, "anomaly": anomaly,
         "apply_any": apply_any, "asarray": np.asarray, "engine": engine, "hush": hush,
         "ndarray": np.ndarray, "new": new, "numbers": numbers, "record": record,
         "recover": recover, "state": state, "unhush": unhush}

# In these texts {i} is the number of an input, {bit} its bit in the mask, {args} all arguments.
BEGIN = """
def call({args}):
    if anomaly.watched:
        return apply_any(op, ({args},))
    mask = 0
    try:
"""
INPUT = """
        if isinstance(x{i}, Tensor):
            a{i} = x{i}._data
            if x{i}._base is not None:
                refresh(x{i})
            n{i} = x{i}._node
            if n{i} is not None:
                mask |= {bit}
        elif type(x{i}) in NUMBERS:
            a{i} = x{i}
        else:
            return apply_any(op, ({args},))
"""
INPUT_WITHOUT_RULE = """
        if isinstance(x{i}, Tensor):
            a{i} = x{i}._data
            if x{i}._base is not None:
                refresh(x{i})
        elif type(x{i}) in NUMBERS:
            a{i} = x{i}
        else:
            return apply_any(op, ({args},))
"""
GATHERED = """
    except Intercepted:
        return engine.intercept(op, ({args},))
    if not mask and {no_tensor}:
        return apply_any(op, ({args},))
    try:
"""
VIEW = """
        y = op.forward({arrays})
"""
QUIET = """
        loud = None
        try:
            loud = hush()
            {results} = op.forward({arrays})
        finally:
            (unhush if loud else recover)(loud)
"""
RAN = """
    except Exception as error:
        raise op.failure(error, [{arrays}])
    if type(y) is not ndarray:
        y = asarray(y)
    out = new(Tensor)
    out._data = y
"""
MARK = """
    Tensor._mark_view(out, op, ({args},))
"""
RECORD = """
    if mask and state.grad:
        kind = y.dtype
        if kind.kind == "f":
"""
PLANNED = """
            if mask == {mask}:
                out._node = node = new(Node)
                node.op = op
                node.plan = plan{mask}
                node.key = -next(numbers)
                node.shape = y.shape
                node.dtype = kind
                node.hooks = node.meta = node.retain = None
                node.parents = [{nodes}]
                node.saved = [{saved}]
                node.versions = versions = []
"""
SAVED_INPUT = """
                storage = x{i}._storage
                if storage is None:
                    storage = x{i}._storage = Storage()
                    storage.count = 0
                versions.append(("{input}", storage, storage.count))
"""
SAVED_OTHER_INPUT = """
                if isinstance(x{i}, Tensor):""" + SAVED_INPUT.replace("\n ", "\n     ")
SAVED_RESULT = """
                storage = out._storage = Storage()
                storage.count = 0
                versions.append(("y", storage, 0))
"""
PLANNED_END = """
                return out
"""
NOT_PLANNED = """
            out._node = node = record(op, mask, ({args},), [{arrays}], y, [{aux}])
            if node.plan.y is not None:
                storage = out._storage = Storage()
                node.versions.append(("y", storage, 0))
"""
INFERENCE = """
    elif state.inference:
        out._storage = InferenceStorage()
"""
END = """
    return out
"""


def text_of(op: Op, plans: dict[int, Plan]) -> str:
    """Return the text of the function that calls an op, with the plans that are known."""
    args = [f"x{i}" for i in range(len(op.names))]
    arrays = [f"a{i}" if i in op.inputs else x for i, x in enumerate(args)]
    aux = [f"c{i}" for i in range(len(op.aux))]
    pool = [*arrays, "y", *aux]
    common = {"args": ", ".join(args), "arrays": ", ".join(arrays), "aux": ", ".join(aux),
              "results": ", ".join(["y", *aux]), "no_tensor": " and ".join(
                  f"not isinstance(x{i}, Tensor)" for i in op.inputs)}
    text: list[str] = []

    def add(part: str, **own: Any) -> None:
        text.append(part.strip("\n").format(**common, **own))

    add(BEGIN)
    for i, bit in op.bits:
        add(INPUT if bit else INPUT_WITHOUT_RULE, i=i, bit=bit)
    add(GATHERED)
    add(VIEW if op.view else QUIET)
    add(RAN)
    if op.view:
        add(MARK)
    add(RECORD)
    for mask, plan in plans.items():
        saved = [pool[i] for i in plan.direct]
        saved += [f"{arrays[i]}.shape if isinstance(x{i}, Tensor) else ()" if i in op.inputs
                  else f'getattr(x{i}, "shape", ())' for i in plan.shapes]
        add(PLANNED, mask=mask, nodes=", ".join(f"n{i}" for i in plan.positions),
            saved=", ".join(saved))
        for i in plan.tensors:
            add(SAVED_INPUT if mask >> i & 1 else SAVED_OTHER_INPUT, i=i, input=op.names[i])
        if plan.y is not None:
            add(SAVED_RESULT)
        add(PLANNED_END)
    add(NOT_PLANNED)
    if not op.view:
        add(INFERENCE)
    add(END)
    return "\n".join(text)


def write(op: Op) -> Callable[..., Any]:
    """Return the function that calls an op of one result."""
    if op.several:
        return lambda *args: apply_any(op, args)
    plans = dict(op.plans)
    known = {f"plan{mask}": plan for mask, plan in plans.items()}
    return function_of(text_of(op, plans), {
        **NAMES, "Tensor": engine.Tensor, "refresh": engine.refresh, "op": op, **known}, op.name)
