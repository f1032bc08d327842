"""Drawing computation graphs: `draw` for one call, `trace` and `graph_of` for the graph itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import engine
from .graph import Edge, Graph, Module, Node
from .trace import graph_of, trace

__all__ = ["Edge", "Graph", "Module", "Node", "draw", "graph_of", "trace"]

MOST = 400  # nodes that a picture shows before modules and chains are folded
_CHOICES: dict[str, tuple[Any, ...]] = {"direction": ("TB", "LR"), "theme": ("light", "dark"),
                                        "shapes": (True, False)}


def draw(x: Any, *inputs: Any, path: str | Path | None = None, kwargs: dict[str, Any] | None = None,
         depth: int | None = None, **options: Any) -> Graph:
    """Draw the graph behind a tensor, or of one run of a model or function on inputs.

    Args: `path`: where to save it, the suffix chooses (svg png pdf dot mmd txt json); `depth`:
    modules nested deeper are drawn as one node; `direction`: "TB" or "LR"; `theme`: "light" or
    "dark"; `shapes=False` leaves the shapes off the edges. Beyond 400 nodes modules and long
    chains are folded, and the picture says so.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> torch.viz.draw(net, torch.ones(1, 2))
    Graph(6 nodes (2 ops), 5 edges, 3 modules)
    """
    for name, value in options.items():
        if name not in _CHOICES:
            raise TypeError(f"draw() got an unexpected option '{name}'; it knows depth, path, "
                            f"kwargs, {', '.join(_CHOICES)}")
        if value not in _CHOICES[name]:
            raise ValueError(f"draw(): {name} must be one of {_CHOICES[name]}, got {value!r}")
    if isinstance(x, engine.Tensor):
        if inputs:
            raise TypeError("draw(): a tensor's graph needs no inputs; pass the model instead to "
                            "run it on inputs")
        graph = graph_of(x)
    else:
        graph = trace(x, *inputs, kwargs=kwargs)
    graph.options = options
    if depth is not None:
        graph = graph.collapsed(depth)
    graph = _limited(graph)
    if path is not None:
        graph.save(path)
    return graph


def _limited(graph: Graph) -> Graph:
    """Fold chains, then modules from the inside out, until the picture is small enough."""
    if len(graph.nodes) > MOST:
        graph = graph.runs_folded()
    deepest = max((p.count(".") + 2 for p in graph.modules), default=0)
    while len(graph.nodes) > MOST and deepest > 0:
        deepest -= 1
        graph = graph.collapsed(deepest)
    return graph
