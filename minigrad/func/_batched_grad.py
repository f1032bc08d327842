"""`autograd.grad` where gradients of results are batched: by `is_grads_batched`, or inside vmap."""

from __future__ import annotations

from typing import Any

from ..backprop import _listed, _targets
from ..tensor import Tensor
from ._level import core, levels_of, ones_like, pull, zeros_like
from ._vmap import vmap


def grad_of_batch(outputs: Any, inputs: Any, grad_outputs: Any, retain_graph: bool | None,
                  create_graph: bool, allow_unused: bool | None, materialize: bool,
                  rows: bool) -> tuple[Any, ...]:
    """Do what `autograd.grad` does; `rows`: dimension 0 of each gradient numbers the batch."""
    outs, wanted = _listed(outputs, "outputs"), _targets(inputs)
    given = [None] * len(outs) if grad_outputs is None else _some(grad_outputs)
    if len(given) != len(outs):
        raise RuntimeError(f"got {len(outs)} tensors and {len(given)} gradients; give one gradient "
                           f"(or None) per tensor")
    for k, (out, g) in enumerate(zip(outs, given, strict=True)):
        _check(k, out, g, wanted, rows)
    keep = create_graph if retain_graph is None else retain_graph
    unused: set[int] = set()

    def one(*parts: Any) -> Any:
        stream = iter(parts)
        weights = [ones_like(out) if g is None else next(stream)
                   for out, g in zip(outs, given, strict=True)]
        weights = [w if w._data.dtype == out._data.dtype else w.to(out.dtype)
                   for w, out in zip(weights, outs, strict=True)]
        grads = pull(outs, wanted, weights, keep=keep or rows, create=create_graph)
        unused.update(k for k, g in enumerate(grads) if g is None)
        return tuple(zeros_like(t) if g is None else g
                     for g, t in zip(grads, wanted, strict=True))

    present = [g for g in given if g is not None]
    if rows and not present:
        raise RuntimeError("is_grads_batched=True: give grad_outputs with a batch dimension")
    grads = vmap(one)(*present) if rows else one(*present)
    if rows and not keep:
        _release([core(out)._node for out in outs])
    if unused and not (allow_unused or materialize):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. Set "
            "allow_unused=True if this is the desired behavior.")
    return tuple(None if k in unused and not materialize else g for k, g in enumerate(grads))


def _some(grad_outputs: Any) -> list[Any]:
    return [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)


def _check(k: int, out: Any, g: Any, wanted: Any, rows: bool) -> None:
    """Refuse what has no gradient, and gradients of another shape."""
    if not out.requires_grad:
        raise RuntimeError(f"element {k} of tensors does not require grad and does not have a "
                           f"grad_fn")
    for t in wanted:
        if not {id(level) for level in levels_of(out)} <= {id(level) for level in levels_of(t)}:
            raise RuntimeError(
                "autograd.grad inside vmap: the result is batched and the input is not, so there "
                "is one gradient per example. Use func.grad or func.vjp inside vmap.")
    if g is None:
        if out._data.size != 1:
            raise RuntimeError(f"grad can be implicitly created only for scalar outputs, not for "
                               f"shape {list(out.shape)}")
        return
    found = tuple(g.shape[1:]) if rows else tuple(g.shape)
    if found != tuple(out.shape):
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{k}] has a shape of {g.shape} and output[{k}] has a "
            f"shape of {out.shape}."
            + (" With is_grads_batched=True, dimension 0 of grad_output is the batch."
               if rows else ""))


def _release(nodes: list[Any]) -> None:
    """Free what the nodes below saved, as a backward without retain_graph does."""
    stack = [node for node in nodes if node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if hasattr(node, "release"):
            node.release()
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
