"""What is checked, seen as one vector function: `values(points)`, and `linearize(points)`.

A subject knows the names and values of what is varied (inputs, parameters), turns points into
arguments, counts every call, and flattens all floating point outputs into one float64 vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .isolate import World
from .structure import Spot

Array = np.ndarray[Any, Any]


class BackwardError(Exception):
    """The code under test could not return its gradient; `kind` says how it failed."""

    def __init__(self, kind: str, message: str, name: str = "") -> None:
        super().__init__(message)
        self.kind, self.name = kind, name

    @classmethod
    def of(cls, error: Exception) -> BackwardError:
        """Describe an exception of the backward code."""
        text = f"{type(error).__name__}: {error}"
        shape = any(word in text for word in ("shape", "broadcast", "size", "dimension",
                                              "incorrect number of gradients"))
        return cls("shape" if shape else "undefined", text)


class Changed(ValueError):
    """The function returns another structure at a nearby point."""


class Layout:
    """Where the floating outputs of a function lie in the vector of all of them."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], positions: Sequence[int],
                 several: bool) -> None:
        self.shapes, self.positions, self.several = list(shapes), list(positions), several
        self.sizes = [int(np.prod(shape)) for shape in shapes]
        self.starts = [0, *np.cumsum(self.sizes).tolist()]
        self.size = self.starts[-1]

    def index(self, k: int) -> tuple[int, ...]:
        """Return the index of element k, preceded by the output's position if there are several."""
        part = max(j for j, start in enumerate(self.starts[:-1])
                   if start <= k < self.starts[j + 1])
        inner = tuple(int(i) for i in np.unravel_index(k - self.starts[part], self.shapes[part]))
        return (self.positions[part], *inner) if self.several else inner

    def split(self, flat: Array) -> list[Array]:
        """Cut a vector into one array per output."""
        return [flat[self.starts[j]:self.starts[j + 1]].reshape(shape)
                for j, shape in enumerate(self.shapes)]

    def join(self, arrays: Sequence[Array]) -> Array:
        """Flatten the outputs into one float64 vector, as a copy."""
        if [np.shape(a) for a in arrays] != self.shapes:
            raise Changed(f"check_gradients: the function returned shapes {self.shapes} first, "
                             f"and {[np.shape(a) for a in arrays]} at a nearby point; it must "
                             f"return the same structure every time")
        if not arrays:
            return np.zeros(0)
        return np.concatenate([np.asarray(a, np.float64).reshape(-1) for a in arrays])


class Linear:
    """The function at one point: its outputs, and the gradient for any weights of them."""

    def __init__(self, values: Array, pull: Callable[[Array], list[Array]],
                 costs_a_call: bool) -> None:
        self.values, self.pull, self.costs_a_call = values, pull, costs_a_call


class Subject:
    """Base of what can be checked."""

    title = "function"
    names: list[str]
    points: list[Array]
    spots: list[Spot]  # all inputs, and which of them are varied
    varied: list[int]
    world: World
    layout: Layout
    base: Array  # the outputs at `points`
    evaluations: int = 0
    eps = 2.0**-52  # of the dtype that the function computes in
    scatter = 0.0  # how much of the largest output small ones may be off between equal calls
    adds_up_aliases = True  # one object given twice gets one gradient, the sum

    def __init__(self) -> None:
        self.varied = []
        self.notes: list[str] = []
        self.not_checked: dict[str, str] = {}
        self.mutated: dict[str, None] = {}
        self.dtype_faults: dict[str, str] = {}
        self.refused = 0  # calls near the point that raised

    def prepare(self) -> None:
        """Call the function once, to learn its outputs."""
        raise NotImplementedError

    def values(self, points: Sequence[Array]) -> Array:
        """Return all outputs at a point as one vector; nan where the function raises."""
        try:
            return self.layout.join(self.arrays_at(points))
        except Changed:
            raise
        except Exception:
            self.refused += 1
            return np.full(self.layout.size, np.nan)

    def arrays_at(self, points: Sequence[Array]) -> list[Array]:
        """Call the function at a point; return the outputs that count."""
        raise NotImplementedError

    def linearize(self, points: Sequence[Array]) -> Linear:
        """Return the outputs at a point and the analytic gradient there."""
        raise NotImplementedError

    def rerun(self, points: Sequence[Array]) -> Any:
        """Run once more: return (what went stale, the pull of this run)."""
        return "", self.linearize(points).pull

    @property
    def sizes(self) -> list[int]:
        """The number of elements of each thing that is varied."""
        return [p.size for p in self.points]


def moved(points: Sequence[Array], j: int, step: Array) -> list[Array]:
    """Return the points with one of them moved."""
    return [p + step if k == j else p for k, p in enumerate(points)]
