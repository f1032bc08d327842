"""The graph for other programs: JSON, GraphML, networkx."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import fields, is_dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .graph import Graph
from .parts import Edge, Module, Node

VERSION = 1


@functools.cache
def _names(cls: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, f.default) for f in fields(cls))


def plain(value: Any) -> Any:
    """Return a record as a dict without the fields that say nothing, numbers JSON can hold."""
    if is_dataclass(value):
        found = {}
        kind: Any = type(value)
        for name, default in _names(kind):
            item = getattr(value, name)
            if item != default:
                found[name] = plain(item)
        return found
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value


def to_json(graph: Graph) -> str:
    """Return the graph as JSON, one node or edge per line; a field at its default is left out."""
    nodes, edges, modules = (_lines(items) for items in (
        graph.nodes, graph.edges, list(graph.modules.values())))
    head = {"version": VERSION, "direction": graph.options.get("direction", "TB"),
            "theme": graph.options.get("theme", "light"), "error": graph.error,
            "phase": graph.phase, "notes": graph.notes,
            "totals": graph.sums}
    begin = json.dumps(head, ensure_ascii=False, allow_nan=False)[:-1]
    return (f'{begin},\n"nodes": [{nodes}],\n"edges": [{edges}],\n"modules": [{modules}]}}\n')


def _lines(items: Any) -> str:
    texts = [json.dumps(plain(item), ensure_ascii=False, allow_nan=False) for item in items]
    return "\n" + ",\n".join(texts) + "\n" if texts else ""


_SCALARS = {int: "long", float: "double", str: "string", bool: "boolean"}


def _flat(record: Node | Edge | Module) -> dict[str, Any]:
    """Return a record's scalar fields, those of its statistics with a prefix, others as text."""
    found: dict[str, Any] = {}
    for name, value in plain(record).items():
        if isinstance(value, dict):
            found.update({f"{name}_{k}": v for k, v in value.items() if type(v) in _SCALARS})
        elif type(value) in _SCALARS:
            found[name] = value
        elif name in ("shape",):
            found[name] = "×".join(map(str, value))
        elif name == "saved":
            found[name] = ", ".join(s["name"] for s in value)
    return found


def to_graphml(graph: Graph) -> str:
    """Return GraphML: every scalar attribute has a key."""
    keys: dict[tuple[str, str], str] = {}

    def data(domain: str, values: dict[str, Any]) -> str:
        cells = []
        for name, value in values.items():
            kind = "double" if type(value) in (int, float) else _SCALARS[type(value)]
            key = keys.setdefault((domain, name), kind)
            if key != kind:
                keys[(domain, name)] = "string"
            text = str(value).lower() if isinstance(value, bool) else str(value)
            cells.append(f'<data key="{domain}_{name}">{escape(_legal(text))}</data>')
        return "".join(cells)

    body = []
    for node in graph.nodes:
        values = {k: v for k, v in _flat(node).items() if k != "id"}
        body.append(f"  <node id={quoteattr(node.id)}>{data('node', values)}</node>")
    for k, edge in enumerate(graph.edges):
        values = {n: v for n, v in _flat(edge).items() if n not in ("source", "target")}
        body.append(f'  <edge id="e{k}" source={quoteattr(edge.source)} '
                    f"target={quoteattr(edge.target)}>{data('edge', values)}</edge>")
    head = [f'<key id="{domain}_{name}" for="{domain}" attr.name="{name}" attr.type="{kind}"/>'
            for (domain, name), kind in keys.items()]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>',
                      '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">', *head,
                      '<graph id="minigrad" edgedefault="directed">', *body, "</graph>",
                      "</graphml>", ""])


def _legal(text: str) -> str:
    """Drop the control characters that XML forbids."""
    return "".join(c if c >= " " or c in "\t\n" else "?" for c in text)


def to_networkx(graph: Graph) -> Any:
    """Return a MultiDiGraph; ImportError says what to install."""
    try:
        import networkx  # type: ignore[import-untyped, import-not-found]
    except ImportError:
        raise ImportError("to_networkx() needs networkx: run `pip install networkx`") from None
    made = networkx.MultiDiGraph(error=graph.error, notes=list(graph.notes))
    for node in graph.nodes:
        made.add_node(node.id, **{name: getattr(node, name) for name, _ in _names(Node)
                                  if name != "id"})
    for edge in graph.edges:
        made.add_edge(edge.source, edge.target, **{
            name: getattr(edge, name) for name, _ in _names(Edge)
            if name not in ("source", "target")})
    return made
