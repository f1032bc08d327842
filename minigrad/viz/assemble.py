"""From events to a `Graph`: nodes in the order of creation, edges, modules, saved values."""

from __future__ import annotations

import math
import re
import weakref
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine import Leaf, Pick
from ..storage import owner
from .backward import Gradients
from .calls import Calls, above
from .graph import Graph
from .parts import Edge, Module, Node, Saved, Stats
from .values import dtype_name, stats_of
from .watch import DETAILED, QUIET, Event, Link, Source
from .where import Place, rules_of, shown


class Assembler:
    """Translates one run; with the calls of modules, unused inputs and parameters are shown."""

    def __init__(self, events: list[Event], sources: list[Source], calls: Calls | None,
                 numbers: bool) -> None:
        self.sources, self.calls, self.numbers = sources, calls, numbers
        self.complete = calls is not None
        self.boxes: dict[str, Module] = calls.boxes() if calls else {}
        self.repeats = calls.repeats() if calls else {}
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.ids: dict[int, str] = {}  # of events and sources
        self.memory: dict[int, tuple[Any, int]] = {}
        self.told = 0  # auxiliary results whose numbers are kept
        self.lines: dict[Place, tuple[str, str]] = {}
        self.events = _useful(events)

    def graph(self, outputs: list[tuple[str, Any, Any, int]],
              gradients: Gradients, roots: list[Any], keep: bool = False,
              failure: Any = None) -> Graph:
        """Return the graph; each output is (name, tensor, what made it, which result of it).

        What the tape keeps is noted, then backward runs from the roots (`keep`: and leaves it).
        """
        self.gradients, self.failed = gradients, failure is not None
        self.live = _live([t._node for _, t, _, _ in outputs if t.requires_grad])
        if not outputs:  # the run did not come to its end: whatever is on the tape counts
            self.live = _live([e.node for e in self.events if e.node is not None])
        self.kept = {id(e.node): self.noted(e.node) for e in self.events
                     if e.node is not None and id(e.node) in self.live}
        self.parts: list[tuple[int, Stats]] = []  # edges, and what a gradient sent along them
        self.started = {id(node) for node, _ in roots} | set(gradients.arrived)
        if roots:
            gradients.run(roots, keep)
        if self.complete:
            for source in self.sources:
                if source.kind == "input":
                    self.place(source)
        updates = self.updates()
        for event in self.events:
            self.op(event)
            for source in updates.get(id(event), ()):
                self.edges.append(Edge(self.ids[id(event)], self.place(source),
                                       tuple(source.array.shape), dtype_name(source.array.dtype),
                                       kind="update"))
        if self.complete:
            for source in self.sources:
                if source.kind not in ("buffer", "constant"):
                    self.place(source)
        for k, (name, tensor, maker, output) in enumerate(outputs):
            self.output(f"out{k}", name, tensor, maker, output)
        if failure is not None:
            failure.into(self)
        self.keep_parts()
        made = Graph(self.nodes, self.edges, self.used_boxes())
        if failure is not None:
            made.error, made.phase = failure.message, failure.phase
        return made

    # ---- values that no op made
    def home(self, source: Source) -> str | None:
        """Return the path of the box that a parameter or buffer belongs to."""
        if source.kind not in ("parameter", "buffer"):
            return None
        home = above(source.name, self.boxes)
        return "" if home is None and "" in self.boxes else home

    def place(self, source: Source, user: Event | None = None) -> str:
        """Return the id of a source's node; make it at the first use."""
        if id(source) in self.ids:
            return self.ids[id(source)]
        home, label = self.home(source), source.name
        if home:
            label = source.name.removeprefix(f"{home}.")
        call: tuple[tuple[str, int], ...] = ()
        if source.kind == "constant" and user is not None and user.call is not None:
            home, call = user.call.path, self.repeats[id(user.call)]
        array, stop = source.array, ""
        if source.kind == "constant" and array.size == 1 and self.numbers:
            label = f"{array.item():.4g}" if array.dtype.kind == "f" else str(array.item())
        floating = array.dtype.kind == "f"
        if source.kind in ("input", "parameter") and floating:
            tied = source.node is not None
            if not tied:
                stop = "frozen" if source.kind == "parameter" else ""
            elif id(source.node) not in self.live:
                stop = "unused"
        if stop == "unused" and self.failed:
            stop = ""  # nobody knows: the run did not come that far
        notes = [source.note, "gets no gradient" if stop == "unused" else ""]
        made = self.ids[id(source)] = f"n{len(self.nodes)}"
        self.nodes.append(Node(
            made, source.kind, label, tuple(array.shape), dtype_name(array.dtype), home,
            ", ".join(filter(None, notes)), call=call, bytes=array.nbytes,
            elements=array.size if source.kind == "parameter" else 0, stop=stop,
            stats=self.numbers_of(array), grad=self.gradient(source.node)))
        return made

    def numbers_of(self, array: Any) -> Stats | None:
        return stats_of(array, len(self.nodes) < DETAILED) if self.numbers else None

    def gradient(self, node: Any) -> Stats | None:
        """Return what is known of the gradient at a node of the tape."""
        if node is None or not self.numbers:
            return None
        return self.gradients.leaves.get(id(node)) or self.gradients.arrived.get(id(node))

    # ---- ops
    def op(self, event: Event) -> None:
        """Translate one event and the edges that lead to it."""
        sources = [self.source_id(link.source, event) for link in event.links]
        made = self.ids[id(event)] = f"n{len(self.nodes)}"
        node, call = event.node, event.call
        live = node is not None and id(node) in self.live
        positions = _positions(node) if live else []
        sent = self.gradients.sent.get(id(node), []) if live else []
        stop = _stop(event, live)
        for source, link in zip(sources, event.links, strict=True):
            back = link.at in positions and link.tied
            found = sent[positions.index(link.at)] if back and self.numbers and (
                positions.index(link.at) < len(sent)) else None
            if isinstance(found, Stats):
                self.parts.append((len(self.edges), found))
            self.edges.append(Edge(
                source, made, tuple(link.shape), link.dtype, link.name, link.output,
                gradient=back, grad_norm=_norm(found),
                stop=link.stop or (stop if link.tied and not back else "")))
        code = self.lines.get(event.where)
        if code is None:
            code = self.lines[event.where] = shown(event.where)
        kept = self.kept.get(id(node), ())
        saved = self.saved(kept, made, event.links, sources) if kept else ()
        self.nodes.append(Node(
            made, "view" if event.view else "op", event.name,
            event.shapes[0] if event.shapes else (), event.dtype,
            call.path if call is not None else None, _note(event, stop),
            saved, self.repeats[id(call)] if call is not None else (),
            tuple(event.shapes) if len(event.shapes) > 1 else (),
            tuple((k, _brief(v)) for k, v in event.options.items()),
            node.name() if node is not None else "", rules_of(event.op) if live else (),
            *code, bytes=event.bytes, flops=event.flops,
            seconds=event.seconds if self.numbers else None,
            backward_seconds=self.gradients.seconds.get(id(node)) if (
                live and self.numbers) else None,
            stats=event.stats, grad=self.gradient(node) if live else None, stop=stop,
            inplace=event.inplace))

    def source_id(self, source: Any, user: Event | None) -> str:
        """Return the id of what made a value."""
        if isinstance(source, Source):
            return self.place(source, user)
        while id(source) not in self.ids:  # an event that was left out: what it made it from
            source = source.links[0].source
            if isinstance(source, Source):
                return self.place(source, user)
        return self.ids[id(source)]

    def noted(self, tape: Any) -> list[tuple[Any, ...]]:
        """Return what a node of the tape keeps, before backward frees it."""
        if tape.saved is None:
            return []
        own = tape.op.aux if tape.plan is not None and self.numbers else ()
        return [(name, a.shape, dtype_name(a.dtype), a.nbytes, self.number_of(a),
                 self.aside(a) if name.partition(".")[0].partition("[")[0] in own else None)
                for name, a in saved_arrays(tape)]

    def aside(self, array: Any) -> Stats | None:
        """Return the numbers of an auxiliary result of one of the first ops."""
        self.told += 1
        found = stats_of(array) if self.told < DETAILED else None
        return found and replace(found, dead=None)

    @staticmethod
    def saved(kept: list[Any], made: str, links: list[Link], sources: list[str],
              ) -> tuple[Saved, ...]:
        """Say of saved inputs and results which node's value they are."""
        names = {"y": made}
        for link, source in zip(links, sources, strict=True):
            names.setdefault(link.name, source)
        return tuple([Saved(name, shape, dtype, size, names.get(name, ""), memory, stats)
                      for name, shape, dtype, size, memory, stats in kept])

    def number_of(self, array: Any) -> int:
        """Return the number of a block of memory."""
        whole = owner(array)
        known = self.memory.get(id(whole))
        if known is None or known[0]() is not whole:
            known = self.memory[id(whole)] = (weakref.ref(whole), len(self.memory))
        return known[1]

    def keep_parts(self) -> None:
        """Note on an edge what was sent along it, where that is a part of the source's gradient."""
        uses = Counter(edge.source for edge in self.edges if edge.gradient)
        several = {n.id for n in self.nodes if n.outputs or uses[n.id] > 1}
        for k, found in self.parts:
            if self.edges[k].source in several:
                self.edges[k] = replace(self.edges[k], grad=found)

    # ---- the end
    def updates(self) -> dict[int, list[Source]]:
        """Return the buffers that a layer's own code changed, by the event of its op."""
        found: dict[int, list[Source]] = {}
        for source in self.sources:
            if source.updated is None or source.before is None or np.array_equal(
                    source.before, source.array):
                continue
            call, name = source.updated
            users = [e for e in self.events if e.call is call]
            users = [e for e in users if e.name == name] or users
            if users:
                found.setdefault(id(users[-1]), []).append(source)
        return found

    def output(self, made: str, name: str, tensor: Any, maker: Any, output: int) -> None:
        shape, dtype = tuple(tensor.shape), dtype_name(tensor._data.dtype)
        tied = tensor.requires_grad
        kind = "loss" if shape == () and tensor.is_floating_point() else "output"
        source = self.source_id(maker, None)
        self.nodes.append(Node(made, kind, name, shape, dtype, None,
                               "" if tied else "no gradient", bytes=tensor._data.nbytes,
                               stats=self.numbers_of(tensor._data)))
        stop = "detach" if not tied and getattr(maker, "node", None) is not None and (
            tensor.is_floating_point()) else ""
        self.edges.append(Edge(source, made, shape, dtype, "", output, gradient=(
            tied and (not self.started or id(tensor._node) in self.started)), stop=stop))

    def used_boxes(self) -> dict[str, Module]:
        """Return the boxes with something inside, in the order of the calls."""
        used: set[str | None] = {None}
        for home in {node.module for node in self.nodes}:
            while home not in used:
                used.add(home)
                home = self.boxes[home].parent  # type: ignore[index]
        found = {path: box for path, box in self.boxes.items() if path in used}
        return found if self.numbers else {p: replace(b, seconds=None) for p, b in found.items()}


