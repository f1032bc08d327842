"""Painting a graph by a number or a verdict: what it costs, where NaN begins, what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .graph import Graph
from .parts import OPS, Node
from .themes import Theme

PAINTS = ("kind", "parameters", "memory", "activations", "saved", "gradients", "flops", "time",
          "gradient", "dead", "nan", "gradcheck")


@dataclass
class Painting:
    """Fills by node, a line of text for each, and the legend: its title and (colour, text)."""

    title: str = ""
    fills: dict[str, str] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    legend: list[tuple[str, str]] = field(default_factory=list)


def painting(graph: Graph, paint: str, theme: Theme) -> Painting:
    """Return how the nodes are to be filled; nothing for the paint "kind"."""
    if paint == "kind":
        return Painting()
    if paint == "nan":
        return _nan(graph, theme)
    if paint == "gradcheck":
        return _verdicts(graph, theme)
    title, measure, text = MEASURES[paint]
    values = measure(graph)
    made = Painting(title, lines={i: text(v) for i, v in values.items()})
    _scaled(made, values, theme, text)
    unknown = [n.id for n in graph.nodes if n.kind in OPS and n.id not in values and not n.error]
    if paint == "flops" and unknown:
        made.lines.update(dict.fromkeys(unknown, "not counted"))
        made.fills.update(dict.fromkeys(unknown, theme.kinds["constant"]))
        made.legend.append((theme.kinds["constant"], "not counted"))
    return made


def _scaled(made: Painting, values: dict[str, float], theme: Theme,
            text: Callable[[float], str]) -> None:
    """Fill by five steps: equal ones, or equal factors if the values differ a hundredfold."""
    known = [v for v in values.values() if v > 0 and math.isfinite(v)]
    if not known and made.title != SHARES:
        made.fills = dict.fromkeys(values, theme.scale[0])
        made.legend = [(theme.scale[0], "all are zero" if values else "nothing is known")]
        return
    low, high = (1.0, 1.0) if made.title == SHARES else (min(known), max(known))
    steps = len(theme.scale)
    if high > 100 * low:
        low = max(low, high / 10 ** (steps + 1))
        bounds = [low * (high / low) ** (k / steps) for k in range(steps + 1)]
    else:
        bounds = [high * k / steps for k in range(steps + 1)]
    for name, value in values.items():
        if math.isnan(value):
            made.fills[name] = theme.bad
            continue
        step = sum(value > b for b in bounds[1:-1])
        made.fills[name] = theme.scale[step]
    if bounds[1] >= 1 and all(v == int(v) for v in known):  # of counts: no fractions
        bounds = [float(int(b)) for b in bounds]
    made.legend = [(colour, f"≤ {text(bound)}")
                   for colour, bound in zip(theme.scale, bounds[1:], strict=True)]


def _elements(graph: Graph) -> dict[str, float]:
    """Return the parameters' elements: of a node itself, and of those that it alone uses."""
    found: dict[str, float] = {n.id: n.elements for n in graph.nodes if n.elements}
    users: dict[str, set[str]] = {}
    for edge in graph.edges:
        users.setdefault(edge.source, set()).add(edge.target)
    for node in graph.nodes:
        targets = users.get(node.id, set())
        if node.kind == "parameter" and len(targets) == 1:
            target = next(iter(targets))
            found[target] = found.get(target, 0) + node.elements
    return found


def _saved(node: Node) -> float | None:
    return sum({s.memory: s.bytes for s in node.saved}.values()) if node.kind in OPS else None


def _activations(node: Node) -> float | None:
    """Return the bytes of a result; views and in-place writes need none of their own."""
    if node.kind not in OPS:
        return None
    return 0 if node.kind == "view" or node.inplace else node.bytes


def _gradients(node: Node) -> float | None:
    """Return the bytes of the gradient: as large as the value, where one comes."""
    reached = node.grad is not None or bool(node.grad_fn)
    return node.bytes if reached and node.stop == "" else None


def _memory(node: Node) -> float | None:
    parts = [f(node) for f in (_activations, _saved, _gradients)]
    return sum(p or 0 for p in parts) if any(p is not None for p in parts) else None


def _time(node: Node) -> float | None:
    if node.seconds is None:
        return None
    return node.seconds + (node.backward_seconds or 0)


