"""Where a differentiation begins and ends: what `grad`, `vjp`, `jvp` and the Jacobians share.

Each of them gives its inputs fresh places on the tape (`begin`), runs the function, and sweeps back
to those places only. A place of an input that an outer differentiation (or `backward`) watches is
tied to the input's own place, so derivatives nest. Values that go out (`finish`) lose their places
if nobody outside watches anything that they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..engine import Leaf, record, sweep, wrap
from ..fused import IDENTITY
from ..modes import F, state
from ..tensor import Tensor
from ..versions import storage_of
from ._batched import BatchedTensor, batch, core, levels_of, lift, rewrap, strip

ndarray = np.ndarray


def bounded(function: F) -> F:
    """Let no differentiation outlive a function, even if KeyboardInterrupt skips an `__exit__`."""

    @wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        before = state.runs, state.grad
        try:
            return function(*args, **given)
        finally:
            state.runs, state.grad = before

    return call  # type: ignore[return-value]


class Differentiation:
    """One `grad`, `vjp` or `jvp`: the places where it began. Inside `with` its function runs."""

    def __init__(self) -> None:
        self.starts: set[Any] = set()
        self.watched = state.grad  # under no_grad nobody outside can watch

    def __enter__(self) -> Differentiation:
        self._before = state.runs, state.grad
        state.runs, state.grad = (*state.runs, self), True
        return self

    def __exit__(self, *exc: object) -> None:
        state.runs, state.grad = self._before

    def begin(self, t: Any) -> Tensor:
        """Return the tensor at a fresh place on the tape."""
        if not isinstance(t, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
        if t._data.dtype.kind != "f":
            raise RuntimeError(f"only Tensors of floating point dtype can require gradients, not "
                               f"{t.dtype}: convert with .float() first")
        if state.levels:  # a derivative for every example, though all begin at the same values
            t = lift(t, list(state.levels))
        inner = core(t)
        source = inner if self.watched else inner.detach()
        if isinstance(inner._data, ndarray) and source._base is not None:
            source.requires_grad  # noqa: B018 - ties a view to its place if its base was rewritten
        node = record(IDENTITY, 1, [source], [inner._data], inner._data, ())
        self.starts.add(node)
        made = wrap(inner._data, node)
        made._storage = storage_of(inner)
        return rewrapped(made, t)

    def outside(self, nodes: Sequence[Any]) -> bool:
        """Return True if any of the nodes depends on a place that somebody outside watches.

        These are leaves, for `backward`, and the places where differentiations began that still
        run their functions.
        """
        if not self.watched:
            return False
        others = [run.starts for run in state.runs if run is not self]
        stack = [node for node in nodes if node is not None]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if type(node) is Leaf or any(node in starts for starts in others):
                return True
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return False

    def finish(self, t: Any) -> Any:
        """Return a tensor as those outside may have it."""
        if not isinstance(t, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(t)}")
        node = core(t)._node
        return t if node is None or self.outside([node]) else t.detach()


def rewrapped(inner: Tensor, like: Tensor) -> Tensor:
    """Return a plain tensor batched at the levels of `like`."""
    for level in reversed(levels_of(like)):
        inner = batch(inner, level)
    return inner


def pull(outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor], *,
         keep: bool, create: bool) -> list[Tensor | None]:
    """Return the gradients of tensors, batched or not, with respect to others; None: not used."""
    roots: list[tuple[Any, Any]] = []
    plain = not create
    for out, cotangent in zip(outputs, cotangents, strict=True):
        node = core(out)._node
        if node is None:
            continue
        levels = levels_of(out)
        given = strip(lift(cotangent, levels), levels) if levels else cotangent
        plain = plain and not isinstance(given, BatchedTensor)
        roots.append((node, given))
    if plain:
        roots = [(node, given._data) for node, given in roots]
    places = [core(t)._node for t in inputs]
    found = sweep(roots, {node for node in places if node is not None}, keep=keep,
                  create=create or (False if plain else "tensors")) if roots else {}
    grads: list[Tensor | None] = []
    for t, node in zip(inputs, places, strict=True):
        g: Any = found.get(node)
        if g is None:
            grads.append(None)
            continue
        if not isinstance(g, Tensor):
            g = wrap(g if type(g) is ndarray and g.base is None else np.array(g), None)
        grads.append(rewrap(g, levels_of(t)))
    return grads


def zeros_like(t: Tensor) -> Tensor:
    """Return zeros of the shape and dtype of one example."""
    return wrap(np.zeros(t._data.shape, t._data.dtype), None)


def ones_like(t: Tensor) -> Tensor:
    """Return ones of the shape and dtype of one example."""
    return wrap(np.ones(t._data.shape, t._data.dtype), None)
