"""How a graph is laid out in boxes: what DOT, Mermaid and text have in common.

There is one box per call of a module. A call that holds one op alone needs no box: its node becomes
a card with the title of the layer. Parameters that one op alone uses are listed inside its node;
those of a module that is called repeatedly stand outside of its boxes, and what very many ops use
is named inside of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .graph import OPS, Edge, Graph, Module, Node

MOST_EDGES = 6  # uses of a parameter or input that are drawn as edges
Key = tuple[tuple[str, int], ...]  # the modules from the outside in: path, call (0: the only one)


class Box:
    """One call of a module."""

    def __init__(self, module: Module, number: int, id: str, times: int = 1) -> None:
        self.module, self.number, self.id = module, number, id
        self.notes = [call_note(number, module.calls, times)] if number else []
        if module.same_as:
            self.notes.append(f"same as {module.same_as}")

    @property
    def name(self) -> str:
        return (f"{self.module.name}: " if self.module.name else "") + self.module.kind

    @property
    def title(self) -> str:
        """What is written on the box."""
        given = f"({self.module.arguments})" if self.module.arguments else ""
        return ", ".join([self.name + given, *self.notes])


class Boxes:
    """Cards, listed parameters, and the tree of boxes of one graph."""

    def __init__(self, graph: Graph, cards: bool = True) -> None:
        self.graph = graph
        self.place = {n.id: k for k, n in enumerate(graph.nodes)}
        self.boxes: dict[Key, Box] = {}
        self.children: dict[Key, list[Key]] = {}
        self.inside: dict[Key, list[Node]] = {}
        self.chains = {n.id: self._chain(n) for n in graph.nodes}
        for node in graph.nodes:
            chain = self.chains[node.id]
            self.inside.setdefault(chain, []).append(node)
            while chain and chain not in self.boxes:
                path, number = chain[-1]
                times = math.prod(graph.modules[outer].count for outer, _ in chain[:-1])
                self.boxes[chain] = Box(graph.modules[path], number, f"m{len(self.boxes)}", times)
                self.children.setdefault(chain[:-1], []).append(chain)
                chain = chain[:-1]
        self.cards = self._cards() if cards else {}
        self.loose = {self.chains[i] for i in self.cards}
        self.listed = self._listed()
        self.hidden = {p.id for params in self.listed.values() for p in params}
        self.references, self.edges = self._references()

    def _chain(self, node: Node) -> Key:
        """Return the boxes around a node from the outside in."""
        numbers = dict(node.call)
        chain, at = [], node.module
        while at is not None:
            chain.append((at, numbers.get(at, 0)))
            at = self.graph.modules[at].parent
        chain.reverse()
        if node.kind not in OPS and not node.call:
            for k, (path, _) in enumerate(chain):
                module = self.graph.modules[path]
                if module.calls > 1 or module.count > node.count:  # it belongs to all of them
                    return tuple(chain[:k])
        return tuple(chain)

    def _cards(self) -> dict[str, Box]:
        """Return the ops that stand for their layer: the only ones of their call."""
        found: dict[str, Box] = {}
        for key, box in self.boxes.items():
            ops = [n for n in self.inside.get(key, ()) if n.kind in OPS]
            if box.module.name and len(ops) == 1 and key not in self.children:
                found[ops[0].id] = box
        return found

    def _listed(self) -> dict[str, list[Node]]:
        """Return for each op the parameters and buffers that nobody else uses."""
        nodes = {n.id: n for n in self.graph.nodes}
        users: dict[str, list[str]] = {}
        for edge in self.graph.edges:
            if edge.kind == "update":
                users.setdefault(edge.target, []).append(edge.source)
            elif edge.target not in users.setdefault(edge.source, []):
                users[edge.source].append(edge.target)
        found: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            used = users.get(node.id, [])
            if node.kind not in ("parameter", "buffer") or len(used) != 1:
                continue
            if nodes[used[0]].kind in OPS and self.chains[node.id] == self.chains[used[0]]:
                found.setdefault(used[0], []).append(node)
        return found

    def _references(self) -> tuple[dict[str, list[Node]], list[Edge]]:
        """Return the sources that ops name instead of an edge, and the edges that stay.

        Many long edges from one weight would hide the rest of the picture, and lay out slowly: of
        a source with more than `MOST_EDGES` uses (an op: twice as many) only the first is an edge.
        """
        nodes = {n.id: n for n in self.graph.nodes}
        count: dict[str, int] = {}
        for edge in self.graph.edges:
            count[edge.source] = count.get(edge.source, 0) + 1
        named: dict[str, list[Node]] = {}
        kept: list[Edge] = []
        begun: set[str] = set()
        for edge in self.graph.edges:
            source, target = nodes[edge.source], nodes[edge.target]
            if source.id in self.hidden or target.id in self.hidden:
                continue
            most = 2 * MOST_EDGES if source.kind in OPS else MOST_EDGES
            if target.kind not in OPS or source.id not in begun or count[source.id] <= most:
                begun.add(source.id)
                kept.append(edge)
            elif source not in named.setdefault(target.id, []):
                named[target.id].append(source)
        return named, kept

    def walk(self) -> Iterator[tuple[str, int, Any]]:
        """Yield ("open", depth, box), ("node", depth, node), ("close", depth, box) in order.

        Nesting may be deep: an explicit stack.
        """
        stack: list[tuple[str, int, Any]] = [("inside", 0, ())]
        while stack:
            what, depth, item = stack.pop()
            if what != "inside":
                yield what, depth, item
                continue
            later: list[tuple[str, int, Any]] = [
                ("node", depth + 1, n) for n in self.inside.get(item, ())
                if n.id not in self.hidden]
            for key in self.children.get(item, ()):
                if key in self.loose:
                    later += [("node", depth + 1, n) for n in self.inside[key]
                              if n.id not in self.hidden]
                else:
                    box = self.boxes[key]
                    later += [("open", depth + 1, box), ("inside", depth + 1, key),
                              ("close", depth + 1, box)]
            stack += reversed(later)

    def label(self, node: Node) -> str:
        """Return a node's name; a parameter outside of its module's box carries the module's."""
        chain = self.chains[node.id]
        drawn = {path for path, _ in (chain[:-1] if chain in self.loose else chain)}
        names, at = [node.label], node.module
        while node.kind in ("parameter", "buffer") and at and at not in drawn:
            names.append(self.graph.modules[at].name)
            at = self.graph.modules[at].parent
        return ".".join(filter(None, reversed(names)))  # boxes of repeats have no name

    def notes(self, node: Node) -> list[str]:
        """Return the small lines under an op's name; on a card, those of the layer as well."""
        card = self.cards.get(node.id)
        lines = []
        if card is not None:
            lines += [f"({card.module.arguments})"] if card.module.arguments else []
            kind = card.module.kind.lower()
            lines += [] if node.label.replace("_", "") in kind else [node.label]
            lines += card.notes
        return [*lines, node.note] if node.note else lines


def call_note(number: int, calls: int, times: int) -> str:
    """Say which call of a module a box is; `times`: how many repeats it stands for."""
    if times == 1:
        return f"call {number} of {calls}"
    return f"called {calls} times" if times == calls else f"from call {number} of {calls} on"


def size(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it."""
    return "×".join(map(str, shape)) or "scalar"


def described(node: Node) -> list[str]:
    """Return what is said of a value: its shape, a dtype other than float32, the note."""
    lines = [size(node.shape)] if node.shape or node.dtype else []
    if node.dtype not in ("", "float32"):
        lines[0] += f" {node.dtype}"
    return [*lines, node.note] if node.note else lines
