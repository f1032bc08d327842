"""What users call to run the tape backward: `backward` and `grad`, and the checks of arguments."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from . import engine
from .engine import Leaf, sweep, wrap
from .modes import state


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, engine.Tensor):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise TypeError(f"{name}: expected a Tensor or a sequence of Tensors, got "
                        f"{type(value).__name__}")
    items = [EdgeOf(value)] if _is_edge(value) else list(value)
    for k, item in enumerate(items):
        if _is_edge(item):
            items[k] = EdgeOf(item)
        elif not isinstance(item, (engine.Tensor, EdgeOf)):
            kind = RuntimeError if name == "inputs" else TypeError
            raise kind(f"{name}: all elements have to be Tensors, but element {k} is of type "
                       f"{type(item).__name__}")
    return items


def _is_edge(item: Any) -> bool:
    """Return True for a `graph.GradientEdge`, which is a named tuple."""
    return hasattr(item, "ownership_token")


class EdgeOf:
    """What a gradient edge stands for where a tensor is expected."""

    requires_grad = True

    def __init__(self, edge: Any) -> None:
        node, at = edge.node, edge.output_nr
        several = isinstance(node.shape, list)
        self._node = engine.Pick(node, at) if several else node
        self._data = np.broadcast_to(np.zeros((), node.dtype), self._node.shape)
        self.place = (node, at) if several else (node, None)

    @property
    def dtype(self) -> Any:
        return engine.Tensor._dtype_of(self._data.dtype)


def _place(t: Any) -> tuple[Any, int | None]:
    """Return the node at which the gradient of an input arrives, and which of its outputs it is."""
    return t.place if isinstance(t, EdgeOf) else (t._node, None)


def _arrived(found: dict[Any, Any], t: Any) -> Any:
    """Return the gradient that a sweep found for an input."""
    node, at = _place(t)
    g = found.get(node)
    return g if g is None or at is None else g[at]


def _targets(inputs: Any) -> list[Any]:
    """Return the tensors to differentiate with respect to; each must require grad."""
    wanted = _listed(inputs, "inputs")
    if not wanted:
        raise RuntimeError("inputs cannot be empty: give at least one tensor to differentiate with "
                           "respect to")
    for t in wanted:
        if not t.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    return wanted


def _roots(outputs: list[Any], grads: Any, create: bool) -> list[tuple[Any, Any]]:
    """Pair the outputs' nodes with their gradients: given ones, or one for a single number."""
    if grads is None:
        grads = [None] * len(outputs)
    elif isinstance(grads, engine.Tensor):
        grads = [grads]
    else:
        grads = list(grads) if isinstance(grads, Iterable) else [grads]
    for g in grads:
        if g is not None and not isinstance(g, engine.Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients; give one "
                           f"gradient (or None) per tensor")
    return [_root(k, out, g, create) for k, (out, g) in enumerate(zip(outputs, grads, strict=True))]


def _root(k: int, out: Any, g: Any, create: bool) -> tuple[Any, Any]:
    """Return the node of output k and its gradient: the given one, or one."""
    array = out._data
    if not out.requires_grad:
        raise RuntimeError(f"element {k} of tensors does not require grad and does not have a "
                           f"grad_fn: nothing that it was computed from has requires_grad=True "
                           f"(or it was detached, or made under no_grad)")
    if g is None:
        if array.size != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs, not for shape "
                f"{list(array.shape)}: reduce it first, such as with .sum(), or give the "
                f"gradient of the result as gradient= (grad_outputs=)")
        made = _one if out._node.hooks is None else np.ones  # a hook may write into it
        one = made(array.shape, array.dtype)
        return out._node, wrap(one, None) if create else one
    if g._data.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{k}] has a shape of {list(g._data.shape)} and "
            f"output[{k}] has a shape of {list(array.shape)}.")
    if g._data.dtype != array.dtype:
        g = g.to(out.dtype)
    return out._node, g if create else g._data


@lru_cache(maxsize=16)
def _one(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Return the gradient of a single number by itself; made once, so it must not be written."""
    made = np.ones(shape, dtype)
    made.flags.writeable = False
    return made


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None,
             create_graph: bool = False, inputs: Any = None) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves (or only of `inputs`).

    Args: `grad_tensors`, the gradients of each tensor, may be None for single numbers;
    `retain_graph` keeps saved values for another backward (default: `create_graph`);
    `create_graph` records the backward pass, for derivatives of higher order.
    """
    if grad_tensors is None and isinstance(tensors, engine.Tensor):  # a loss
        roots = [_root(0, tensors, None, create_graph)]
    else:
        roots = _roots(_listed(tensors, "tensors"), grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        sweep(roots, keep=keep, create=create_graph)
        return
    wanted = _targets(inputs)
    if any(isinstance(t, EdgeOf) and type(t._node) is not Leaf for t in wanted):
        raise RuntimeError("backward: a gradient edge in inputs= must be that of a leaf: for "
                           "others there is no tensor whose .grad could be set; use grad()")
    found = sweep(roots, {t._node for t in wanted}, keep=keep, create=create_graph)
    for t in wanted:
        g = found.pop(t._node, None)
        if g is None:
            continue
        if type(t._node) is Leaf:
            t._node.accumulate(g, create_graph)
        elif t._node.retain is None:  # (retain_grad has kept it already)
            g = g if create_graph else wrap(g, None)
            t._grad = g if t._grad is None else t._grad + g


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
         is_grads_batched: bool = False, materialize_grads: bool = False) -> tuple[Any, ...]:
    """Return the gradients of `outputs` with respect to `inputs`; `.grad` is left alone.

    >>> import minigrad as torch
    >>> x = torch.tensor(3., requires_grad=True)
    >>> (first,) = torch.autograd.grad(x ** 3, x, create_graph=True)
    >>> torch.autograd.grad(first, x)
    (tensor(18.),)
    """
    if not only_inputs:
        warnings.warn("only_inputs is deprecated and ignored: gradients of other leaves are never "
                      "accumulated by grad(); use backward() for that", FutureWarning, stacklevel=2)
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when "
                         "materialize_grads=True")
    if is_grads_batched or state.levels:
        from .func._batched_grad import grad_of_batch

        return grad_of_batch(outputs, inputs, grad_outputs, retain_graph, create_graph,
                             allow_unused, materialize_grads, is_grads_batched)
    wanted = _targets(inputs)
    roots = _roots(_listed(outputs, "outputs"), grad_outputs, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = sweep(roots, {_place(t)[0] for t in wanted}, keep=keep, create=create_graph)
    results: list[Any] = []
    for t in wanted:
        g = _arrived(found, t)
        if g is None:
            if not (allow_unused or materialize_grads):
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the graph. "
                    "Set allow_unused=True if this is the desired behavior.")
            zeros = wrap(np.zeros_like(t._data), None) if materialize_grads else None
            results.append(zeros.requires_grad_() if create_graph and zeros is not None else zeros)
        elif create_graph:
            results.append(g)
        else:
            own = type(g) is np.ndarray and g.base is None
            results.append(wrap(g if own else np.array(g), None))
    return tuple(results)


