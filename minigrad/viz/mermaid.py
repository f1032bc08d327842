"""The graph as a Mermaid flowchart, which code-hosting pages draw by themselves."""

from __future__ import annotations

from .boxes import OPS, Boxes, described
from .graph import Graph, Node
from .themes import LIGHT

MERMAID = {"input": ("([", "])"), "parameter": ("[/", "/]"), "constant": ("[", "]"),
           "op": ("[", "]"), "view": ("[", "]"), "buffer": ("[(", ")]"), "loss": ("{{", "}}"),
           "error": (">", "]"), "module": ("[[", "]]"), "output": ("{{", "}}")}


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
    for kind in ("input", "parameter", "buffer", "module", "output", "loss", "error"):
        found = [names[n.id] for n in graph.nodes if n.id not in boxes.hidden
                 and ("error" if n.error else n.kind) == kind]
        if found:
            lines.append(f"  classDef {kind} fill:{LIGHT[kind]},color:#1f2328")
            lines.append(f"  class {','.join(found)} {kind}")
    failed = [f"failed in {graph.phase}: {graph.error}"] if graph.error else []
    return "\n".join([*lines, *(f"  %% {note}" for note in [*failed, *graph.notes]), ""])


def _mermaid_node(node: Node, boxes: Boxes) -> str:
    left, right = MERMAID[node.kind]
    card = boxes.cards.get(node.id)
    if card is not None:
        parts = [card.name, *boxes.notes(node)]
    elif node.kind in OPS:
        parts = [node.label, *boxes.notes(node)]
    else:
        parts = [boxes.label(node), *described(node)]
    parts += [node.error] if node.error else []
    parts += [f"{p.label} {' '.join(described(p))}" for p in boxes.listed.get(node.id, [])]
    parts += [boxes.label(source) for source in boxes.references.get(node.id, [])]
    return f'{left}"{"<br/>".join(map(_safe, parts))}"{right}'


def _safe(text: str) -> str:
    """Escape what Mermaid reads as syntax inside quotes."""
    for letter, code in (("#", "#35;"), ('"', "#quot;"), ("|", "#124;"), ("<", "#lt;"),
                         (">", "#gt;")):
        text = text.replace(letter, code)
    return text
