"""Smaller graphs: modules, chains and stretches of ops drawn as one node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .boxes import call_note
from .graph import OPS, Edge, Graph, Module, Node, Saved
from .repeat import repeats_folded
from .state import no_collector

DEEPEST = 12  # boxes within boxes that a picture shows


def limited(graph: Graph, most: int, repeats: bool = True) -> Graph:
    """Fold repeats and chains, then modules from the inside out, then stretches, until it fits."""
    with no_collector():
        if repeats and len(graph.nodes) > most:
            graph = repeats_folded(graph)
        return _limited(graph, most)


def _limited(graph: Graph, most: int) -> Graph:
    deepest = _depth(graph.modules)
    if deepest > DEEPEST:
        graph, deepest = collapsed(graph, DEEPEST), DEEPEST
    if len(graph.nodes) > most:
        graph = runs_folded(graph, 8)
    while len(graph.nodes) > most and deepest > 1:
        deepest -= 1
        graph = collapsed(graph, deepest)
    if len(graph.nodes) > most:
        graph = _stretches_folded(graph, max(1, most // 8))
    for kind in ("parameter", "buffer", "constant", "input", "output"):
        if len(graph.nodes) > most:
            graph = _kind_folded(graph, kind)
    return graph


@no_collector()
def collapsed(graph: Graph, depth: int) -> Graph:
    """Draw every module deeper than `depth` levels as one node per call."""
    inside = _folded_away(graph.modules, depth)
    if not inside:
        return graph
    graph = replace(graph, totals=graph.sums)
    users = _users(graph)
    by_id = {n.id: n for n in graph.nodes}
    merged: dict[str, list[Node]] = {}
    home: dict[str, str] = {}
    params: dict[str, list[Node]] = {}
    for node in graph.nodes:
        target = inside.get(node.module)
        if target is None:
            continue
        if node.kind in OPS:
            around = [c for c in node.call if not _within(graph, c[0], target, strictly=True)]
            home[node.id] = f"{target} call {around}"
            merged.setdefault(home[node.id], []).append(node)
        elif all(inside.get(by_id[u].module) == target for u in users.get(node.id, ())):
            params.setdefault(target, []).append(node)
    hidden = {p.id for group in params.values() for p in group}
    made = {key: _module_node(graph, inside[group[0].module], group, params)  # type: ignore[index]
            for key, group in merged.items()}
    drawn = {inside[group[0].module] for group in merged.values()}
    for target, group in params.items():  # a module without ops still shows its parameters
        if target not in drawn:
            hidden -= {p.id for p in group}
    kept = {p: m for p, m in graph.modules.items() if p not in inside}
    nodes = [_moved_out(n, graph.modules, inside) for n in graph.nodes if n.id not in hidden]
    folded = _rewired(replace(graph, nodes=nodes, modules=kept), home, made, hidden)
    notes = [n for n in graph.notes if not n.startswith("modules below")]
    return replace(folded, notes=[*notes, f"modules below level {depth} are folded"])


def _module_node(graph: Graph, target: str, group: list[Node],
                 params: dict[str, list[Node]]) -> Node:
    box = graph.modules[target]
    numbers = [n for path, n in group[0].call if path == target]
    own = [p for p in params.get(target, ()) if p.kind == "parameter"]
    folded = {(n.module, n.label): n.elements for n in group if n.kind == "module"}
    count = sum(p.elements * p.count for p in own) + sum(folded.values())
    notes = [box.kind if box.name else "", f"{count:,} parameters" if count else ""]
    if numbers:
        notes.append(call_note(numbers[0], box.calls, 1))
    call = tuple(c for c in group[0].call if not _within(graph, c[0], target))
    return replace(merged(group), label=box.name or box.kind, module=box.parent,
                   note=", ".join(filter(None, notes)), call=call, elements=count)


def merged(group: list[Node]) -> Node:
    """Return one node with what several ops cost together; shape and values are the last one's."""
    last = group[-1]
    blocks: dict[int, int] = {}
    for k, node in enumerate(group):
        for s in node.saved:
            key = s.memory if s.memory >= 0 else -k - 1
            blocks[key] = max(blocks.get(key, 0), s.bytes * node.count)
    saved = (Saved(f"{len(blocks)} values", (), "", sum(blocks.values())),) if blocks else ()
    bad = next((n for n in group if n.stats is not None and (n.stats.nan or n.stats.inf)), last)
    failed = next((n for n in group if n.error), last)
    judged = next((n for n in group if n.verdict.startswith("wrong")), last)
    return replace(
        last, kind="module", saved=saved, outputs=(), options=(), rules=(), grad_fn="",
        source=group[0].source, code=group[0].code, inplace=False, count=1,
        bytes=sum(n.bytes * n.count for n in group), flops=_sum(n.flops for n in group),
        seconds=_sum(n.seconds for n in group),
        backward_seconds=_sum(n.backward_seconds for n in group), stats=bad.stats,
        error=failed.error, phase=failed.phase, verdict=judged.verdict)