def _norm(node: Node) -> float | None:
    if node.grad is None:
        return None
    return math.nan if node.grad.nan or node.grad.norm is None else node.grad.norm


def _dead(node: Node) -> float | None:
    """Return the share of units that are zero for all samples, or of saturated elements."""
    if node.stats is None or node.kind not in OPS:
        return None
    if node.stats.saturated is not None:
        return node.stats.saturated
    return node.stats.dead if node.label in RECTIFIERS else None


SHARES = "dead units, saturated elements"  # its scale always goes to 100 %
RECTIFIERS = frozenset({"relu", "relu6", "threshold", "hardshrink", "softshrink", "hardswish"})


def size_text(value: float) -> str:
    """Return a number of bytes as people write it."""
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"


def count_text(value: float) -> str:
    """Return a large count with a unit: 12.3 k, 4.5 M."""
    for unit in ("", " k", " M", " G"):
        if value < 1000:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g} T"


def time_text(value: float) -> str:
    """Return seconds with a unit."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if value * factor < 1000:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def _each(measure: Callable[[Node], float | None]) -> Callable[[Graph], dict[str, float]]:
    return lambda graph: {n.id: v for n in graph.nodes if (v := measure(n)) is not None}


MEASURES: dict[str, tuple[str, Callable[[Graph], dict[str, float]], Callable[[float], str]]] = {
    "parameters": ("parameters", _elements, lambda v: f"{count_text(v)} parameters"),
    "memory": ("memory: result, saved values, gradient", _each(_memory), size_text),
    "activations": ("memory of the result", _each(_activations), size_text),
    "saved": ("memory kept for backward", _each(_saved), size_text),
    "gradients": ("memory of the gradient", _each(_gradients), size_text),
    "flops": ("FLOPs of forward", _each(lambda n: n.flops), lambda v: f"{count_text(v)} FLOP"),
    "time": ("time, forward and backward", _each(_time), time_text),
    "gradient": ("norm of the gradient", _each(_norm), lambda v: f"|g| {v:.3g}"),
    "dead": (SHARES, _each(_dead), lambda v: f"{100 * v:.3g} %"),
}


def _nan(graph: Graph, theme: Theme) -> Painting:
    """Fill what first made NaN or infinity, forward and backward, and what they spread to."""
    made = Painting("NaN and infinity", legend=[
        (theme.bad, "begins here"), (theme.doubtful, "spread from there"),
        (theme.kinds["op"], "finite")])
    bad = {n.id for n in graph.nodes if n.stats is not None and (n.stats.nan or n.stats.inf)}
    into: dict[str, list[str]] = {}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge.source)
    finite_grad = {n.id for n in graph.nodes if n.grad is None or not (n.grad.nan or n.grad.inf)}
    guilty = {e.target for e in graph.edges if e.grad_norm is not None
              and not math.isfinite(e.grad_norm) and e.target in finite_grad
              and e.target not in bad and not any(s in bad for s in into[e.target])}
    for node in graph.nodes:
        if node.id in bad and node.stats is not None:
            begins = not any(s in bad for s in into.get(node.id, ()))
            made.fills[node.id] = theme.bad if begins else theme.doubtful
            made.lines[node.id] = f"{node.stats.nan} NaN, {node.stats.inf} inf"
        if node.id in guilty:
            made.fills[node.id] = theme.bad
            made.lines[node.id] = ", ".join(filter(None, [
                made.lines.get(node.id, ""), "its backward makes NaN or inf"]))
        elif node.id not in finite_grad and node.id not in bad:
            made.fills[node.id] = theme.doubtful
            made.lines[node.id] = "gradient is not finite"
        elif node.kind in OPS:
            made.fills.setdefault(node.id, theme.kinds["op"])
    return made


def _verdicts(graph: Graph, theme: Theme) -> Painting:
    made = Painting("gradient check", legend=[
        (theme.good, "right"), (theme.bad, "wrong"), (theme.kinds["constant"], "not checked")])
    for node in graph.nodes:
        if node.verdict:
            made.lines[node.id] = node.verdict
            made.fills[node.id] = theme.bad if node.verdict.startswith("wrong") else (
                theme.good if node.verdict == "ok" else theme.kinds["constant"])
    return made
