"""Repeated blocks: equal structure, one after the other, is drawn once with its count.

Inside each box, what stands there in order (ops and boxes) is a sequence of structures. Where a
period repeats and the edges repeat with it, the first period stays, in a box that says "× 12": what
came from the period before comes from outside, and what left the last one leaves the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .boxes import Boxes, Key, call_note
from .graph import Graph
from .parts import OPS, Edge, Module, Node
from .state import no_collector

LONGEST = 24  # ops or boxes in a period
BESIDE = 8  # equal ops that stand side by side, not one after the other, from which they are folded
POSITIONS = ("index", "basic")  # options that differ from step to step of a loop
CALL = re.compile(r"call (\d+) of (\d+)")  # in the note of a folded module
Unit = tuple[int, list[Node], Key | None]  # structure, the ops inside in order, its box


@no_collector()
def repeats_folded(graph: Graph) -> Graph:
    """Return the graph with repeated blocks drawn once."""
    return _Folder(graph).folded()


class _Folder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.boxes = Boxes(graph, cards=False)
        self.structures: dict[Any, int] = {}
        self.into: dict[str, list[Edge]] = {}
        self.out: dict[str, list[Edge]] = {}
        for edge in graph.edges:
            self.into.setdefault(edge.target, []).append(edge)
            self.out.setdefault(edge.source, []).append(edge)
        self.nodes = {n.id: n for n in graph.nodes}
        self.gone: dict[str, str] = {}  # removed ops and leaves: what stands for them
        self.counts: dict[str, int] = {}
        self.homes: dict[str, str] = {}  # ops that move into the box of a repeat
        self.parents: dict[str, str] = {}  # modules that do
        self.made: dict[str, Module] = {}

    def folded(self) -> Graph:
        units = self._units()
        for key in sorted(units, key=len):  # outer boxes first: what is gone needs no folding
            inner = [u for u in units[key] if u[1] and u[1][0].id not in self.gone]
            self._fold(key, inner)
        return self._result() if self.gone else self.graph

    def _units(self) -> dict[Key, list[Unit]]:
        """Return what stands in each box, in the order of the first op."""
        units: dict[Key, list[Unit]] = {}
        for key in sorted([(), *self.boxes.boxes], key=len, reverse=True):
            ops = [n for n in self.boxes.inside.get(key, ()) if n.kind in OPS]
            found: list[Unit] = [(self._number(_look(n)), [n], None) for n in ops]
            for child in self.boxes.children.get(key, ()):
                inside = units[child]
                module = self.boxes.boxes[child].module
                look = (module.kind, module.arguments, tuple(u[0] for u in inside))
                found.append((self._number(look), [n for u in inside for n in u[1]], child))
            found = [u for u in found if u[1]]
            found.sort(key=lambda u: self.boxes.place[u[1][0].id])
            units[key] = found
        return units

    def _number(self, look: Any) -> int:
        return self.structures.setdefault(look, len(self.structures))

    def _fold(self, key: Key, units: list[Unit]) -> None:
        runs = _runs([u[0] for u in units])
        k = 0
        while k < len(units):
            best = (0, 0)
            for period, run in runs:
                times = 1 + int(run[k]) // period if k < len(run) else 1
                if times > 1 and times * period > best[0] * best[1] and (
                        times > 2 or sum(len(u[1]) for u in units[k:k + period]) > 2):
                    best = (period, times)
            period, times = best
            blocks = _Blocks(units, k, period, times)
            if times:
                times = self._agreeing(blocks)
            if len(blocks[0]) == 1 and times < BESIDE and not self._linked(blocks):
                times = 1
            if times > 1:
                self._keep_first(key, units[k:k + period * times],
                                 [blocks[i] for i in range(times)], period)
                k += period * times
            else:
                k += 1

    def _agreeing(self, blocks: _Blocks) -> int:
        """Return how many blocks from the first on have the same edges, and no loose ends."""
        place: dict[str, tuple[int, int]] = {}
        count, second = 0, None
        while count < blocks.times:
            place.update((n.id, (count, p)) for p, n in enumerate(blocks[count]))
            found = self._pattern(blocks[count], place, count)
            if found is None:
                break
            if count == 0:
                first = found
            elif count == 1:
                second = found
                if first[0] != second[0] or not second[2] <= first[2]:
                    break
            elif found != second:
                break
            count += 1
        for last in range(count - 1):  # what leaves a block must go to the next one
            for node in blocks[last]:
                for edge in self.out.get(node.id, ()):
                    if edge.kind == "data" and place.get(edge.target, (-1, 0))[0] not in (
                            last, last + 1):
                        return last + 1
        return max(count, 1)

    def _linked(self, blocks: _Blocks) -> bool:
        """Tell whether the second block takes anything from the first one."""
        first = {n.id for n in blocks[0]}
        return any(e.source in first for n in blocks[1] for e in self.into.get(n.id, ()))

    def _pattern(self, block: list[Node], place: dict[str, tuple[int, int]],
                 number: int) -> tuple[set[Any], set[Any], set[Any]] | None:
        """Return edges inside, edges from the block before, and edges from anywhere else."""
        inside: set[Any] = set()
        before: set[Any] = set()
        outside: set[Any] = set()
        for p, node in enumerate(block):
            for k, edge in enumerate(self.into.get(node.id, ())):
                b, q = place.get(edge.source, (-1, -1))
                source = self.nodes[edge.source]
                if b == number:
                    inside.add((q, p, edge.name, edge.output))
                elif b == number - 1 and b >= 0:
                    before.add((q, p, edge.name, edge.output))
                elif b >= 0:
                    return None
                elif self._own(source, block):
                    inside.add((source.kind, source.shape, p, k))
                else:
                    outside.add((edge.source, p))
        return inside, before, outside

    def _own(self, source: Node, block: list[Node]) -> bool:
        """Tell whether a leaf is used by one op alone."""
        if source.kind not in ("parameter", "buffer"):
            return False
        return len({e.target for e in self.out.get(source.id, ())}) == 1

    def _keep_first(self, key: Key, units: list[Unit], blocks: list[list[Node]],
                    period: int) -> None:
        times = len(blocks)
        first = blocks[0]
        for block in blocks[1:]:
            for mine, theirs in zip(first, block, strict=True):
                self.gone[theirs.id] = mine.id
                self._leaves_gone(mine, theirs)
        for node in first:
            self.counts[node.id] = times
            for leaf in self._leaves(node):
                self.counts[leaf.id] = times
        self._boxed(key, units[:period], units[-period:], times)

    def _leaves(self, node: Node) -> list[Node]:
        found = [self.nodes[e.source] for e in self.into.get(node.id, ())]
        found = [n for n in found if self._own(n, [])]
        return found + [self.nodes[e.target] for e in self.out.get(node.id, ())
                        if e.kind == "update"]

    def _leaves_gone(self, mine: Node, theirs: Node) -> None:
        kept = self._leaves(mine)
        for k, leaf in enumerate(self._leaves(theirs)):
            if k < len(kept) and leaf.id != kept[k].id:
                self.gone[leaf.id] = kept[k].id

    def _boxed(self, key: Key, units: list[Unit], last: list[Unit], times: int) -> None:
        """Put the period that stays into a box with the count."""
        parent = key[-1][0] if key else None
        names = [self.graph.modules[box[-1][0]].name for _, _, box in (units[0], last[-1])
                 if box is not None]
        path = f"{parent or ''}[× {times} at {units[0][1][0].id}]"
        span = " … ".join(dict.fromkeys(names)) if len(names) == 2 else ""
        self.made[path] = Module(path, "", f"× {times}", span, parent, count=times)
        for _, ops, box in units:
            if box is None:
                self.homes[ops[0].id] = path
                for leaf in self._leaves(ops[0]):
                    if leaf.module == parent:
                        self.homes[leaf.id] = path
            else:
                self.parents[box[-1][0]] = path

    # ---- the new graph
    def _result(self) -> Graph:
        nodes = [self._kept(n) for n in self.graph.nodes if n.id not in self.gone]
        edges: dict[Any, Edge] = {}
        for edge in self._edges():
            if edge.source != edge.target:
                edges.setdefault((edge.source, edge.target, edge.name, edge.output, edge.kind),
                                 edge)
        used: set[str | None] = {None}
        modules = {**self.graph.modules, **self.made}
        for path, parent in self.parents.items():
            modules[path] = replace(modules[path], parent=parent)
        for home in {n.module for n in nodes}:
            while home not in used:
                used.add(home)
                home = modules[home].parent  # type: ignore[index]
        note = "repeated blocks are drawn once, with their count"
        return replace(self.graph, nodes=nodes, edges=list(edges.values()),
                       modules={p: m for p, m in modules.items() if p in used},
                       totals=self.graph.sums, notes=[*self.graph.notes, note])

    def _kept(self, node: Node) -> Node:
        if node.id not in self.counts and node.id not in self.homes:
            return node
        times = self.counts.get(node.id, 1)
        note = CALL.sub(lambda m: call_note(int(m[1]), int(m[2]), times), node.note)
        return replace(node, count=times * node.count, note=note,
                       module=self.homes.get(node.id, node.module))

    def _edges(self) -> Iterator[Edge]:
        for edge in self.graph.edges:
            if edge.target not in self.gone:
                source = self.gone.get(edge.source)
                yield edge if source is None else replace(edge, source=source)


def _look(node: Node) -> Any:
    options = tuple((name, value) for name, value in node.options if name not in POSITIONS)
    note = CALL.sub("", node.note)
    return (node.kind, node.label, node.shape, node.dtype, note, options, node.error)


class _Blocks:
    """The ops of the periods that follow each other; only those that are looked at are listed."""

    def __init__(self, units: list[Unit], start: int, period: int, times: int) -> None:
        self.units, self.start, self.period, self.times = units, start, period, times
        self.made: dict[int, list[Node]] = {}

    def __getitem__(self, number: int) -> list[Node]:
        if number not in self.made:
            at = self.start + number * self.period
            self.made[number] = [n for u in self.units[at:at + self.period] for n in u[1]]
        return self.made[number]


def _runs(looks: list[int]) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """Return for each period how many structures from a place on equal those a period later."""
    array = np.array(looks, np.int64)
    found = []
    for period in range(1, min(LONGEST, len(looks) // 2) + 1):
        same = array[period:] == array[:-period]
        ends = np.flatnonzero(~same)
        places = np.arange(len(same))
        after = np.searchsorted(ends, places)
        run = np.append(ends, len(same))[after] - places
        if run.max(initial=0) >= period:
            found.append((period, run))
    return found
