"""In-place changes of a tensor's own shape (`squeeze_`, `t_`, ...): no memory moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import engine
from .engine import Leaf, op
from .modes import enable_grad, state
from .versions import Intercepted, storage_of
from .views import check_leaf, move_to, wrote

intercept: Any = None  # the same on the batched tensors of vmap; func/_vmap.py sets it


@op(input=lambda g, input_shape: sized(g, input_shape), view=True)  # type: ignore[has-type]
def sized(input: Any, shape: Any) -> np.ndarray:
    """Return the same memory with dimensions of size 1 put in or left out."""
    return input.reshape(shape)


SIZED = sized.op  # type: ignore[attr-defined]


def reshaped(x: Any, function: Any, *options: Any) -> Any:
    """Turn `x` itself into what a view op makes of it (squeeze_, t_, ...); no memory moves.

    If `x` is a base, older views of it have chains that start from its old shape: `_reshapes` says
    how to come back to that one.
    """
    made = function.op
    try:
        if x._base is not None:
            engine.refresh(x)
    except Intercepted:
        return intercept(x, function(x, *options))
    if state.grad:
        check_leaf(made, x)
    with enable_grad():  # the history must have the shapes of the values, even under no_grad()
        shape, view = x._data.shape, function(x, *options)
    x._data = view._data
    if type(x._node) is Leaf:
        x._node.hold(view._data)
    elif view._node is not None:
        move_to(x, view._node)
    if x._base is not None:
        x._chain = view._chain
    else:
        storage = storage_of(x)
        storage.rebased += 1
        undo = view._chain[-1] if made.name in ("t", "transpose") else (SIZED, (shape,))
        if made.name == "as_strided":
            stride, offset, layout = view._chain[-1][1][1:]
            undo = (made, (shape, layout, -offset, stride))
        x._reshapes = (*x._reshapes, (storage.rebased, undo))
    wrote(x, made.name + "_")
    return x


@op(input=lambda g: g, view=True, shown="AliasBackward0")
def alias(input: Any) -> np.ndarray:
    """Return the same memory as it is."""
    return input[...]
