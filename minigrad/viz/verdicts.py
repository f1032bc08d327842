"""What a gradient check found, written onto the nodes of a graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .graph import Graph
from .parts import Node


def judged(graph: Graph, report: Any) -> Graph:
    """Return the graph with the verdicts of a `GradcheckReport` on its inputs, parameters, ops."""
    if not hasattr(report, "failures") or not hasattr(report, "checked"):
        raise TypeError(f"judged(): expected the report of minigrad.testing.check_gradients, got "
                        f"{type(report).__name__}")
    wrong: dict[str, str] = {}
    for failure in report.failures:
        wrong.setdefault(failure.input, failure.verdict)
    ops = [n for n in graph.nodes if n.kind in ("op", "view") and n.grad_fn
           and n.stop != "unused"]
    blame = _blame(report)
    nodes = []
    for node in graph.nodes:
        verdict = ""
        if node.kind in ("input", "parameter"):
            verdict = _leaf(graph, node, wrong, report)
        elif node in ops:
            verdict = "ok" if report.ok else _op(node, ops.index(node), blame)
        nodes.append(replace(node, verdict=verdict))
    note = f"gradient check of {report.title}: {'ok' if report.ok else 'FAILED'}"
    return replace(graph, nodes=nodes, notes=[*graph.notes, note])


def _leaf(graph: Graph, node: Node, wrong: dict[str, str], report: Any) -> str:
    """Return the verdict on an input or a parameter, whose name the report may shorten."""
    full = f"{node.module}.{node.label}" if node.module else node.label
    for name in (full, node.label if not node.module else full):
        if name in wrong:
            return f"wrong: {wrong[name]}"
        if name in report.checked:
            return "ok"
    return "not checked"


def _blame(report: Any) -> Any:
    """Return which op is to blame, if the check can tell."""
    if report.ok:
        return None
    try:
        return report.blame()
    except ValueError:
        return None


def _op(node: Node, place: int, blame: Any) -> str:
    if blame is None:
        return "not checked"
    for guilty in (blame, *blame.others):
        if guilty.op is not None and guilty.place == place:
            return "wrong: its own rule"
    return "not checked" if node.label in blame.skipped else "ok"
