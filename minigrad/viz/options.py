"""The options of a picture, and `fitted`: a graph small enough to be looked at."""

from __future__ import annotations

from typing import Any

from .graph import Graph
from .paint import PAINTS
from .themes import THEMES

CHOICES: dict[str, tuple[Any, ...]] = {
    "direction": ("TB", "LR"), "theme": tuple(THEMES), "shapes": (True, False),
    "paint": PAINTS, "backward": (False, True)}
REPEATS = 60  # nodes above which repeated blocks are folded
MOST = 1000  # nodes above which modules, chains and stretches are folded
FITTING = 400  # nodes that a picture has then


def checked(options: dict[str, Any], caller: str) -> dict[str, Any]:
    """Return the options, or raise TypeError for an unknown one, ValueError for a wrong value."""
    for name, value in options.items():
        if name not in CHOICES:
            raise TypeError(f"{caller}() got an unexpected option '{name}'; it knows "
                            f"{', '.join(CHOICES)}")
        if value not in CHOICES[name]:
            raise ValueError(f"{caller}(): {name} must be one of {CHOICES[name]}, got {value!r}")
    return options


def fitted(graph: Graph, depth: int | None, fold: bool | None) -> Graph:
    """Fold a graph until it can be looked at: repeats beyond 60 nodes, more beyond 1,000."""
    if depth is not None:
        graph = graph.collapsed(depth)
    if fold or (fold is None and len(graph.nodes) > REPEATS):
        graph = graph.fold()
    most = FITTING if len(graph.nodes) > MOST else len(graph.nodes)
    return graph.limited(most, repeats=fold is not False)
