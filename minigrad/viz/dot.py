"""The graph in Graphviz's DOT language: colours, shapes, nested boxes."""

from __future__ import annotations

import html
from typing import Any

from .graph import Edge, Graph, Node

# Okabe and Ito's colours, lightened: told apart by colour-blind readers, and by shape in grey.
LIGHT = {"input": "#cfe8f7", "parameter": "#fbe3b5", "constant": "#eeeeee", "op": "#ffffff",
         "view": "#ffffff", "module": "#e6e0f3", "output": "#cdeadb"}
DARK = {"input": "#1d4e6b", "parameter": "#6b4e12", "constant": "#444444", "op": "#2b2b2b",
        "view": "#2b2b2b", "module": "#433a5c", "output": "#1f5a40"}
THEMES = {"light": (LIGHT, "white", "#222222", "#f6f7f9", "#9aa3ad"),
          "dark": (DARK, "#161616", "#eeeeee", "#1e1f22", "#70757d")}
SHAPES = {"input": "ellipse", "parameter": "note", "constant": "plaintext", "op": "box",
          "view": "box", "module": "component", "output": "octagon"}
FONT = "Helvetica"


def to_dot(graph: Graph) -> str:
    """Return the DOT source; the same graph gives the same text."""
    colours, page, ink, box, line = THEMES[graph.options.get("theme", "light")]
    shapes = graph.options.get("shapes", True)
    lines = [
        "digraph minigrad {",
        f'  graph [rankdir={graph.options.get("direction", "TB")}, bgcolor="{page}", '
        f'fontname="{FONT}", fontsize=11, fontcolor="{ink}", nodesep=0.3, ranksep=0.35, '
        f'pad=0.2{_caption(graph)}];',
        f'  node [fontname="{FONT}", fontsize=11, fontcolor="{ink}", color="{line}", '
        f'style=filled, margin="0.14,0.06", height=0.3];',
        f'  edge [fontname="{FONT}", fontsize=9, fontcolor="{ink}", color="{line}", '
        f'arrowsize=0.6];',
    ]
    cells = _cells(graph)
    drawn_inside = {(p.id, i) for i, params in cells.items() for p in params}
    hidden = {p for p, _ in drawn_inside}
    by_module: dict[str, list[Node]] = {}
    for node in (n for n in graph.nodes if n.id not in hidden):
        by_module.setdefault(node.module if node.module in graph.modules else "", []).append(node)
    root = by_module.pop("", []) if "" not in graph.modules else [
        n for n in by_module.pop("", []) if not _inside_root(n)]
    lines += [_node(n, colours, "  ", cells.get(n.id)) for n in root]
    lines += _boxes(graph, by_module, colours, box, line, cells)
    lines += [_edge(e, shapes) for e in graph.edges if (e.source, e.target) not in drawn_inside]
    return "\n".join([*lines, "}", ""])


def _inside_root(node: Node) -> bool:
    """Ops of the outermost module lie in its box; inputs and outputs lie around it."""
    return node.kind not in ("input", "output")


def _boxes(graph: Graph, by_module: dict[str, list[Node]], colours: dict[str, str], box: str,
           line: str, cells: dict[str, list[Node]]) -> list[str]:
    """Return the nested clusters, by an explicit stack: nesting may be deep."""
    children: dict[str | None, list[str]] = {}
    for path, module in graph.modules.items():
        children.setdefault(module.parent, []).append(path)
    if "" in graph.modules:
        inside = {p.id for params in cells.values() for p in params}
        by_module[""] = [n for n in graph.nodes
                         if not n.module and _inside_root(n) and n.id not in inside]
    lines: list[str] = []
    stack: list[tuple[str, int, bool]] = [(p, 1, True) for p in reversed(children.get(None, []))]
    while stack:
        path, depth, opening = stack.pop()
        pad = "  " * depth
        if not opening:
            lines.append(pad + "}")
            continue
        lines.append(f'{pad}subgraph "cluster_{_quoted(path or "model")}" {{')
        lines.append(f'{pad}  label="{_quoted(graph.modules[path].title)}"; labeljust=l; '
                     f'style="rounded,filled"; fillcolor="{box}"; color="{line}"; margin=10;')
        lines += [_node(n, colours, pad + "  ", cells.get(n.id))
                  for n in by_module.get(path, [])]
        stack.append((path, depth, False))
        stack += [(p, depth + 1, True) for p in reversed(children.get(path, []))]
    return lines


def _cells(graph: Graph) -> dict[str, list[Node]]:
    """Return for each op the parameters that nobody else uses: they are part of its node."""
    nodes = {n.id: n for n in graph.nodes}
    users: dict[str, list[str]] = {}
    for edge in graph.edges:
        users.setdefault(edge.source, []).append(edge.target)
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        used = users.get(node.id, [])
        if node.kind == "parameter" and len(used) == 1 and nodes[used[0]].module == node.module:
            found.setdefault(used[0], []).append(node)
    return found


def _node(node: Node, colours: dict[str, str], pad: str, cells: list[Node] | None) -> str:
    name = html.escape(node.label)
    extra = []
    if node.kind in ("parameter", "input", "constant") and node.shape:
        extra.append("×".join(map(str, node.shape)))
    if node.note:
        extra.append(node.note)
    if node.kind in ("parameter", "input", "output") and node.dtype not in ("", "float32"):
        extra.append(node.dtype)
    label = f"<{name}>"
    if extra:
        label = f"<{name}<BR/>{_small(extra)}>"
    style = "filled,rounded" if node.kind in ("op", "module") else (
        "filled,rounded,dashed" if node.kind == "view" else "filled")
    if cells:
        row = "".join(
            f'<TD BGCOLOR="{colours["parameter"]}">{html.escape(p.label)}<BR/>'
            f'{_small(["×".join(map(str, p.shape)) or "scalar"])}</TD>' for p in cells)
        label = (f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="3"><TR>'
                 f'<TD COLSPAN="{len(cells)}">{label[1:-1]}</TD></TR><TR>{row}</TR></TABLE>>')
    return (f'{pad}"{_quoted(node.id)}" [label={label}, shape={SHAPES[node.kind]}, '
            f'style="{style}", fillcolor="{colours[node.kind]}"'
            f'{", margin=0" if cells else ""}];')


def _small(lines: list[str]) -> str:
    return f'<FONT POINT-SIZE="9">{"<BR/>".join(map(html.escape, lines))}</FONT>'


def _edge(edge: Edge, shapes: bool) -> str:
    label = f' [label=" {_quoted(edge.label)} "]' if shapes else ""
    return f'  "{_quoted(edge.source)}" -> "{_quoted(edge.target)}"{label};'


def _caption(graph: Graph) -> str:
    if not graph.notes:
        return ""
    return f', label="{_quoted("; ".join(graph.notes))}", labelloc=b'


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