def saved_arrays(node: Any) -> list[tuple[str, Any]]:
    """Return (name, array) of the values that a node of the tape keeps for backward."""
    if node.plan is None:  # a user's Function: (array, output, node) or None each
        return [(f"saved_tensors[{k}]", item[0]) for k, item in enumerate(node.saved or ())
                if isinstance(item, tuple)]
    found: list[tuple[str, Any]] = []
    for name, value in zip(node.plan.names, node.saved or (), strict=False):
        if isinstance(value, np.ndarray):
            found.append((name, value))
        elif value is not None:
            found += _arrays_in(name, value, 3)
    return found


def _arrays_in(name: str, value: Any, depth: int) -> list[tuple[str, Any]]:
    """Return the named arrays of a saved value: itself, elements, or fields of a record."""
    if isinstance(value, np.ndarray):
        return [(name, value)]
    if not depth:
        return []
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        pairs = [(f"{name}[{k}]", v) for k, v in enumerate(value)]
    elif isinstance(value, dict):
        pairs = [(f"{name}[{k!r}]", v) for k, v in value.items()]
    else:
        cls = type(value)
        fields: Any = (getattr(cls, "__dataclass_fields__", None) or getattr(value, "_fields", ())
                       or getattr(cls, "__slots__", ()))
        pairs = [(f"{name}.{k}", getattr(value, k)) for k in fields if hasattr(value, k)]
    return [found for key, v in pairs for found in _arrays_in(key, v, depth - 1)]


