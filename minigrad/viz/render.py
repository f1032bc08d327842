"""Turn DOT into SVG, PNG or PDF with the Graphviz that is there.

In this order: the `dot` program (through the `graphviz` package), then `pygraphviz`, whose wheel
carries Graphviz, so that pip alone is enough.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any


def render(source: str, format: str) -> bytes:
    """Lay the graph out and return the picture; RuntimeError names the package to install."""
    if shutil.which("dot"):
        import graphviz  # type: ignore[import-untyped, import-not-found]

        return graphviz.Source(source).pipe(format=format, quiet=True)
    try:
        import pygraphviz  # type: ignore[import-untyped, import-not-found]
    except ImportError:
        raise RuntimeError(
            f"drawing {format} needs Graphviz, which was not found: run `pip install pygraphviz` "
            f"(it carries Graphviz), or install the `dot` program. .dot(), .mermaid(), .text() and "
            f".json() work without.") from None
    with _stderr_captured() as messages:
        try:
            graph = pygraphviz.AGraph(string=source)
            picture: Any = graph.draw(format=format, prog="dot")
        except Exception as error:
            raise RuntimeError(f"Graphviz could not draw the graph: {error}\n"
                               f"{messages.text()}") from error
    return picture


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