def _sum(values: Iterable[Any]) -> Any:
    """Return the sum of the known values, None if none is known."""
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _within(graph: Graph, path: str, target: str, strictly: bool = False) -> bool:
    """Tell whether a module is folded into the target (or is it, unless `strictly`)."""
    at = graph.modules[path].parent if strictly else path
    while at is not None and at != target:
        at = graph.modules[at].parent
    return at == target


def _moved_out(node: Node, modules: dict[str, Module], inside: dict[str | None, str]) -> Node:
    """Place a parameter that outlives its folded module beside it."""
    target = inside.get(node.module)
    if target is None or node.kind in OPS:
        return node
    name = modules[target].name
    return replace(node, module=modules[target].parent,
                   label=f"{name}.{node.label}" if name else node.label)


def _folded_away(modules: dict[str, Module], depth: int) -> dict[str | None, str]:
    """Map each module deeper than `depth` to the outermost one that is, itself included."""
    level: dict[str | None, int] = {None: 0}
    found: dict[str | None, str] = {}
    for path, module in _outer_first(modules):
        level[path] = level[module.parent] + 1
        if module.parent in found:
            found[path] = found[module.parent]
        elif level[path] > depth:
            found[path] = path
    return found


def _outer_first(modules: dict[str, Module]) -> list[tuple[str, Module]]:
    """Return the modules so that a parent comes before its children."""
    level: dict[str | None, int] = {None: 0}
    for path in modules:
        way = []
        at: str | None = path
        while at not in level:
            way.append(at)
            at = modules[at].parent  # type: ignore[index]
        for step in reversed(way):
            level[step] = level[modules[step].parent] + 1  # type: ignore[index]
    return sorted(modules.items(), key=lambda item: level[item[0]])


def _depth(modules: dict[str, Module]) -> int:
    level: dict[str | None, int] = {None: 0}
    for path, module in _outer_first(modules):
        level[path] = level[module.parent] + 1
    return max(level.values())


@no_collector()
def runs_folded(graph: Graph, longest: int) -> Graph:
    """Draw chains of more than `longest` ops, each the only user of the one before, as one node."""
    sources: dict[str, list[Node]] = {}
    by_id = {n.id: n for n in graph.nodes}
    count: dict[str, int] = {}
    for edge in graph.edges:
        count[edge.source] = count.get(edge.source, 0) + 1
        if by_id[edge.source].kind in OPS:
            sources.setdefault(edge.target, []).append(by_id[edge.source])
    runs: dict[str, list[Node]] = {}
    run_of: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.kind not in ("op", "view"):
            continue
        before = sources.get(node.id, [])
        run = run_of.get(before[0].id) if len(before) == 1 else None
        if run is None or count[before[0].id] != 1 or run[0].module != node.module or (
                run[0].call != node.call):
            run = runs[node.id] = []
        run.append(node)
        run_of[node.id] = run
    long = [run for run in runs.values() if len(run) > longest]
    folded = _groups_folded(graph, long)
    return graph if not long else replace(
        folded, notes=[*graph.notes, f"chains of more than {longest} ops are folded"])


