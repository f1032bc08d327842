"""Watching backward: the gradient of every op, what each sends to its inputs, and the time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import engine
from ..autograd.function import FunctionNode
from ..engine import Leaf, sweep
from .parts import Stats
from .values import norm_of, stats_of


class Gradients:
    """What a backward pass showed, by the identity of the nodes (which stay alive meanwhile)."""

    def __init__(self, numbers: bool = True) -> None:
        self.numbers = numbers
        self.arrived: dict[int, Stats] = {}  # the complete gradient of a node's result
        self.sent: dict[int, list[Stats | float | None]] = {}  # to each parent; float: the norm
        self.seconds: dict[int, float] = {}
        self.nodes: list[Any] = []  # keeps them alive: the ids are keys
        self.running: list[Any] = []
        self.failed: Any = None  # the node whose backward raised
        self.leaves: dict[int, Stats] = {}

    def note(self, node: Any, g: Any, grads: Any, seconds: float) -> None:
        """Take note of one node's backward."""
        self.nodes.append(node)
        key = id(node)
        self.seconds[key] = self.seconds.get(key, 0.0) + seconds
        first = next((a for a in (g if isinstance(g, list) else [g]) if a is not None), None)
        array = getattr(first, "_data", first)
        found = stats_of(np.asarray(array), len(self.nodes) < 3000) if array is not None else None
        if found is not None:
            self.arrived[key] = found
        detailed = self.numbers and len(self.nodes) < 3000
        self.sent[key] = [_sent(d, p, detailed) for d, p in zip(grads, node.parents, strict=False)]

    def run(self, roots: list[tuple[Any, Any]], keep: bool) -> None:
        """Go backward from the roots; no leaf's `.grad` is touched."""
        leaves = _leaves([node for node, _ in roots])
        if leaves:
            found = sweep(roots, set(leaves), keep=keep)
            for leaf, g in found.items():
                stats = stats_of(np.asarray(g), len(self.nodes) < 3000)
                if stats is not None:
                    self.leaves[id(leaf)] = stats
            self.nodes += leaves

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Be told of every node's backward in this thread until the end of the block."""
        thread = threading.get_ident()
        plain = [(cls, cls.gradients) for cls in (engine.Node, FunctionNode)]

        def told(original: Any) -> Any:
            def gradients(node: Any, g: Any, create: bool, wanted: Any) -> Any:
                if threading.get_ident() != thread:
                    return original(node, g, create, wanted)
                start = time.perf_counter()
                try:
                    grads = [*original(node, g, create, wanted)]
                except Exception:
                    self.failed = node
                    raise
                self.note(node, g, grads, time.perf_counter() - start)
                return grads

            return gradients

        for cls, original in plain:
            cls.gradients = told(original)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for cls, original in plain:
                cls.gradients = original  # type: ignore[method-assign]


def _sent(d: Any, parent: Any, detailed: bool) -> Stats | float | None:
    """Return what is known of a gradient as it reaches a parent (broadcasting undone).

    Not `detailed`: its norm alone.
    """
    if d is None or parent is None or not hasattr(d, "shape"):
        return None
    array = np.asarray(getattr(d, "_data", d))
    if array.shape != parent.shape and not isinstance(parent.shape, list):
        array = engine.settle(array, parent, False)
    if detailed:
        return stats_of(array)
    return norm_of(array)


def _leaves(roots: list[Any]) -> list[Any]:
    seen, stack, found = set(roots), list(roots), []
    while stack:
        node = stack.pop()
        if type(node) is Leaf:
            found.append(node)
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return found


def starts(outputs: list[tuple[str, Any]], target: Any) -> list[tuple[Any, Any]]:
    """Return (node, gradient) for the outputs that backward starts from, with ones as gradient."""
    chosen = [(name, t) for name, t in outputs if t.requires_grad]
    if target is not None:
        chosen = [(name, t) for name, t in chosen if name == target]
        if not chosen:
            names = [name for name, t in outputs if t.requires_grad]
            raise ValueError(f"target: no output that requires grad is called {target!r}; there "
                             f"are {', '.join(map(repr, names)) or 'none'}")
    return [(t._node, np.ones_like(t._data)) for _, t in chosen]
