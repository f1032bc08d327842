"""Reading the tape: nodes of the engine become nodes and edges of a `Graph`."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine import Leaf, Pick
from ..views import AS_VIEW, COPY_SLICES
from .calls import Calls, above
from .graph import Edge, Graph, Node


class Source:
    """A value that no op made: an input, a parameter, a constant."""

    def __init__(self, kind: str, name: str, tensor: Any, note: str = "") -> None:
        self.kind, self.name, self.tensor, self.note = kind, name, tensor, note
        self.node = tensor._node
        self.array = tensor._data


def build(outputs: list[tuple[str, Any]], sources: list[Source], calls: Calls | None) -> Graph:
    """Walk the tape from the outputs (without recursion) and translate it, oldest node first."""
    return _Reader(outputs, sources, calls).graph()


class _Reader:
    def __init__(self, outputs: list[tuple[str, Any]], sources: list[Source],
                 calls: Calls | None) -> None:
        self.outputs, self.sources = outputs, sources
        self.complete = calls is not None  # a run shows all its inputs and parameters
        self.boxes = calls.boxes() if calls else {}
        self.calls = calls
        self.by_node = {id(s.node): s for s in sources if s.node is not None}
        self.by_memory = {_owner(s.array): s for s in sources if s.node is None}
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.ids: dict[int, str] = {}  # of engine nodes, and of sources without one
        self.unnamed: list[Source] = []

    def graph(self) -> Graph:
        """Translate: inputs, ops (a parameter stands before its first use), the rest, outputs."""
        ops = self.reachable([t._node for _, t in self.outputs if t.requires_grad])
        homes = self.calls.of([-n.key for n in ops]) if self.calls else [None] * len(ops)
        if self.complete:
            for source in self.sources:
                if source.kind == "input":
                    self.place(source, id(source.node) in self.seen or source.node is None)
        repeats = self.calls.repeats() if self.calls else {}
        for node, call in zip(ops, homes, strict=True):
            if call is None:
                self.op(node, None, ())
            else:
                self.op(node, call.path, repeats[id(call)])
        if self.complete:
            for source in self.sources:
                self.place(source, id(source.node) in self.seen or source.node is None)
        for k, (name, tensor) in enumerate(self.outputs):
            self.output(f"out{k}", name, tensor)
        return Graph(self.nodes, self.edges, self.used_boxes())

    def reachable(self, roots: list[Any]) -> list[Any]:
        """Return the ops below the roots, oldest first."""
        seen, stack, found = set(roots), list(dict.fromkeys(roots)), []
        while stack:
            node = stack.pop()
            if type(node) is Leaf or id(node) in self.by_node:
                continue
            if type(node) is not Pick:
                found.append(node)
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        self.seen = {id(node) for node in seen}
        found.sort(key=lambda node: -node.key)
        return found

    def place(self, source: Source, used: bool = True) -> str:
        """Return the id of a source's node; make it at the first use."""
        key = id(source) if source.node is None else id(source.node)
        if key in self.ids:
            return self.ids[key]
        home = None
        label = source.name
        if source.kind == "parameter":
            home = above(source.name, self.boxes)
            if home is None and "" in self.boxes:
                home = ""
            label = source.name.removeprefix(f"{home}.") if home else source.name
        notes = [source.note, "" if used else "gets no gradient"]
        made = self.ids[key] = f"n{len(self.nodes)}"
        self.nodes.append(Node(made, source.kind, label, tuple(source.array.shape),
                               source.array.dtype.name, home, ", ".join(filter(None, notes))))
        return made

    def origin(self, node: Any) -> str:
        """Return the id of the node that made a value."""
        if type(node) is Pick and id(node) not in self.by_node:
            node = node.parents[0]
        if id(node) in self.ids:
            return self.ids[id(node)]
        source = self.by_node.get(id(node))
        if source is None:  # a leaf that nobody named
            source = _Unnamed(node)
            self.by_node[id(node)] = source
        return self.place(source)

    def op(self, node: Any, home: str | None, call: tuple[tuple[str, int], ...]) -> None:
        """Translate one op and the edges that lead to it."""
        links = [(self.origin(p), p.shape, p.dtype) for p in node.parents if p is not None]
        if self.by_memory:
            links += [(self.place(s), s.array.shape, s.array.dtype) for s in self.constants(node)]
        made = self.ids[id(node)] = f"n{len(self.nodes)}"
        several = isinstance(node.shape, list)
        shape = (node.shape[0] if node.shape else ()) if several else node.shape
        name = node.name().removesuffix("Backward") if node.plan is None else node.op.name
        in_place = (node.meta or {}).get("inplace") or node.op is COPY_SLICES
        viewing = getattr(node.op, "view", False) or node.op is AS_VIEW
        self.nodes.append(Node(
            made, "view" if viewing else "op", name, tuple(shape), _name(node.dtype), home,
            "in place" if in_place else "", _saved(node), call))
        self.edges += [Edge(source, made, tuple(shape), _name(dtype))
                       for source, shape, dtype in links]

    def constants(self, node: Any) -> list[Source]:
        """Return the sources without a place on the tape whose memory the op has kept."""
        found: dict[int, Source] = {}
        for value in _arrays(node.saved or ()):
            source = self.by_memory.get(_owner(value))
            if source is not None:
                found[id(source)] = source
        return list(found.values())

    def output(self, made: str, name: str, tensor: Any) -> None:
        shape, dtype = tuple(tensor.shape), tensor._data.dtype.name
        note = "" if tensor.requires_grad else "no gradient"
        self.nodes.append(Node(made, "output", name, shape, dtype, None, note))
        if tensor.requires_grad:
            self.edges.append(Edge(self.origin(tensor._node), made, shape, dtype))
        elif (source := self.by_memory.get(_owner(tensor._data))) is not None:
            self.edges.append(Edge(self.place(source), made, shape, dtype))

    def used_boxes(self) -> dict[str, Any]:
        """Return the boxes with something inside, in the order of the calls."""
        used: set[str | None] = {None}
        for home in {node.module for node in self.nodes}:
            while home not in used:
                used.add(home)
                home = self.boxes[home].parent  # type: ignore[index]
        return {path: box for path, box in self.boxes.items() if path in used}


class _Unnamed(Source):
    """A leaf that was given no name."""

    def __init__(self, leaf: Leaf) -> None:
        parameter = type(leaf.tensor()).__name__ == "Parameter"
        self.kind, self.name, self.note = "parameter" if parameter else "input", "leaf", ""
        self.node, self.array = leaf, leaf.array


def _owner(array: np.ndarray) -> int:
    """Return the identity of the array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array)


def _arrays(values: Iterable[Any]) -> list[np.ndarray]:
    """Return the arrays among saved values, one level of nesting included."""
    flat = [v for value in values
            for v in (value if isinstance(value, (list, tuple)) else (value,))]
    return [v for v in flat if isinstance(v, np.ndarray)]


def _saved(node: Any) -> tuple[str, ...]:
    """Return the names of the arrays that the op keeps for backward."""
    if node.plan is None:
        return ()
    end = len(node.op.names)
    return tuple(name for name, i in zip(node.plan.names, node.plan.direct, strict=False)
                 if i >= end or i in node.op.inputs)


@functools.cache
def _name(dtype: Any) -> str:
    """Return a dtype's name; NumPy makes the text anew each time, which is slow."""
    return "" if dtype is None else dtype.name
