"""`Graph`: ops, values and modules of one run, and its many renderings.

One data structure, made by `trace` or `graph_of`, is what every output format is written from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

KINDS = ("input", "parameter", "constant", "op", "view", "module", "output")


@dataclass(frozen=True)
class Node:
    """One thing in the picture: an op, an input, a parameter, a folded module, an output."""

    id: str
    kind: str  # one of KINDS
    label: str  # the op's, parameter's or module's name
    shape: tuple[int, ...] = ()
    dtype: str = ""
    module: str = ""  # path of the innermost module it belongs to ("" is outside of all)
    note: str = ""  # a second line: "in place", "x 12", the class of a module
    saved: tuple[str, ...] = ()  # names of the values that backward keeps


@dataclass(frozen=True)
class Edge:
    """A value on its way from the node that made it to one that uses it."""

    source: str
    target: str
    shape: tuple[int, ...] = ()
    dtype: str = ""

    @property
    def label(self) -> str:
        """The value's shape, with its dtype if that is not float32."""
        size = " × ".join(map(str, self.shape)) or "scalar"
        return size if self.dtype in ("", "float32") else f"{size} {self.dtype}"


@dataclass(frozen=True)
class Module:
    """A box around nodes: one module of the model that was called."""

    path: str
    title: str
    parent: str | None


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
        writers = {".svg": self.svg, ".png": self.png, ".pdf": self.pdf, ".dot": self.dot,
                   ".gv": self.dot, ".mmd": self.mermaid, ".txt": self.text, ".json": self.json}
        writer: Any = writers.get(path.suffix)
        if writer is None:
            raise ValueError(f"path: no rendering is known for the suffix {path.suffix!r}; use one "
                             f"of {' '.join(writers)}")
        content = writer()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def _repr_svg_(self) -> str:
        return self.svg()

    # ---- smaller graphs
    def collapsed(self, depth: int) -> Graph:
        """Return the graph with every module deeper than `depth` levels drawn as one node."""
        inside = {path: target for path in self.modules
                  if (target := _ancestor(self.modules, path, depth)) is not None}
        order, merged = [], {}
        home: dict[str, str] = {}
        for node in self.nodes:
            target = inside.get(node.module)
            if target is None:
                order.append(node)
                home[node.id] = node.id
                continue
            key = f"module {target}"
            home[node.id] = key
            if key not in merged:
                box = self.modules[target]
                name, _, kind = box.title.partition(": ")
                merged[key] = len(order)
                order.append(Node(key, "module", name, module=box.parent or "", note=kind))
            if node.kind in ("op", "view"):
                at = merged[key]
                order[at] = replace(order[at], shape=node.shape, dtype=node.dtype)
        edges, seen = [], set()
        for edge in self.edges:
            made = replace(edge, source=home[edge.source], target=home[edge.target])
            if made.source != made.target and made not in seen:
                seen.add(made)
                edges.append(made)
        kept = {p: m for p, m in self.modules.items() if p not in inside}
        return replace(self, nodes=order, edges=edges, modules=kept,
                       notes=[*self.notes, f"modules below level {depth} are folded"])

    def runs_folded(self, longest: int = 8) -> Graph:
        """Return the graph with chains of more than `longest` ops drawn as one node."""
        into: dict[str, list[str]] = {}
        out: dict[str, list[str]] = {}
        for edge in self.edges:
            into.setdefault(edge.target, []).append(edge.source)
            out.setdefault(edge.source, []).append(edge.target)
        by_id = {n.id: n for n in self.nodes}
        run_of: dict[str, int] = {}
        runs: list[list[Node]] = []
        for node in self.nodes:
            if node.kind not in ("op", "view"):
                continue
            before = [by_id[i] for i in into.get(node.id, []) if by_id[i].kind in ("op", "view")]
            if len(before) == 1 and len(out[before[0].id]) == 1 and (
                    before[0].module == node.module):
                run_of[node.id] = run_of[before[0].id]
                runs[run_of[node.id]].append(node)
            else:
                run_of[node.id] = len(runs)
                runs.append([node])
        home = {}
        made: dict[str, Node] = {}
        for run in runs:
            if len(run) <= longest:
                continue
            last = run[-1]
            names = sorted({n.label for n in run})
            label = names[0] if len(names) == 1 else f"{run[0].label} … {last.label}"
            made[last.id] = replace(last, label=label, note=f"{len(run)} ops")
            home |= {n.id: last.id for n in run}
        nodes = [made.get(n.id, n) for n in self.nodes if home.get(n.id, n.id) == n.id]
        edges, seen = [], set()
        for edge in self.edges:
            moved = replace(edge, source=home.get(edge.source, edge.source),
                            target=home.get(edge.target, edge.target))
            if moved.source != moved.target and moved not in seen:
                seen.add(moved)
                edges.append(moved)
        used = {e.source for e in edges} | {e.target for e in edges}
        nodes = [n for n in nodes if n.kind != "constant" or n.id in used]
        return replace(self, nodes=nodes, edges=edges,
                       notes=[*self.notes, f"chains of more than {longest} ops are folded"])


def _ancestor(modules: dict[str, Module], path: str, depth: int) -> str | None:
    """Return the outermost module of level `depth` + 1 around a path, None if it is shallower."""
    chain = [path]
    while (parent := modules[chain[-1]].parent) is not None:
        chain.append(parent)
    return chain[-1 - depth] if len(chain) > depth else None