def _useful(events: list[Event]) -> list[Event]:
    """Leave out the engine's own bookkeeping ops where nothing uses them."""
    used: set[int] = set()
    kept = []
    for event in reversed(events):
        if event.name not in QUIET or id(event) in used:
            used.update(id(link.source) for link in event.links)
            kept.append(event)
    return kept[::-1]


def _live(roots: list[Any]) -> dict[int, Any]:
    """Return the nodes of the tape that the roots depend on, by identity."""
    seen, stack = {id(r): r for r in roots}, list(roots)
    while stack:
        node = stack.pop()
        for parent in node.parents:
            if parent is not None and id(parent) not in seen:
                seen[id(parent)] = parent
                stack.append(parent)
    return seen


def _norm(sent: Stats | float | None) -> float | None:
    """Return the norm of a gradient; NaN or infinite as soon as one of its numbers is."""
    if not isinstance(sent, Stats):
        return sent
    return math.nan if sent.nan else math.inf if sent.inf else sent.norm


def _positions(node: Any) -> list[int]:
    """Return the position of the argument that each parent belongs to."""
    if node is None or type(node) in (Leaf, Pick):
        return []
    if node.plan is None or node.op.variadic:
        return [k if p is not None else -1 for k, p in enumerate(node.parents)]
    return list(node.plan.positions)


def _stop(event: Event, live: bool) -> str:
    """Say why no gradient goes through an op that depends on something that wants one."""
    if live or not any(link.tied for link in event.links):
        return ""
    if event.node is not None:
        return "unused"
    return "no_grad" if not event.grad_mode else "not differentiable"


def _note(event: Event, stop: str) -> str:
    parts = ["in place" if event.inplace else ""]
    parts.append({"no_grad": "under no_grad", "not differentiable": "not differentiable"}.get(
        stop, ""))
    return ", ".join(filter(None, parts))


def _brief(value: Any) -> str:
    """Return an option as short text."""
    if value is None or type(value) in (int, bool, float):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"array {'×'.join(map(str, value.shape)) or 'scalar'}"
    if hasattr(value, "_data"):
        return _brief(value._data)
    text = "generator" if hasattr(value, "manual_seed") else repr(value)
    text = re.sub(r"<[\w.]*?(\w+) object at 0x[0-9a-f]+>", r"\1", text)  # no addresses
    return text if len(text) <= 60 else text[:59] + "…"
