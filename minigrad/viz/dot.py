"""The graph in Graphviz's DOT language: colours, shapes, nested boxes."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from .boxes import Box, Boxes, described
from .graph import Edge, Graph, Node

# Okabe and Ito's colours, lightened: told apart by colour-blind readers, and by shape in grey.
LIGHT = {"input": "#cfe8f7", "parameter": "#fbe3b5", "buffer": "#f6d5e4", "constant": "#eeeeee",
         "op": "#ffffff", "view": "#ffffff", "module": "#e6e0f3", "output": "#cdeadb",
         "loss": "#bfe3e0", "error": "#f4a6a0"}
DARK = {"input": "#1d4e6b", "parameter": "#6b4e12", "buffer": "#6b2f4e", "constant": "#444444",
        "op": "#33363b", "view": "#33363b", "module": "#433a5c", "output": "#1f5a40",
        "loss": "#12555c", "error": "#8c2f28"}
SHAPES = {"input": "ellipse", "parameter": "note", "constant": "plaintext", "op": "box",
          "view": "box", "module": "box", "output": "octagon", "buffer": "cylinder",
          "loss": "doubleoctagon", "error": "box"}
STYLES = {"op": "filled,rounded", "view": "filled,rounded,dashed", "module": "filled,rounded"}
FONT = "Helvetica"
UNHURRIED = 100  # nodes up to which Graphviz may take all the time for the best layout


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: nodes by kind, page, text, boxes (two in turn), lines."""

    kinds: dict[str, str]
    page: str
    ink: str
    faint: str
    boxes: tuple[str, str]
    line: str


THEMES = {"light": Theme(LIGHT, "#ffffff", "#1f2328", "#59636e", ("#f4f6f8", "#e9edf1"), "#87919c"),
          "dark": Theme(DARK, "#16181c", "#eceff2", "#b3bac2", ("#1f2227", "#282c32"), "#7d8590")}


def to_dot(graph: Graph) -> str:
    """Return the DOT source; the same graph gives the same text."""
    return "\n".join(_Writer(graph).lines())


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.boxes = Boxes(graph)
        self.theme = THEMES[graph.options.get("theme", "light")]
        self.shapes = graph.options.get("shapes", True)
        self.kinds = {n.id: n.kind for n in graph.nodes}

    def lines(self) -> list[str]:
        theme = self.theme
        caption = f', label="{_quoted("; ".join(self.graph.notes))}", labelloc=b' if (
            self.graph.notes) else ""
        limits = ", nslimit=1, nslimit1=1" if len(self.graph.nodes) > UNHURRIED else ""
        lines = [
            "digraph minigrad {",
            f'  graph [rankdir={self.graph.options.get("direction", "TB")}, '
            f'bgcolor="{theme.page}", fontname="{FONT}", fontsize=11, fontcolor="{theme.ink}", '
            f'nodesep=0.3, ranksep=0.35, pad=0.2{limits}{caption}];',
            f'  node [fontname="{FONT}", fontsize=11, fontcolor="{theme.ink}", '
            f'color="{theme.line}", style=filled, margin="0.14,0.06", height=0.3];',
            f'  edge [fontname="{FONT}", fontsize=9, fontcolor="{theme.faint}", '
            f'color="{theme.line}", arrowsize=0.6];']
        for what, depth, item in self.boxes.walk():
            pad = "  " * depth
            if what == "open":
                lines += self.box(pad, depth, item)
            elif what == "close":
                lines.append(pad + "}")
            else:
                lines.append(pad + self.node(item))
        lines += [self.edge(e) for e in self.boxes.edges]
        return [*lines, "}", ""]

    def box(self, pad: str, depth: int, box: Box) -> list[str]:
        """Return the beginning of a cluster; the fill alternates with the depth."""
        theme = self.theme
        given = f"({box.module.arguments})" if box.module.arguments else ""
        rest = ", ".join(filter(None, [given, *box.notes]))
        title = f"<B>{html.escape(box.name)}</B>" + (f"  {self.small([rest])}" if rest else "")
        return [f'{pad}subgraph "cluster_{_quoted(box.id)}" {{',
                f'{pad}  label=<{title}>; labeljust=l; labelloc=t; style="rounded,filled"; '
                f'fillcolor="{theme.boxes[(depth + 1) % 2]}"; color="{theme.line}"; margin=10;']

    def small(self, lines: list[str]) -> str:
        text = "<BR/>".join(map(html.escape, lines))
        return f'<FONT POINT-SIZE="9" COLOR="{self.theme.faint}">{text}</FONT>'

    def node(self, node: Node) -> str:
        """Return one node: a plain label, or a table if it has parameters inside."""
        label = self.heading(node)
        cells = [self.cell(p) for p in self.boxes.listed.get(node.id, [])]
        cells += [self.reference(p) for p in self.boxes.references.get(node.id, [])]
        if cells:
            label = ('<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="3">'
                     f'<TR><TD COLSPAN="{len(cells)}">{label}</TD></TR>'
                     f'<TR>{"".join(cells)}</TR></TABLE>')
        return (f'"{_quoted(node.id)}" [label=<{label}>, shape={SHAPES[node.kind]}, '
                f'style="{STYLES.get(node.kind, "filled")}", '
                f'fillcolor="{self.theme.kinds[node.kind]}"{", margin=0.04" if cells else ""}];')

    def heading(self, node: Node) -> str:
        """Return a node's name, bold for layers, with small lines below."""
        card = self.boxes.cards.get(node.id)
        value = node.kind in ("parameter", "buffer", "input", "constant", "output", "loss")
        lines = described(node) if value else self.boxes.notes(node)
        name = html.escape(self.boxes.label(node) if card is None else card.name)
        if card is not None or node.kind == "module":
            name = f"<B>{name}</B>"
        return f"{name}<BR/>{self.small(lines)}" if lines else name

    def cell(self, param: Node) -> str:
        return (f'<TD BGCOLOR="{self.theme.kinds[param.kind]}">{html.escape(param.label)}<BR/>'
                f"{self.small(described(param))}</TD>")

    def reference(self, source: Node) -> str:
        """Return a cell that names a source which is drawn elsewhere."""
        name = html.escape(self.boxes.label(source))
        return f'<TD BGCOLOR="{self.theme.kinds[source.kind]}"><I>{name}</I></TD>'

    def edge(self, edge: Edge) -> str:
        """Return one edge; its label is left off where a node at its end shows the shape."""
        known = self.kinds[edge.source] in ("parameter", "buffer", "input", "constant") or (
            self.kinds[edge.target] in ("output", "loss"))
        label = "" if known or not self.shapes else f' [label=" {_quoted(edge.label)} "]'
        return f'  "{_quoted(edge.source)}" -> "{_quoted(edge.target)}"{label};'


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
