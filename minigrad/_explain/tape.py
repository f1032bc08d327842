"""Reading a tape for `explain`: its ops newest first, their values, gradients and derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import engine
from ..calls import run_forward
from ..declare import REQUIRED
from ..engine import Leaf, Pick, settle, sweep
from ..modes import state

Array = np.ndarray[Any, Any]
RECOMPUTED = {"dtype": None}  # arguments that rules do not name, and that change no number here


class Tape:
    """The ops behind a tensor: `ops` newest first, `leaves` in the order of their first use."""

    def __init__(self, tensor: Any) -> None:
        self.root = tensor._node
        self.ops: list[Any] = []
        self.leaves: list[Any] = []
        self._walk()
        self.values: dict[Any, Array] = {}
        self._learn(tensor)
        self.grads = self._gradients(tensor)
        self._jacobians: dict[tuple[Any, int], Array | None] = {}

    def _walk(self) -> None:
        seen, stack, picks = {self.root}, [self.root], []
        while stack:
            node = stack.pop()
            if type(node) is Leaf:
                self.leaves.append(node)
            elif type(node) is Pick:
                picks.append(node)
            else:
                self.ops.append(node)
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        self.ops.sort(key=lambda n: n.key)
        self.picks = picks
        first: dict[Any, int] = {}
        for op in reversed(self.ops):
            for parent in op.parents:
                first.setdefault(parent, len(first))
        self.leaves.sort(key=lambda leaf: first.get(leaf, 0))
        if any(op.versions is None for op in self.ops):
            raise RuntimeError("tensor: backward has freed what its ops had saved. Explain it "
                               "before backward(), or call backward(retain_graph=True)")

    # ---- values
    def _learn(self, tensor: Any) -> None:
        """Collect the values that leaves, results and consumers hold; compute what follows."""
        self.values[self.root] = tensor._data
        for leaf in self.leaves:
            self.values[leaf] = leaf.array
        for node in self.ops:
            if node.plan is None or node.op.variadic:
                continue
            held = dict(zip(node.plan.names, node.saved, strict=True))
            if isinstance(held.get("y"), np.ndarray):
                self.values.setdefault(node, held["y"])
            for position, parent in zip(node.plan.positions, node.parents, strict=True):
                value = held.get(node.op.names[position])
                if isinstance(value, np.ndarray) and value.shape == parent.shape:
                    self.values.setdefault(parent, value)
        for node in reversed(self.ops):
            if node not in self.values:
                self._compute(node)

    def _compute(self, node: Any) -> None:
        """Run an op again if all its arguments are known (they are not, of random ops)."""
        op = node.op
        if node.plan is None or op.many:
            return
        if op.variadic:
            if all(p in self.values for p in node.parents) and len(op.names) == 2:
                held = dict(zip(node.plan.names, node.saved, strict=True))
                if op.names[1] not in held:
                    return
                arguments = [[self.values[p] for p in node.parents], held[op.names[1]]]
                self._run(node, arguments)
            return
        found = self.arguments(node)
        arguments = []
        for name, default in zip(op.names, op.defaults, strict=True):
            if name in found:
                arguments.append(found[name])
            elif name in RECOMPUTED and default is not REQUIRED:
                arguments.append(default)
            elif name in ("shape", "size"):
                arguments.append(node.shape)
            else:
                return
        self._run(node, arguments)

    def _run(self, node: Any, arguments: list[Any]) -> None:
        if "generator" in node.op.names:
            return
        try:
            y, _ = run_forward(node.op, arguments)
        except (ValueError, TypeError, IndexError):  # what it needs is not on the tape
            return
        if getattr(y, "shape", None) == node.shape:
            self.values[node] = y

    def arguments(self, node: Any) -> dict[str, Any]:
        """Return an op's arguments by name, as far as they are known."""
        if node.plan is None or node.op.variadic:
            return {}
        found = {name: value for name, value in zip(node.plan.names, node.saved, strict=True)
                 if name in node.op.slots}
        for position, parent in zip(node.plan.positions, node.parents, strict=True):
            if parent in self.values:
                found.setdefault(node.op.names[position], self.values[parent])
        return found

    def inputs(self, node: Any) -> list[tuple[int, str, Any]]:
        """Return (number of the parent, name of the argument, parent) of each input."""
        parents = node.parents
        if node.plan is None:
            names = [f"args[{k}]" for k in range(len(parents))]
        elif node.op.variadic:
            names = [f"tensors[{k}]" for k in range(len(parents))]
        else:
            names = [node.op.names[i] for i in node.plan.positions]
        return [(k, name, p) for k, (name, p) in enumerate(zip(names, parents, strict=True))
                if p is not None]

    # ---- gradients
    def _gradients(self, tensor: Any) -> dict[Any, Any]:
        """Return the gradient at every node; hooks stay silent, `.grad` is not touched."""
        nodes = [*self.ops, *self.picks, *self.leaves]
        held = [(n, n.hooks, n.retain) for n in nodes]
        for node in nodes:
            node.hooks = node.retain = None
        try:
            return sweep([(self.root, np.ones_like(tensor._data))], set(nodes), keep=True)
        finally:
            for node, hooks, retain in held:
                node.hooks, node.retain = hooks, retain

    def push(self, node: Any, g: Any) -> list[Any]:
        """Return what an op gives each parent if `g` arrives."""
        state.arrays += 1
        try:
            given = node.gradients(g, False, None)
            return [None if p is None or d is None else
                    (d if type(d) is engine.Slot else settle(np.asarray(d), p, False))
                    for p, d in zip(node.parents, given, strict=True)]
        finally:
            state.arrays -= 1

    def jacobian(self, node: Any, k: int, most: int) -> Array | None:
        """Return d y / d (parent k) as a matrix; None if y or the parent has over `most` elements.

        Row i is what the parent gets if g is 1 at element i of y, and 0 elsewhere.
        """
        key = (node, k)
        if key not in self._jacobians:
            self._jacobians[key] = self._matrix(node, k, most)
        return self._jacobians[key]

    def _matrix(self, node: Any, k: int, most: int) -> Array | None:
        parent = node.parents[k]
        if isinstance(node.shape, list) or isinstance(parent.shape, list) or node.dtype is None:
            return None
        size, width = int(np.prod(node.shape)), int(np.prod(parent.shape))
        if max(size, width) > most:
            return None
        rows = np.zeros((size, width), parent.dtype)
        for i in range(size):
            unit = np.zeros(size, node.dtype)
            unit[i] = 1
            got = self.push(node, unit.reshape(node.shape))[k]
            if got is not None:
                rows[i] = got.reshape(-1)
        return rows

    def consumers(self) -> dict[Any, list[tuple[Any, int]]]:
        """Return which op uses each node, and as which of its parents; oldest first."""
        found: dict[Any, list[tuple[Any, int]]] = {}
        for node in [*reversed(self.ops), *self.picks]:
            for k, parent in enumerate(node.parents):
                if parent is not None:
                    found.setdefault(parent, []).append((node, k))
        return found
