"""`Graph`: ops, values and modules of one run, and its many renderings.

One data structure, made by `trace` or `graph_of`, is what every output format is written from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .parts import KINDS, OPS, Edge, Module, Node, Saved, Stats

__all__ = ["KINDS", "OPS", "Edge", "Graph", "Module", "Node", "Saved", "Stats", "check_suffix"]

SUFFIXES = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".html": "html", ".dot": "dot",
            ".gv": "dot", ".mmd": "mermaid", ".txt": "text", ".json": "json",
            ".graphml": "graphml"}


@dataclass
class Graph:
    """The computation graph of one run.

    `nodes` and `edges` are in the order of creation, `modules` maps paths to boxes; `error` and
    `phase` say how a run failed. Renderings: `svg()`, `html()`, `dot()`, `mermaid()`, `graphml()`,
    `text()`, `json()` return str, `png()` and `pdf()` bytes; `save(path)` chooses by the suffix.
    The same graph gives the same text.
    """

    nodes: list[Node]
    edges: list[Edge]
    modules: dict[str, Module] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was folded, for the picture's caption
    options: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    phase: str = ""
    totals: dict[str, int] | None = None  # of the whole graph, where this is a folded one

    def __repr__(self) -> str:
        ops = sum(n.kind in ("op", "view") for n in self.nodes)
        failed = f", failed in {self.phase}" if self.error else ""
        return (f"Graph({len(self.nodes)} nodes ({ops} ops), {len(self.edges)} edges, "
                f"{len(self.modules)} modules{failed})")

    # ---- renderings
    def dot(self) -> str:
        """Return the graph in Graphviz's DOT language."""
        from .dot import to_dot

        return to_dot(self)

    def mermaid(self) -> str:
        """Return a Mermaid flowchart, which code-hosting pages draw by themselves."""
        from .mermaid import to_mermaid

        return to_mermaid(self)

    def text(self) -> str:
        """Return one line per node with its inputs, indented by module."""
        from .text import to_text

        return to_text(self)

    def json(self) -> str:
        """Return everything that is known as JSON; docs/drawing.md describes the fields."""
        from .exchange import to_json

        return to_json(self)

    def graphml(self) -> str:
        """Return the graph as GraphML, which graph editors read."""
        from .exchange import to_graphml

        return to_graphml(self)

    def to_networkx(self) -> Any:
        """Return a `networkx.MultiDiGraph` whose nodes and edges carry all attributes."""
        from .exchange import to_networkx

        return to_networkx(self)

    def styled(self, **options: Any) -> Graph:
        """Return the graph with options for its pictures: see `draw`.

        direction, theme, shapes, paint, backward; they are checked here.
        """
        from .options import checked

        return replace(self, options={**self.options, **checked(options, "styled")})

    def judged(self, report: Any) -> Graph:
        """Return the graph with the verdicts of a `check_gradients` report on its nodes."""
        from .verdicts import judged

        return judged(self, report)

    def svg(self) -> str:
        """Return the picture as SVG; needs Graphviz (see `render`)."""
        from .render import render_svg

        return render_svg(self)

    def png(self) -> bytes:
        """Return the picture as PNG; needs Graphviz."""
        from .render import render_png

        return render_png(self)

    def pdf(self) -> bytes:
        """Return the picture as PDF; needs Graphviz."""
        from .render import render

        return render(self.dot(), "pdf")

    def html(self) -> str:
        """Return one interactive page that needs neither Graphviz nor the network."""
        from .html import to_html

        return to_html(self)

    def save(self, path: str | Path) -> Path:
        """Write the rendering that the suffix names: svg png pdf html dot mmd graphml txt json."""
        path = Path(path)
        check_suffix(path)
        writer: Any = getattr(self, SUFFIXES[path.suffix])
        content = writer()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def show(self) -> Path:
        """Open the interactive page in the browser; return the file it is in."""
        from .render import show

        return show(self)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_html_(self) -> str:
        from .html import to_iframe

        return to_iframe(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from .render import bundle

        return bundle(self, include, exclude)

    # ---- totals
    @property
    def sums(self) -> dict[str, int]:
        """Elements of parameters, FLOPs and saved bytes: of the whole graph, if this is folded."""
        if self.totals is not None:
            return self.totals
        blocks: dict[int, int] = {}
        for node in self.nodes:
            for s in node.saved:
                blocks[s.memory] = max(blocks.get(s.memory, 0), s.bytes)
        return {"parameters": sum(n.elements for n in self.nodes if n.kind == "parameter"),
                "flops": sum(n.flops or 0 for n in self.nodes),
                "saved_bytes": sum(blocks.values())}

    @property
    def flops(self) -> int:
        """Floating point operations of forward, of the ops that have a formula."""
        return self.sums["flops"]

    @property
    def saved_bytes(self) -> int:
        """What backward keeps; memory that several values share counts once."""
        return self.sums["saved_bytes"]

    @property
    def parameters(self) -> int:
        """Elements of the parameters, each counted once."""
        return self.sums["parameters"]

    # ---- questions
    def find(self, pattern: str) -> list[Node]:
        """Return the nodes whose label, module path, class or full name matches, as in a shell.

        >>> import minigrad as torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
        >>> [n.label for n in torch.viz.trace(net, torch.ones(1, 2)).find("rel*")]
        ['relu']
        """
        from .select import find

        return find(self, pattern)

    def subgraph(self, nodes: str | Callable[[Node], bool] | Any, around: int = 0) -> Graph:
        """Return the part with some nodes, and those at most `around` edges away from them.

        `nodes`: a pattern as in `find` (also a module's path), a function of a node, or nodes and
        ids.
        """
        from .select import subgraph

        return subgraph(self, nodes, around)

    def compare(self, other: Graph) -> Any:
        """Return what changed between two graphs: a `Comparison`, which prints as a list."""
        from .compare import compare

        return compare(self, other)

    # ---- smaller graphs
    def fold(self, depth: int | None = None, repeats: bool = True,
             chains: int | None = None) -> Graph:
        """Return a smaller graph.

        Args: `depth`: modules nested deeper are one node each; `repeats`: blocks of equal
        structure that follow each other are drawn once, with their count; `chains`: runs of more
        ops than this are one node.
        """
        from .fold import collapsed, runs_folded
        from .repeat import repeats_folded

        graph = self if depth is None else collapsed(self, depth)
        if repeats:
            graph = repeats_folded(graph)
        return graph if chains is None else runs_folded(graph, chains)

    def collapsed(self, depth: int) -> Graph:
        """Return the graph with every module deeper than `depth` levels drawn as one node."""
        from .fold import collapsed

        return collapsed(self, depth)

    def runs_folded(self, longest: int = 8) -> Graph:
        """Return the graph with chains of more than `longest` ops drawn as one node."""
        from .fold import runs_folded

        return runs_folded(self, longest)

    def limited(self, most: int = 400, repeats: bool = True) -> Graph:
        """Return the graph with chains, modules and then stretches of ops folded until it fits.

        `repeats`: repeated blocks are folded first.
        """
        from .fold import limited

        return limited(self, most, repeats)


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix names no rendering."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"path: no rendering is known for the suffix {path.suffix!r} of "
                         f"{path.name!r}; use one of {' '.join(SUFFIXES)}")
