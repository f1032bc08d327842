"""The graph as text: one line per node, or a Mermaid flowchart."""

from __future__ import annotations

from .graph import Graph, Node

MERMAID = {"input": ("([", "])"), "parameter": ("[/", "/]"), "constant": ("[", "]"),
           "op": ("[", "]"), "view": ("[", "]"), "module": ("[[", "]]"), "output": ("{{", "}}")}
COLOURS = {"input": "#cfe8f7", "parameter": "#fbe3b5", "module": "#e6e0f3", "output": "#cdeadb"}


def to_text(graph: Graph) -> str:
    """Return a table: node, what it is, where its inputs come from, its shape."""
    into: dict[str, list[str]] = {}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge.source)
    names = {n.id: f"%{k}" for k, n in enumerate(graph.nodes)}
    rows, home = [], ""
    for node in graph.nodes:
        if node.module != home:
            home = node.module
            rows.append((f"[{graph.modules[home].title}]" if home in graph.modules and home else
                         "[model]", "", ""))
        made = node.label + (f" ({node.note})" if node.note else "")
        inputs = ", ".join(names[i] for i in into.get(node.id, []))
        call = f"{made}({inputs})" if node.kind in ("op", "view", "module") else (
            (made if made.startswith(node.kind) else f"{node.kind} {made}")
            + (f" = {inputs}" if inputs else ""))
        size = " × ".join(map(str, node.shape)) or "scalar"
        rows.append((f"  {names[node.id]} = {call}", size, node.dtype))
    wide = max((len(r[0]) for r in rows if r[1]), default=0)
    lines = [f"{a:<{wide}}  {b} {c}".rstrip() if b else a for a, b, c in rows]
    return "\n".join([*lines, *graph.notes, ""])


def to_mermaid(graph: Graph) -> str:
    """Return a flowchart with one subgraph per module."""
    direction = {"TB": "TD"}.get(graph.options.get("direction", "TB"), "LR")
    lines = [f"flowchart {direction}"]
    names = {n.id: f"n{k}" for k, n in enumerate(graph.nodes)}
    children: dict[str | None, list[str]] = {}
    for path, module in graph.modules.items():
        children.setdefault(module.parent, []).append(path)
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        inside = node.module in graph.modules and node.kind not in ("input", "output")
        members.setdefault(node.module if inside else "outside", []).append(node)
    lines += [_node(n, names, "  ") for n in members.get("outside", [])]
    boxes = {path: f"m{k}" for k, path in enumerate(graph.modules)}
    stack = [(p, 1, True) for p in reversed(children.get(None, []))]
    while stack:
        path, depth, opening = stack.pop()
        pad = "  " * depth
        if not opening:
            lines.append(pad + "end")
            continue
        lines.append(f'{pad}subgraph {boxes[path]}["{_safe(graph.modules[path].title)}"]')
        lines += [_node(n, names, pad + "  ") for n in members.get(path, [])]
        stack.append((path, depth, False))
        stack += [(p, depth + 1, True) for p in reversed(children.get(path, []))]
    for edge in graph.edges:
        lines.append(f"  {names[edge.source]} -->|{_safe(edge.label)}| {names[edge.target]}")
    for kind, colour in COLOURS.items():
        found = [names[n.id] for n in graph.nodes if n.kind == kind]
        if found:
            lines.append(f"  classDef {kind} fill:{colour}")
            lines.append(f"  class {','.join(found)} {kind}")
    return "\n".join([*lines, *(f"  %% {note}" for note in graph.notes), ""])


def _node(node: Node, names: dict[str, str], pad: str) -> str:
    left, right = MERMAID[node.kind]
    size = f"<br/>{'×'.join(map(str, node.shape))}" if node.kind in ("parameter", "input") else ""
    note = f"<br/>{_safe(node.note)}" if node.note else ""
    return f'{pad}{names[node.id]}{left}"{_safe(node.label)}{size}{note}"{right}'


def _safe(text: str) -> str:
    return text.replace('"', "#quot;").replace("|", "#124;")
