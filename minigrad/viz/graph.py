"""`Graph`: ops, values and modules of one run, and its many renderings.

One data structure, made by `trace` or `graph_of`, is what every output format is written from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("input", "parameter", "constant", "op", "view", "module", "output")
SUFFIXES = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot",
            ".mmd": "mermaid", ".txt": "text", ".json": "json"}


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the picture: an op, an input, a parameter, a folded module, an output."""

    id: str
    kind: str  # one of KINDS
    label: str  # the op's, parameter's or module's name
    shape: tuple[int, ...] = ()
    dtype: str = ""
    module: str | None = None  # path of the innermost module around it; None: outside of all
    note: str = ""  # a second line: "in place", "9 ops", "frozen"
    saved: tuple[str, ...] = ()  # names of the values that backward keeps
    call: tuple[tuple[str, int], ...] = ()  # which call, for modules around it that run repeatedly


@dataclass(frozen=True, slots=True)
class Edge:
    """A value on its way from the node that made it to one that uses it."""

    source: str
    target: str
    shape: tuple[int, ...] = ()
    dtype: str = ""

    @property
    def label(self) -> str:
        """The value's shape, with its dtype if that is not float32."""
        size = "×".join(map(str, self.shape)) or "scalar"
        return size if self.dtype in ("", "float32") else f"{size} {self.dtype}"


@dataclass(frozen=True, slots=True)
class Module:
    """A box around nodes: one module of the model that was called."""

    path: str
    name: str  # the last part of the path; "" for the model itself
    kind: str  # its class
    arguments: str
    parent: str | None
    calls: int = 1
    same_as: str = ""  # the path of the same module where it was called first


@dataclass
class Graph:
    """The computation graph of one run.

    `nodes` and `edges` are in the order of creation, `modules` maps paths to boxes. Renderings:
    `svg()`, `dot()`, `mermaid()`, `text()`, `json()` return str, `png()` and `pdf()` bytes;
    `save(path)` chooses by the suffix. The same graph gives the same text.
    """

    nodes: list[Node]
    edges: list[Edge]
    modules: dict[str, Module] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was folded, for the picture's caption
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        ops = sum(n.kind in ("op", "view") for n in self.nodes)
        return (f"Graph({len(self.nodes)} nodes ({ops} ops), {len(self.edges)} edges, "
                f"{len(self.modules)} modules)")

    # ---- renderings
    def dot(self) -> str:
        """Return the graph in Graphviz's DOT language."""
        from .dot import to_dot

        return to_dot(self)

    def mermaid(self) -> str:
        """Return a Mermaid flowchart, which code-hosting pages draw by themselves."""
        from .text import to_mermaid

        return to_mermaid(self)

    def text(self) -> str:
        """Return one line per node with its inputs, indented by module."""
        from .text import to_text

        return to_text(self)

    def json(self) -> str:
        """Return nodes, edges and modules as JSON."""
        content = {"nodes": [asdict(n) for n in self.nodes],
                   "edges": [asdict(e) for e in self.edges],
                   "modules": [asdict(m) for m in self.modules.values()], "notes": self.notes}
        return json.dumps(content, indent=1) + "\n"

    def svg(self) -> str:
        """Return the picture as SVG; needs Graphviz (see `render`)."""
        from .render import render

        return render(self.dot(), "svg").decode()

    def png(self) -> bytes:
        """Return the picture as PNG; needs Graphviz."""
        from .render import render

        return render(self.dot(), "png")

    def pdf(self) -> bytes:
        """Return the picture as PDF; needs Graphviz."""
        from .render import render

        return render(self.dot(), "pdf")

    def save(self, path: str | Path) -> Path:
        """Write the rendering that the suffix names: svg png pdf dot mmd txt json."""
        path = Path(path)
        check_suffix(path)
        writer: Any = getattr(self, SUFFIXES[path.suffix])
        content = writer()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def _repr_svg_(self) -> str:
        return self.svg()

    # ---- smaller graphs
    def collapsed(self, depth: int) -> Graph:
        """Return the graph with every module deeper than `depth` levels drawn as one node."""
        from .fold import collapsed

        return collapsed(self, depth)

    def runs_folded(self, longest: int = 8) -> Graph:
        """Return the graph with chains of more than `longest` ops drawn as one node."""
        from .fold import runs_folded

        return runs_folded(self, longest)

    def limited(self, most: int = 400) -> Graph:
        """Return the graph with chains, modules and then stretches of ops folded until it fits."""
        from .fold import limited

        return limited(self, most)


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix names no rendering."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"path: no rendering is known for the suffix {path.suffix!r} of "
                         f"{path.name!r}; use one of {' '.join(SUFFIXES)}")
