"""The graph as text: one line per node, or a Mermaid flowchart."""

from __future__ import annotations

from .boxes import OPS, Boxes, Key, described, size
from .dot import LIGHT
from .graph import Graph, Node

MERMAID = {"input": ("([", "])"), "parameter": ("[/", "/]"), "constant": ("[", "]"),
           "op": ("[", "]"), "view": ("[", "]"), "module": ("[[", "]]"), "output": ("{{", "}}")}


def to_text(graph: Graph) -> str:
    """Return a table: node, where its inputs come from, its shape, what backward keeps."""
    into: dict[str, list[str]] = {}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge.source)
    names = {n.id: f"%{k}" for k, n in enumerate(graph.nodes)}
    boxes = Boxes(graph)
    rows: list[tuple[str, str, str, str]] = []
    opened: Key = ()
    for node, chain in zip(graph.nodes, _chains(graph, boxes), strict=True):
        common = 0
        while common < min(len(chain), len(opened)) and chain[common] == opened[common]:
            common += 1
        opened = chain
        for k in range(common, len(chain)):
            rows.append((f"{'  ' * k}{boxes.boxes[chain[:k + 1]].title}", "", "", ""))
        inputs = ", ".join(names[i] for i in into.get(node.id, []))
        made = node.label + (f" ({node.note})" if node.note else "")
        if node.kind in OPS:
            made += f"({inputs})"
        else:
            made = made if made.startswith(node.kind) else f"{node.kind} {made}"
            made += f" = {inputs}" if inputs else ""
        kept = f"keeps {', '.join(node.saved)}" if node.saved else ""
        shape = size(node.shape) if node.shape or node.dtype else ""
        rows.append((f"{'  ' * len(chain)}{names[node.id]} = {made}", shape, node.dtype,
                     kept))
    return "\n".join([*_columns(rows), *graph.notes, ""])


def _chains(graph: Graph, boxes: Boxes) -> list[Key]:
    """Return the boxes around each node; a parameter stands in the call that uses it next."""
    found: list[Key] = []
    after: Key = ()
    for node in reversed(graph.nodes):
        chain = boxes.chains[node.id]
        if node.kind in OPS:
            after = chain
        elif node.module in [path for path, _ in after]:
            chain = after[: [path for path, _ in after].index(node.module) + 1]
        found.append(chain)
    return found[::-1]


def _columns(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Line up the columns of rows that have any."""
    widths = [max((len(row[k]) for row in rows if row[1]), default=0) for k in range(3)]
    return ["  ".join([*(f"{c:<{w}}" for c, w in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in rows]


def to_mermaid(graph: Graph) -> str:
    """Return a flowchart with one subgraph per module; layers of one op are one node."""
    boxes = Boxes(graph)
    names = {n.id: f"n{k}" for k, n in enumerate(graph.nodes)}
    kinds = {n.id: n.kind for n in graph.nodes}
    lines = [f"flowchart {'LR' if graph.options.get('direction') == 'LR' else 'TD'}"]
    for what, depth, item in boxes.walk():
        pad = "  " * depth
        if what == "open":
            lines.append(f'{pad}subgraph {item.id}["{_safe(item.title)}"]')
        elif what == "close":
            lines.append(pad + "end")
        else:
            lines.append(f"{pad}{names[item.id]}{_mermaid_node(item, boxes)}")
    for edge in boxes.edges:
        known = kinds[edge.source] in ("parameter", "input", "constant")
        label = "" if known or not graph.options.get("shapes", True) else f"|{_safe(edge.label)}|"
        lines.append(f"  {names[edge.source]} -->{label} {names[edge.target]}")
    for kind in ("input", "parameter", "module", "output"):
        found = [names[n.id] for n in graph.nodes if n.kind == kind and n.id not in boxes.hidden]
        if found:
            lines.append(f"  classDef {kind} fill:{LIGHT[kind]},color:#1f2328")
            lines.append(f"  class {','.join(found)} {kind}")
    return "\n".join([*lines, *(f"  %% {note}" for note in graph.notes), ""])


def _mermaid_node(node: Node, boxes: Boxes) -> str:
    left, right = MERMAID[node.kind]
    card = boxes.cards.get(node.id)
    if card is not None:
        parts = [card.name, *boxes.notes(node)]
    elif node.kind in OPS:
        parts = [node.label, *boxes.notes(node)]
    else:
        parts = [boxes.label(node), *described(node)]
    parts += [f"{p.label} {' '.join(described(p))}" for p in boxes.listed.get(node.id, [])]
    parts += [boxes.label(source) for source in boxes.references.get(node.id, [])]
    return f'{left}"{"<br/>".join(map(_safe, parts))}"{right}'


def _safe(text: str) -> str:
    """Escape what Mermaid reads as syntax inside quotes."""
    for letter, code in (("#", "#35;"), ('"', "#quot;"), ("|", "#124;"), ("<", "#lt;"),
                         (">", "#gt;")):
        text = text.replace(letter, code)
    return text
