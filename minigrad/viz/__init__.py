"""Drawing computation graphs: `draw` for one call, `trace` and `graph_of` for the graph itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import engine
from .graph import Edge, Graph, Module, Node, Saved, Stats, check_suffix
from .norms import NormAxes, norm_axes
from .options import checked, fitted
from .plots import Recorder, plot_activations, plot_gradients, plot_weights
from .tape import graph_of
from .trace import trace

__all__ = ["Edge", "Graph", "Module", "Node", "NormAxes", "Recorder", "Saved", "Stats", "draw",
           "graph_of", "norm_axes", "plot_activations", "plot_gradients", "plot_weights", "trace"]

NEED_BACKWARD = ("memory", "gradients", "gradient", "nan", "time", "gradcheck")


def draw(x: Any, *inputs: Any, path: str | Path | None = None, kwargs: dict[str, Any] | None = None,
         params: Any = None, depth: int | None = None, fold: bool | None = None,
         backward: bool = False, target: str | Callable[[Any], Any] | None = None,
         report: Any = None, **options: Any) -> Graph:
    """Draw the graph behind a tensor, or of one run of a model or function on inputs.

    Args: `path`: where to save it, the suffix chooses (svg png pdf html dot mmd graphml txt json);
    `kwargs`: the function's keyword arguments; `params`: names for a tensor's graph, see
    `graph_of`; `depth`: modules nested deeper are one node; `fold`: draw repeated blocks once (by
    default beyond 60 nodes); `backward=True`: run backward as well and draw the gradients' ways,
    norms and ends, from `target` (see `trace`); `paint`: "kind", "parameters", "memory",
    "activations", "saved", "gradients", "flops", "time", "gradient", "dead", "nan" or "gradcheck"
    (with the `report` of `check_gradients`); `direction`: "TB" or "LR"; `theme`: "light", "dark" or
    "print"; `shapes=False` leaves the shapes off the edges. Beyond 1,000 nodes chains, modules and
    stretches of ops are folded, and the picture says so; the interactive page (.html) has them
    all, collapsed, and a model's backward. If the run raises, the picture up to the op that raised
    is saved first, and is the exception's attribute `graph`.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> torch.viz.draw(net, torch.ones(1, 2))
    Graph(6 nodes (2 ops), 5 edges, 3 modules)
    """
    _check(path, depth, report, options)
    back = backward or options.get("paint") in NEED_BACKWARD
    options["backward"] = backward
    if isinstance(x, (engine.Tensor, list, tuple, dict)):
        if inputs or kwargs or target is not None:
            raise TypeError("draw(): a tensor's graph takes no inputs, kwargs or target; pass the "
                            "model instead to run it on inputs")
        return _finished(graph_of(x, params, backward=back), path, depth, fold, report, options)
    if params is not None:
        raise TypeError("draw(): params names the leaves of a tensor's graph; a model's parameters "
                        "have names already")
    if not callable(x):
        raise TypeError(f"draw(): expected a Tensor, a model or a function, got "
                        f"{type(x).__name__}")
    try:
        graph = trace(x, *inputs, kwargs=kwargs, backward=back or _is_page(path), target=target)
    except Exception as error:
        found = getattr(error, "graph", None)
        if isinstance(found, Graph):
            with contextlib.suppress(OSError, RuntimeError):  # the model's own error comes first
                error.graph = _finished(  # type: ignore[attr-defined]
                    found, path, depth, fold, None, options)
        raise
    return _finished(graph, path, depth, fold, report, options)


def _is_page(path: Any) -> bool:
    """Tell whether the interactive page is wanted, which steps through backward, too."""
    return path is not None and Path(path).suffix == ".html"


def _finished(graph: Graph, path: Any, depth: Any, fold: Any, report: Any,
              options: dict[str, Any]) -> Graph:
    if report is not None:
        graph = graph.judged(report)
    graph = graph.styled(**options)
    if not _is_page(path) or depth is not None or fold:  # the page folds by itself
        graph = fitted(graph, depth, fold)
    if path is not None:
        graph.save(path)
    return graph


def _check(path: Any, depth: Any, report: Any, options: dict[str, Any]) -> None:
    """Refuse wrong options before anything runs."""
    checked(options, "draw")
    if depth is not None and (not isinstance(depth, int) or depth < 0):
        raise ValueError(f"draw(): depth must be an int >= 0 or None, got {depth!r}")
    if report is None and options.get("paint") == "gradcheck":
        raise ValueError("draw(): paint='gradcheck' needs report=, the result of "
                         "minigrad.testing.check_gradients")
    if path is not None:
        check_suffix(Path(path))
