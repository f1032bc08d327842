"""The graph in Graphviz's DOT language: colours, shapes, nested boxes, the legend."""

from __future__ import annotations

import html
import textwrap
from typing import Any

from .boxes import Box, Boxes, described
from .graph import Graph
from .paint import Painting, painting, size_text
from .parts import OPS, Edge, Node
from .themes import SHAPES, STYLES, THEMES

FONT = "Helvetica"
UNHURRIED = 100  # nodes up to which Graphviz may take all the time for the best layout
WIDEST = 44  # letters of a line in a node
TOLD = 160  # letters of an error in a node; the caption has all


def to_dot(graph: Graph) -> str:
    """Return the DOT source; the same graph gives the same text."""
    return "\n".join(_Writer(graph).lines())


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.boxes = Boxes(graph)
        self.theme = THEMES[graph.options.get("theme", "light")]
        self.shapes = graph.options.get("shapes", True)
        self.overlay = graph.options.get("backward", False)
        self.paint: Painting = painting(graph, graph.options.get("paint", "kind"), self.theme)
        self.kinds = {n.id: n.kind for n in graph.nodes}

    def lines(self) -> list[str]:
        theme = self.theme
        limits = ", nslimit=1, nslimit1=1" if len(self.graph.nodes) > UNHURRIED else ""
        lines = [
            "digraph minigrad {",
            f'  graph [rankdir={self.graph.options.get("direction", "TB")}, '
            f'bgcolor="{theme.page}", fontname="{FONT}", fontsize=11, fontcolor="{theme.ink}", '
            f'nodesep=0.3, ranksep=0.35, pad=0.2{limits}{self.caption()}];',
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
        for edge in self.boxes.edges:
            lines += self.edge(edge)
        return [*lines, "}", ""]

    # ---- around the picture
    def caption(self) -> str:
        """Return what stands below: the error, what was folded, the legend."""
        rows = []
        if self.graph.error:
            text = f"failed in {self.graph.phase}: {self.graph.error}"
            rows.append(f'<FONT COLOR="{self.theme.alarm}"><B>{self.wrapped(text, 90)}</B></FONT>')
        rows += [html.escape(note) for note in self.graph.notes]
        cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
        if self.paint.legend:
            swatches = "".join(f'<TD BORDER="1" BGCOLOR="{colour}">  {html.escape(text)}  </TD>'
                               for colour, text in self.paint.legend)
            cells += ('<TR><TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4"><TR>'
                      f"<TD><B>{html.escape(self.paint.title)}</B></TD>{swatches}</TR></TABLE>"
                      "</TD></TR>")
        if not cells:
            return ""
        return f', label=<<TABLE BORDER="0" CELLSPACING="0">{cells}</TABLE>>, labelloc=b'

    def box(self, pad: str, depth: int, box: Box) -> list[str]:
        """Return the beginning of a cluster; the fill alternates with the depth."""
        theme = self.theme
        given = f"({box.module.arguments})" if box.module.arguments else ""
        rest = ", ".join(filter(None, [given, *box.notes]))
        title = f"<B>{html.escape(box.name)}</B>" + (f"  {self.small([rest])}" if rest else "")
        line = f'"{theme.line}"; penwidth=1'
        if box.module.error:
            line = f'"{theme.alarm}"; penwidth=2'
        elif box.module.count > 1:
            line = f'"{theme.ink}"; penwidth=1.5'
        return [f'{pad}subgraph "cluster_{_quoted(box.id)}" {{',
                f'{pad}  label=<{title}>; labeljust=l; labelloc=t; style="rounded,filled"; '
                f'fillcolor="{theme.boxes[(depth + 1) % 2]}"; color={line}; margin=10;']

    # ---- nodes
    def small(self, lines: list[str], colour: str = "") -> str:
        """Return small lines of text."""
        text = "<BR/>".join(self.wrapped(line) for line in lines)
        return f'<FONT POINT-SIZE="9" COLOR="{colour or self.theme.faint}">{text}</FONT>'

    @staticmethod
    def wrapped(text: str, width: int = WIDEST) -> str:
        """Return text as HTML, broken into lines that a node can hold."""
        lines = textwrap.wrap(text, width, break_long_words=True) or [""]
        return "<BR/>".join(map(html.escape, lines))

    def node(self, node: Node) -> str:
        """Return one node: a plain label, or a table if it has parameters inside."""
        label = self.heading(node)
        cells = [self.cell(p) for p in self.boxes.listed.get(node.id, [])]
        cells += [self.reference(p) for p in self.boxes.references.get(node.id, [])]
        if cells:
            label = ('<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="3">'
                     f'<TR><TD COLSPAN="{len(cells)}">{label}</TD></TR>'
                     f'<TR>{"".join(cells)}</TR></TABLE>')
        fill = self.paint.fills.get(node.id, self.theme.kinds[node.kind])
        more = ", margin=0.04" if cells else ""
        if node.error:
            fill = self.theme.kinds["error"]
            more += f', color="{self.theme.alarm}", penwidth=2'
        return (f'"{_quoted(node.id)}" [label=<{label}>, shape={SHAPES[node.kind]}, '
                f'style="{STYLES.get(node.kind, "filled")}", fillcolor="{fill}"{more}];')

    def heading(self, node: Node) -> str:
        """Return a node's name, bold for layers, with small lines below."""
        card = self.boxes.cards.get(node.id)
        lines = self.boxes.notes(node) if node.kind in OPS else described(node)
        lines += [self.paint.lines[node.id]] if node.id in self.paint.lines else []
        lines += self.backward_lines(node) if self.overlay else []
        name = self.wrapped(self.boxes.label(node) if card is None else card.name)
        if card is not None or node.kind in ("module", "error"):
            name = f"<B>{name}</B>"
        ink = self.theme.ink if node.id in self.paint.fills else ""
        parts = [name, self.small(lines, ink)] if lines else [name]
        if node.error:
            text = node.error if len(node.error) <= TOLD else node.error[: TOLD - 1] + "…"
            parts.append(self.small([text], self.theme.ink))
        return "<BR/>".join(parts)

    def backward_lines(self, node: Node) -> list[str]:
        """Return what backward has to say of a node."""
        lines = []
        if node.saved:
            names = ", ".join(s.name for s in node.saved[:3]) + (
                ", …" if len(node.saved) > 3 else "")
            lines.append(f"keeps {names} ({size_text(sum(s.bytes for s in node.saved))})")
        if node.stop in ("frozen", "unused") and node.stop not in node.note:
            lines.append(f"no gradient: {node.stop}")
        if node.grad is not None and node.kind in ("input", "parameter"):
            lines.append(self.norm(node))
        return lines

    @staticmethod
    def norm(node: Node) -> str:
        assert node.grad is not None
        bad = [f"{n} {what}" for n, what in ((node.grad.nan, "NaN"), (node.grad.inf, "inf")) if n]
        known = node.grad.norm is not None and not bad
        return f"gradient norm {node.grad.norm:.3g}" if known else f"gradient: {', '.join(bad)}"

    def cell(self, param: Node) -> str:
        """Return a parameter or buffer inside of its op; buffers have a broken border."""
        lines = described(param)
        lines += [self.paint.lines[param.id]] if param.id in self.paint.lines else []
        lines += self.backward_lines(param) if self.overlay else []
        fill = self.paint.fills.get(param.id, self.theme.kinds[param.kind])
        ink = self.theme.ink if param.id in self.paint.fills else ""
        style = ' STYLE="dashed"' if param.kind == "buffer" else ""
        return (f'<TD BORDER="1" COLOR="{self.theme.line}"{style} BGCOLOR="{fill}">'
                f"{html.escape(param.label)}<BR/>{self.small(lines, ink)}</TD>")

    def reference(self, source: Node) -> str:
        """Return a cell that names a source which is drawn elsewhere."""
        name = html.escape(self.boxes.label(source))
        return f'<TD BGCOLOR="{self.theme.kinds[source.kind]}"><I>{name}</I></TD>'

    # ---- edges
    def edge(self, edge: Edge) -> list[str]:
        """Return an edge, and with the backward overlay the gradient's way back.

        The label is left off where a node at its end shows the shape.
        """
        known = self.kinds[edge.source] in ("parameter", "buffer", "input", "constant") or (
            self.kinds[edge.target] in ("output", "loss"))
        options = [] if known or not self.shapes else [f'label=" {_quoted(edge.label)} "']
        if edge.kind == "update":
            options = ["style=dotted", 'label=" updates "']
        elif self.overlay and edge.stop:
            options = ["style=dotted", "arrowhead=tee", f'label=" {_quoted(edge.stop)} "',
                       f'fontcolor="{self.theme.gradient}"']
        ends = f'"{_quoted(edge.source)}" -> "{_quoted(edge.target)}"'
        lines = [f"  {ends}{' [' + ', '.join(options) + ']' if options else ''};"]
        came = edge.grad_norm is not None or self.graph.phase != "backward"
        if (self.overlay and edge.gradient and came
                and self.kinds[edge.target] not in ("output", "loss")):
            norm = "" if edge.grad_norm is None else f"|g| {edge.grad_norm:.3g}"
            shape = f"{edge.label}" if self.shapes and known else ""
            text = ", ".join(filter(None, [shape, norm]))
            lines.append(f'  "{_quoted(edge.target)}" -> "{_quoted(edge.source)}" '
                         f'[style=dashed, constraint=false, color="{self.theme.gradient}", '
                         f'fontcolor="{self.theme.gradient}", label=" {_quoted(text)} "];')
        return lines


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
