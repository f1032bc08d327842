"""The graph as text: one line per node, with its inputs, shape and what backward keeps."""

from __future__ import annotations

from .boxes import OPS, Boxes, Key, size
from .graph import Graph


def to_text(graph: Graph) -> str:
    """Return a table: node, where its inputs come from, its shape, what backward keeps."""
    into: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "data":
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
        kept = f"FAILED in {node.phase}: {node.error}" if node.error else ""
        if node.saved and not node.error:
            kept = f"keeps {', '.join(s.name for s in node.saved)}"
        made += f" × {node.count}" if node.count > 1 else ""
        shape = size(node.shape) if node.shape or node.dtype else ""
        rows.append((f"{'  ' * len(chain)}{names[node.id]} = {made}", shape, node.dtype,
                     kept))
    failed = [f"failed in {graph.phase}: {graph.error}"] if graph.error else []
    return "\n".join([*_columns(rows), *failed, *graph.notes, ""])


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
