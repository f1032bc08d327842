"""Which op: every recorded op's own rule is checked on the values that it saw."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..engine import Pick, apply, wrap
from ..viz.graph import Graph
from ..viz.trace import trace
from .isolate import World
from .record import Call, recording
from .report import GradcheckReport
from .structure import title_of
from .tensors import TensorSubject

WRONG = "#f4a6a0"  # the fill of the op that is to blame


@dataclass
class Blame:
    """The op whose own rule is wrong: `op` its name (None: all are right), `where` the line."""

    op: str | None
    where: str
    report: GradcheckReport | None
    checked: int
    skipped: list[str] = field(default_factory=list)
    place: int = -1  # its number among the recorded ops that lead to the output
    others: list[Blame] = field(default_factory=list)

    def __str__(self) -> str:
        if self.op is None:
            skipped = f" (not checked: {', '.join(self.skipped)})" if self.skipped else ""
            return (f"blame: the rules of all {self.checked} recorded ops are right{skipped}: the "
                    f"gradient is lost or changed between ops (detach, .data, numpy, no_grad, a "
                    f"hook, a value that is not recorded)")
        lines = [f"blame: the rule of {self.op} is wrong, called at:", self.where]
        if self.report is not None:
            lines.append(str(self.report))
        if self.others:
            lines.append(f"also wrong: {', '.join(str(o.op) for o in self.others)}")
        return "\n".join(lines)


def blame(fn: Any, inputs: tuple[Any, ...], report: GradcheckReport) -> Blame:
    """Run the function once, check each op that it records, name the first that is wrong."""
    calls, places = _recorded(fn, inputs)
    found: list[Blame] = []
    skipped: list[str] = []
    checked = 0
    for call in calls:
        problem = _problem(call)
        if problem is None:
            skipped.append(call.name)
            continue
        function, tensors = problem
        made = _checked(function, tensors, report.order)
        if made is None:
            skipped.append(call.name)
            continue
        checked += 1
        if not made.ok:
            made.title = call.name
            found.append(Blame(call.name, call.where, made, 0,
                               place=places.get(id(call.node), -1)))
    if not found:
        return Blame(None, "", None, checked, skipped)
    first = found[0]
    first.checked, first.skipped, first.others = checked, skipped, found[1:]
    return first


def _checked(function: Callable[..., Any], tensors: list[Any],
             order: int) -> GradcheckReport | None:
    from .check import check_gradients

    try:
        return check_gradients(function, *tensors, order=order)
    except Exception:
        return None  # not to be called again on these values (an in-place op, an inner check)


def _recorded(fn: Any, inputs: tuple[Any, ...]) -> tuple[list[Call], dict[int, int]]:
    """Return the recorded calls of one run, and which op of the graph each node is."""
    world = World(fn, list(inputs))
    try:
        subject = TensorSubject(fn, inputs, None, world)
        subject.prepare()
        with recording() as recorder:
            outs = subject.call(subject.points)
    finally:
        world.restore()
    seen: set[Any] = {t._node for t in outs if t._node is not None}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    ops = sorted((n for n in seen if n.op is not None and type(n) is not Pick
                  and n not in subject.nodes), key=lambda n: -n.key)
    places = {id(node): k for k, node in enumerate(ops)}
    return [call for call in recorder.calls if id(call.node) in places], places


def _problem(call: Call) -> tuple[Callable[..., Any], list[Any]] | None:
    """Return a call as a function of its floating point tensors, and these tensors."""
    if call.function is not None:
        args, run = call.args, call.function.apply
    elif call.op is not None:
        op = call.op
        inputs = set(op.inputs)
        args = [_tensor(a) if i in inputs else a for i, a in enumerate(call.arrays)]

        def run(*given: Any) -> Any:
            return apply(op, list(given))
    else:
        return None
    places: list[tuple[int, int | None]] = [(i, None) for i, a in enumerate(args) if _floating(a)]
    places += [(i, k) for i, a in enumerate(args) if isinstance(a, list)
               for k, t in enumerate(a) if _floating(t)]
    if not places:
        return None

    def function(*tensors: Any) -> Any:
        given = [list(a) if isinstance(a, list) else a for a in args]
        for (i, k), t in zip(places, tensors, strict=True):
            if k is None:
                given[i] = t
            else:
                given[i][k] = t
        return run(*given)

    nodes = call.node.parents
    wanted = {id(n) for n in nodes if n is not None}
    tensors = [args[i] if k is None else args[i][k] for i, k in places]
    needs = _needs(call, places)
    if not wanted or not any(needs):
        return None
    return function, [t.detach().requires_grad_() if need else t.detach()
                      for t, need in zip(tensors, needs, strict=True)]


def _needs(call: Call, places: list[tuple[int, int | None]]) -> list[bool]:
    """Return for each tensor whether the recorded call wanted its gradient."""
    if call.function is not None:
        return [call.node.parents[i] is not None for i, _ in places]
    if call.op.variadic:
        return [k is not None and call.node.parents[k] is not None for _, k in places]
    return [i in call.node.plan.positions for i, _ in places]


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return wrap(value.astype(np.float64) if value.dtype.kind == "f" else value, None)
    if isinstance(value, list):
        return [_tensor(v) for v in value]
    return value


def _floating(value: Any) -> bool:
    return isinstance(value, engine.Tensor) and value.is_floating_point()


class PaintedGraph(Graph):
    """A computation graph with one op painted."""

    painted = ""

    def dot(self) -> str:
        """Return the graph in DOT, the painted op in red."""
        return "\n".join(
            re.sub(r'fillcolor="[^"]*"', f'fillcolor="{WRONG}"', line)
            if line.lstrip().startswith(f'"{self.painted}" [') else line
            for line in super().dot().split("\n"))


def draw(fn: Any, inputs: tuple[Any, ...], report: GradcheckReport) -> PaintedGraph:
    """Trace the function and paint the op that `blame` names (nothing if there is none)."""
    guilty = None if report.ok else blame(fn, inputs, report)
    watched = [t.detach().requires_grad_() if _floating(t) else t for t in inputs]
    graph = trace(fn, *watched, backward=False)
    painted = PaintedGraph(graph.nodes, graph.edges, graph.modules, graph.notes, graph.options)
    painted.notes = [*graph.notes, f"gradcheck of {title_of(fn)}: "
                                   f"{'ok' if report.ok else 'FAILED'}"]
    ops = [k for k, node in enumerate(graph.nodes)
           if node.kind in ("op", "view") and node.grad_fn and node.stop != "unused"]
    if guilty is not None and 0 <= guilty.place < len(ops):
        k = ops[guilty.place]
        node = graph.nodes[k]
        painted.painted = node.id
        painted.nodes = list(graph.nodes)
        painted.nodes[k] = dataclasses.replace(
            node, note=", ".join(filter(None, [node.note, "gradient is wrong"])))
    return painted
