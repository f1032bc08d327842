"""Drawing computation graphs: `draw` for one call, `trace` and `graph_of` for the graph itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import engine
from .graph import Edge, Graph, Module, Node, check_suffix
from .tape import graph_of
from .norms import NormAxes, norm_axes
from .plots import Recorder, plot_activations, plot_gradients, plot_weights
from .trace import trace

__all__ = ["Edge", "Graph", "Module", "Node", "NormAxes", "Recorder", "draw", "graph_of",
           "norm_axes", "plot_activations", "plot_gradients", "plot_weights", "trace"]

MOST = 400  # nodes that a picture shows before modules and chains are folded
_CHOICES: dict[str, tuple[Any, ...]] = {"direction": ("TB", "LR"), "theme": ("light", "dark"),
                                        "shapes": (True, False)}


def draw(x: Any, *inputs: Any, path: str | Path | None = None, kwargs: dict[str, Any] | None = None,
         params: Any = None, depth: int | None = None, **options: Any) -> Graph:
    """Draw the graph behind a tensor, or of one run of a model or function on inputs.

    Args: `path`: where to save it, the suffix chooses (svg png pdf dot gv mmd txt json); `kwargs`:
    the function's keyword arguments; `params`: names for a tensor's graph, see `graph_of`; `depth`:
    modules nested deeper are drawn as one node; `direction`: "TB" or "LR"; `theme`: "light" or
    "dark"; `shapes=False` leaves the shapes off the edges. Beyond 400 nodes chains, modules and
    stretches of ops are folded, and the picture says so.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> torch.viz.draw(net, torch.ones(1, 2))
    Graph(6 nodes (2 ops), 5 edges, 3 modules)
    """
    _check(path, depth, options)
    if isinstance(x, (engine.Tensor, list, tuple, dict)):
        if inputs or kwargs:
            raise TypeError("draw(): a tensor's graph takes no inputs; pass the model instead to "
                            "run it on inputs")
        graph = graph_of(x, params)
    elif params is not None:
        raise TypeError("draw(): params names the leaves of a tensor's graph; a model's parameters "
                        "have names already")
    elif not callable(x):
        raise TypeError(f"draw(): expected a Tensor, a model or a function, got "
                        f"{type(x).__name__}")
    else:
        graph = trace(x, *inputs, kwargs=kwargs)
    graph.options = options
    if depth is not None:
        graph = graph.collapsed(depth)
    graph = graph.limited(MOST)
    if path is not None:
        graph.save(path)
    return graph


def _check(path: Any, depth: Any, options: dict[str, Any]) -> None:
    """Refuse wrong options before anything runs."""
    for name, value in options.items():
        if name not in _CHOICES:
            raise TypeError(f"draw() got an unexpected option '{name}'; it knows path, kwargs, "
                            f"params, depth, {', '.join(_CHOICES)}")
        if value not in _CHOICES[name]:
            raise ValueError(f"draw(): {name} must be one of {_CHOICES[name]}, got {value!r}")
    if depth is not None and (not isinstance(depth, int) or depth < 0):
        raise ValueError(f"draw(): depth must be an int >= 0 or None, got {depth!r}")
    if path is not None:
        check_suffix(Path(path))
