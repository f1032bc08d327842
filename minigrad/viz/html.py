"""The interactive page: the graph's JSON with the viewer's parts, in one file without a network."""

from __future__ import annotations

import functools
import html
import json
from importlib.resources import files
from string import Template
from typing import Any

from ._html_rules import FORMULAS
from .exchange import to_json
from .graph import Graph

SCRIPTS = ("text", "model", "layout", "scene", "paint", "draw", "camera", "panel", "step", "app",
           "main")
THEMES = ("light", "dark", "print")
PICTURES = 1000  # nodes up to which samples of large values are in the page
MOST = 20_000  # nodes of a page; beyond that chains and modules are folded before


def to_html(graph: Graph) -> str:
    """Return a page with the graph, its viewer, and nothing that is loaded from elsewhere.

    Of the graph's options, the page begins with `theme` (without one it follows the system's),
    `direction`, `paint`, `shapes` and `backward`: gradients on the lines. The same graph gives the
    same bytes. Beyond 1,000 nodes large values are told by their
    statistics alone; beyond 20,000 the graph is folded first, and the page says so.
    """
    if len(graph.nodes) > MOST:
        graph = graph.limited(MOST)
    data = json.loads(to_json(graph))
    _spare(data)
    data["formulas"] = {n["label"]: FORMULAS[n["label"]] for n in data["nodes"]
                        if n["label"] in FORMULAS}
    title, options = _title(graph), graph.options
    data.update(paint=options.get("paint", "kind"), gradients=options.get("backward", False),
                shapes=options.get("shapes", True))
    theme = options.get("theme", "auto")
    return Template(_part("page.html")).substitute(
        title=html.escape(title), theme=theme if theme in THEMES else "auto",
        css=_part("viewer.css"), script=_script(), data=_embedded(data))


def to_iframe(graph: Graph, height: int = 620) -> str:
    """Return the page inside an iframe, as a notebook shows it."""
    page = html.escape(to_html(graph), quote=True)
    return (f'<iframe srcdoc="{page}" title="{html.escape(_title(graph))}" width="100%" '
            f'height="{height}" style="border:1px solid #c9ced6"></iframe>')


def _title(graph: Graph) -> str:
    """Name the model, if the graph is that of one."""
    roots = [m for m in graph.modules.values() if m.parent is None]
    name = roots[0].kind if len(roots) == 1 else "minigrad"
    return f"Computation graph: {name}"


def _spare(data: dict[str, Any]) -> None:
    """Leave out what would make the page of a large graph slow, and say so."""
    if len(data["nodes"]) <= PICTURES:
        return
    for node in data["nodes"]:
        for name in ("stats", "grad"):
            node.get(name, {}).pop("picture", None)
        for kept in node.get("saved", ()):
            kept.get("stats", {}).pop("picture", None)
    data["notes"].append(f"More than {PICTURES:,} nodes: heat maps of large values are left out.")


def _embedded(data: dict[str, Any]) -> str:
    """Return JSON that no HTML parser takes for the end of its script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


@functools.cache
def _part(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _script() -> str:
    return "\n".join(_part(f"{name}.js") for name in SCRIPTS)
