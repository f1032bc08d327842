"""What changed between two graphs: nodes, edges and modules that came, went or differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .graph import Graph
from .parts import Edge, Node

FIELDS = ("kind", "shape", "dtype", "options", "note", "flops", "bytes", "elements", "stop",
          "error")


@dataclass
class Comparison:
    """The differences of two graphs; true if there are any.

    `added` and `removed` name nodes, edges and modules; `changed` is (name, what, before, after).
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[tuple[str, str, Any, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        if not self:
            return "the graphs are the same"
        return "\n".join([*(f"+ {name}" for name in self.added),
                          *(f"- {name}" for name in self.removed),
                          *(f"~ {name}: {what} {_shown(before)} -> {_shown(after)}"
                            for name, what, before, after in self.changed)])

    __repr__ = __str__


def compare(before: Graph, after: Graph) -> Comparison:
    """Match the nodes by module, call, name and the how-manieth they are, and list differences."""
    if not isinstance(after, Graph):
        raise TypeError(f"compare(): expected a Graph, got {type(after).__name__}")
    result = Comparison()
    old, new = _named(before), _named(after)
    _came_and_went(result, old, new)
    for name in old:
        if name in new:
            _differences(result, name, old[name], new[name])
    old_edges, new_edges = (_edges(g, n) for g, n in ((before, old), (after, new)))
    _came_and_went(result, old_edges, new_edges)
    for name, module in before.modules.items():
        other = after.modules.get(name)
        if other is None:
            continue
        for what in ("kind", "arguments", "calls", "same_as", "training"):
            one, two = getattr(module, what), getattr(other, what)
            if one != two:
                result.changed.append((f"module {name or '(model)'}", what, one, two))
    _came_and_went(result, {f"module {n or '(model)'}": m for n, m in before.modules.items()},
                   {f"module {n or '(model)'}": m for n, m in after.modules.items()})
    return result


def _came_and_went(result: Comparison, old: dict[str, Any], new: dict[str, Any]) -> None:
    result.added += [name for name in new if name not in old]
    result.removed += [name for name in old if name not in new]


def _differences(result: Comparison, name: str, old: Node, new: Node) -> None:
    for what in FIELDS:
        one, two = getattr(old, what), getattr(new, what)
        if one != two:
            result.changed.append((name, what, one, two))
    one, two = [s.name for s in old.saved], [s.name for s in new.saved]
    if one != two:
        result.changed.append((name, "saved", one, two))


def _named(graph: Graph) -> dict[str, Node]:
    """Return the nodes by a name that stays the same between runs."""
    count: dict[str, int] = {}
    found = {}
    for node in graph.nodes:
        place = (node.module or "") + "".join(f" call {n}" for _, n in node.call)
        base = f"{place}: {node.label}" if place else node.label
        number = count[base] = count.get(base, 0) + 1
        found[base if number == 1 else f"{base} #{number}"] = node
    return found


def _edges(graph: Graph, named: dict[str, Node]) -> dict[str, Edge]:
    names = {node.id: name for name, node in named.items()}
    return {f"{names[e.source]} -> {names[e.target]}" + (f" ({e.name})" if e.name else ""): e
            for e in graph.edges}


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return "×".join(map(str, value)) or "scalar"
    return "nothing" if value in ("", None, [], ()) else str(value)