def _stretches_folded(graph: Graph, pieces: int) -> Graph:
    """Draw stretches of ops that were made one after the other as one node each.

    Edges lead from older to newer ops, so the graph of the stretches has no cycle either.
    """
    ops = [n for n in graph.nodes if n.kind in OPS]
    size = -(-len(ops) // pieces)
    if size < 2:
        return graph
    cuts = [ops[k: k + size] for k in range(0, len(ops), size)]
    flat = replace(graph, nodes=[n if n.module in (None, "") else replace(n, module=_top(graph, n))
                                 for n in graph.nodes])
    flat.modules = {p: m for p, m in graph.modules.items() if m.parent is None and m.count == 1}
    leaves: tuple[str, ...] = ("parameter", "buffer", "constant")
    if sum(n.kind == "input" for n in graph.nodes) > pieces:
        leaves += ("input",)
    folded = _groups_folded(flat, [[replace(n, module=_top(graph, n)) for n in cut]
                                   for cut in cuts], leaves)
    return replace(folded, notes=[*graph.notes, f"{size} successive ops are drawn as one node"])


def _top(graph: Graph, node: Node) -> str | None:
    """Return the outermost module around a node; boxes of repeats are none."""
    at, found = node.module, None
    while at is not None:
        module = graph.modules[at]
        found = at if module.count == 1 else None
        at = module.parent
    return found


def _groups_folded(graph: Graph, groups: list[list[Node]],
                   leaves: tuple[str, ...] = ("parameter", "buffer", "constant")) -> Graph:
    """Draw each group of ops, and the leaves that only it uses, as one node."""
    home = {n.id: str(k) for k, group in enumerate(groups) for n in group}
    users = _users(graph)
    hidden: dict[str, str] = {}
    for node in graph.nodes:
        if node.kind in leaves:
            places = {home.get(u) for u in users.get(node.id, ())}
            place = places.pop() if len(places) == 1 else None
            if place is not None:
                hidden[node.id] = place
    inner: dict[str, int] = {}
    for place in hidden.values():
        inner[place] = inner.get(place, 0) + 1
    made = {}
    for k, group in enumerate(groups):
        ops = sum(_number(r"([\d,]+) ops$", n.note, 1) * n.count for n in group)
        names = {n.label for n in group}
        label = group[0].label if len(names) == 1 else f"{group[0].label} … {group[-1].label}"
        note = f"{ops:,} ops" if len(group) > 1 else group[0].note
        if inner.get(str(k)):
            note = f"{inner[str(k)]} leaves, {note}"
        made[str(k)] = replace(merged(group), label=label, note=note)
    return _rewired(graph, home, made, set(hidden))


def _kind_folded(graph: Graph, kind: str) -> Graph:
    """Draw all nodes of a kind as one."""
    group = [n for n in graph.nodes if n.kind == kind]
    if len(group) < 2:
        return graph
    one = replace(group[0], label=f"{len(group)} {kind}s", shape=(), dtype="", module=None, note="")
    return _rewired(graph, {n.id: kind for n in group}, {kind: one}, set())


def _rewired(graph: Graph, home: dict[str, str], made: dict[str, Node],
             hidden: set[str]) -> Graph:
    """Replace nodes by the groups they are in (at the first one's place) and join the edges."""
    nodes: list[Node] = []
    placed: set[str] = set()
    for node in graph.nodes:
        key = home.get(node.id)
        if node.id in hidden or key in placed:
            continue
        if key is not None:
            placed.add(key)
        nodes.append(node if key is None else made[key])
    edges: dict[Edge, None] = {}
    for edge in graph.edges:
        source, target = home.get(edge.source), home.get(edge.target)
        if edge.source in hidden or edge.target in hidden or (
                source is not None and source == target):
            continue
        if source is not None or target is not None:
            edge = replace(edge, source=edge.source if source is None else made[source].id,
                           target=edge.target if target is None else made[target].id)
        edges[edge] = None
    return replace(graph, nodes=nodes, edges=list(edges), totals=graph.sums)


def _users(graph: Graph) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "update":
            users.setdefault(edge.target, []).append(edge.source)
        else:
            users.setdefault(edge.source, []).append(edge.target)
    return users


def _number(pattern: str, note: str, default: int) -> int:
    """Return the number that a folded node's note mentions."""
    found = re.search(pattern, note)
    return int(found[1].replace(",", "")) if found else default
