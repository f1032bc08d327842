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
    by_module: dict[str, list[Node]] = {}
    for node in graph.nodes:
        by_module.setdefault(node.module if node.module in graph.modules else "", []).append(node)
    root = by_module.pop("", []) if "" not in graph.modules else [
        n for n in by_module.pop("", []) if not _inside_root(n)]
    lines += [_node(n, colours, "  ") for n in root]
    lines += _boxes(graph, by_module, colours, box, line)
    lines += [_edge(e, shapes) for e in graph.edges]
    return "\n".join([*lines, "}", ""])


def _inside_root(node: Node) -> bool:
    """Ops of the outermost module lie in its box; inputs and outputs lie around it."""
    return node.kind not in ("input", "output")


def _boxes(graph: Graph, by_module: dict[str, list[Node]], colours: dict[str, str], box: str,
           line: str) -> list[str]:
    """Return the nested clusters, by an explicit stack: nesting may be deep."""
    children: dict[str | None, list[str]] = {}
    for path, module in graph.modules.items():
        children.setdefault(module.parent, []).append(path)
    if "" in graph.modules:
        by_module[""] = [n for n in graph.nodes if not n.module and _inside_root(n)]
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
        lines += [_node(n, colours, pad + "  ") for n in by_module.get(path, [])]
        stack.append((path, depth, False))
        stack += [(p, depth + 1, True) for p in reversed(children.get(path, []))]
    return lines


def _node(node: Node, colours: dict[str, str], pad: str) -> str:
    size = "×".join(map(str, node.shape))
    extra = []
    if node.kind in ("parameter", "input", "constant") and node.shape:
        extra.append(size)
    if node.note:
        extra.append(node.note)
    if node.kind in ("parameter", "input", "output") and node.dtype not in ("", "float32"):
        extra.append(node.dtype)
    label = f"<{html.escape(node.label)}>"
    if extra:
        small = "<BR/>".join(html.escape(e) for e in extra)
        label = f'<{html.escape(node.label)}<BR/><FONT POINT-SIZE="9">{small}</FONT>>'
    style = "filled,rounded" if node.kind in ("op", "module") else (
        "filled,rounded,dashed" if node.kind == "view" else "filled")
    return (f'{pad}"{_quoted(node.id)}" [label={label}, shape={SHAPES[node.kind]}, '
            f'style="{style}", fillcolor="{colours[node.kind]}"];')


def _edge(edge: Edge, shapes: bool) -> str:
    label = f' [label=" {_quoted(edge.label)} "]' if shapes and edge.shape is not None else ""
    return f'  "{_quoted(edge.source)}" -> "{_quoted(edge.target)}"{label};'


def _caption(graph: Graph) -> str:
    if not graph.notes:
        return ""
    return f', label="{_quoted("; ".join(graph.notes))}", labelloc=b'


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
