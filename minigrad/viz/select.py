"""Parts of a graph: finding nodes by name, and cutting them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from .graph import Graph
from .parts import Node


def find(graph: Graph, pattern: str) -> list[Node]:
    """Return the nodes with a name that matches; upper and lower case are the same."""
    if not isinstance(pattern, str):
        raise TypeError(f"find(): pattern must be a string, got {type(pattern).__name__}")
    wanted = pattern.lower()
    known: dict[str, bool] = {}

    def matches(name: str) -> bool:
        if name not in known:
            known[name] = fnmatchcase(name.lower(), wanted)
        return known[name]

    return [n for n in graph.nodes if any(matches(name) for name in _names(graph, n))]


def _names(graph: Graph, node: Node) -> Iterable[str]:
    yield node.label
    yield node.id
    if node.module is not None:
        module = graph.modules[node.module]
        yield from (node.module, module.name, module.kind)
        yield f"{node.module}.{node.label}" if node.module else node.label


def subgraph(graph: Graph, nodes: str | Callable[[Node], bool] | Any, around: int) -> Graph:
    """Return the part with the chosen nodes and their neighbours up to a distance."""
    ids = _chosen(graph, nodes)
    if not ids:
        raise ValueError(f"subgraph(): no node matches {nodes!r}")
    for _ in range(around):
        touching = [e for e in graph.edges if e.source in ids or e.target in ids]
        ids = ids | {e.source for e in touching} | {e.target for e in touching}
    kept = [n for n in graph.nodes if n.id in ids]
    used: set[str | None] = {None}
    for home in {n.module for n in kept}:
        while home not in used:
            used.add(home)
            home = graph.modules[home].parent  # type: ignore[index]
    left = len(graph.nodes) - len(kept)
    return replace(
        graph, nodes=kept, edges=[e for e in graph.edges if e.source in ids and e.target in ids],
        modules={p: m for p, m in graph.modules.items() if p in used}, totals=None,
        notes=[*graph.notes, f"a part: {left:,} other nodes are left out"] if left else graph.notes)


def _chosen(graph: Graph, nodes: Any) -> set[str]:
    if isinstance(nodes, str):
        found = {n.id for n in find(graph, nodes)}
        below = f"{nodes}."
        return found | {n.id for n in graph.nodes if n.module is not None and (
            n.module == nodes or n.module.startswith(below))}
    if callable(nodes):
        return {n.id for n in graph.nodes if nodes(n)}
    wanted = {n.id if isinstance(n, Node) else n for n in nodes}
    unknown = wanted - {n.id for n in graph.nodes}
    if unknown:
        raise ValueError(f"subgraph(): the graph has no node {sorted(map(str, unknown))}")
    return wanted
