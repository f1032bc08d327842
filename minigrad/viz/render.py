"""Turn DOT into SVG, PNG or PDF with the Graphviz that is there.

In this order: the `dot` program (through the `graphviz` package), then `pygraphviz`, whose wheel
carries Graphviz, so that pip alone is enough.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import sys
import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .html import to_html, to_iframe
from .themes import THEMES

if TYPE_CHECKING:
    from .graph import Graph

SIDE = 32_000  # pixels; Graphviz cuts a PNG at 32,767 without a word
TEXT = re.compile(r"<text .*?</text>\n", re.DOTALL)


class GraphvizMissing(RuntimeError):
    """Neither a `dot` program nor pygraphviz is there."""


def render(source: str, format: str) -> bytes:
    """Lay the graph out and return the picture; RuntimeError names the package to install."""
    if shutil.which("dot"):
        import graphviz  # type: ignore[import-untyped, import-not-found]

        try:
            return graphviz.Source(source).pipe(format=format, quiet=True)
        except graphviz.CalledProcessError as error:
            told = (error.stderr or b"").decode(errors="replace")
            raise RuntimeError(f"Graphviz could not draw the graph: {error}\n{told}") from error
    try:
        import pygraphviz  # type: ignore[import-untyped, import-not-found]
    except ImportError:
        raise GraphvizMissing(
            f"drawing {format} needs Graphviz, which was not found: run `pip install pygraphviz` "
            f"(it carries Graphviz), or install the `dot` program. .html(), .dot(), .mermaid(), "
            f".text() and .json() work without.") from None
    with _stderr_captured() as messages:
        try:
            graph = pygraphviz.AGraph(string=source)
            picture: Any = graph.draw(format=format, prog="dot")
        except Exception as error:
            raise RuntimeError(f"Graphviz could not draw the graph: {error}\n"
                               f"{messages.text()}") from error
    return picture


def render_svg(graph: Graph) -> str:
    """Return the SVG, with the titles of boxes and the labels of lines above all lines.

    Where a line runs through such a text, a rim in the colour of the background cuts it.
    """
    theme = THEMES[graph.options.get("theme", "light")]
    svg = render(graph.dot(), "svg").decode()
    lifted: list[str] = []

    def without(group: re.Match[str]) -> str:
        fill = re.search(r'<(?:path|polygon) fill="(#\w+)"', group[0])
        rim = fill[1] if fill is not None and group[1] == "cluster" else theme.boxes[0]
        found = TEXT.findall(group[0])
        if found:
            lifted.append(f'<g stroke="{rim}">\n{"".join(found)}</g>\n')
        return TEXT.sub("", group[0])

    svg = re.sub(r'<g id="\w+" class="(cluster|edge)">.*?</g>', without, svg, flags=re.DOTALL)
    if not lifted:
        return svg
    body, _, end = svg.rpartition("</g>")
    return (f'{body}<g class="labels" style="paint-order:stroke" stroke-width="3" '
            f'stroke-linejoin="round">\n{"".join(lifted)}</g>\n</g>{end}')


def render_png(graph: Graph) -> bytes:
    """Return a PNG; a graph that would be larger than a PNG can be is folded until it fits."""
    picture = render(graph.dot(), "png")
    most = len(graph.nodes)
    while max(png_size(picture)) >= SIDE and most > 8:
        most //= 2
        small = graph.limited(most)
        picture = render(replace(small, notes=[*small.notes, "folded to fit into a PNG"]).dot(),
                         "png")
    return picture


def png_size(picture: bytes) -> tuple[int, int]:
    """Return width and height, which stand at the beginning of the file."""
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def show(graph: Graph) -> Path:
    """Write the interactive page to a temporary file and open it in the browser."""
    handle, name = tempfile.mkstemp(".html", "minigrad-graph-")
    with os.fdopen(handle, "w", encoding="utf-8") as f:
        f.write(to_html(graph))
    webbrowser.open(Path(name).as_uri())
    return Path(name)


def bundle(graph: Graph, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """Return what a notebook shows, by MIME type."""
    makers = {"text/plain": lambda: repr(graph), "text/html": lambda: to_iframe(graph),
              "image/svg+xml": graph.svg}
    wanted = [kind for kind in makers if (not include or kind in include)
              and not (exclude and kind in exclude)]
    found = {}
    for kind in wanted:
        try:
            found[kind] = makers[kind]()
        except GraphvizMissing:
            continue
    return found


class _stderr_captured:
    """Keep Graphviz's font warnings, which its C code writes, off the user's terminal."""

    def __enter__(self) -> _stderr_captured:
        self._file = tempfile.TemporaryFile()
        self._saved = os.dup(2)
        sys.stderr.flush()
        os.dup2(self._file.fileno(), 2)
        return self

    def text(self) -> str:
        """Return what was written so far."""
        self._file.seek(0)
        return self._file.read().decode(errors="replace")

    def __exit__(self, *exc: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
        self._file.close()
