"""Second derivatives: the same search over the function (inputs, weights) -> first gradients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import grad
from ..engine import wrap
from ..modes import enable_grad
from .numeric import random_way
from .subject import BackwardError, Layout, Linear, Subject
from .tensors import TensorSubject

Array = np.ndarray[Any, Any]

WEIGHTS = "grad_output"  # the name of the weights that the outputs are multiplied with


class GradientSubject(Subject):
    """The gradient of a TensorSubject, as a function of its inputs and of the weights."""

    scatter = 1e3  # a fused backward and its reference round differently

    def __init__(self, first: TensorSubject, rng: np.random.Generator) -> None:
        super().__init__()
        self.first = first
        self.title, self.world, self.spots = first.title, first.world, first.spots
        self.eps = first.eps
        weights = np.where(np.isfinite(first.base), random_way(rng, first.base.shape), 0.0)
        self.names = [*first.names, WEIGHTS]
        self.points = [*first.points, weights]
        self.layout = Layout([p.shape for p in first.points], range(len(first.points)),
                             len(first.points) > 1)

    @property
    def evaluations(self) -> int:  # type: ignore[override]
        """All calls so far, those of the first order included."""
        return self.first.evaluations

    def prepare(self) -> None:
        self.base = self.layout.join(self.arrays_at(self.points))

    def arrays_at(self, points: Sequence[Array]) -> list[Array]:
        return self.first.linearize(points[:-1]).pull(points[-1])

    def linearize(self, points: Sequence[Array], **variant: Any) -> Linear:
        first = self.first
        outs, leaves = first.recorded_call(points[:-1])
        weights = [wrap(part.astype(t._data.dtype), None).requires_grad_()
                   for t, part in zip(outs, first.layout.split(points[-1]), strict=True)]
        pairs = [(t, w) for t, w in zip(outs, weights, strict=True) if t.requires_grad]
        try:
            with enable_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found: Any = [None] * len(leaves)
                if pairs:
                    found = grad([t for t, _ in pairs], leaves, [w for _, w in pairs],
                                 create_graph=True, allow_unused=True)
        except Exception as error:
            raise BackwardError.of(error) from error
        made = [wrap(np.zeros(leaf._data.shape), None) if g is None else g
                for g, leaf in zip(found, leaves, strict=True)]
        varied = [*leaves, *weights]
        shapes = [t._data.shape for t in varied]

        def pull(g: Array) -> list[Array]:
            pulled = first.pull(made, varied, shapes, g)
            tail = pulled[len(leaves):]
            return [*pulled[:len(leaves)],
                    np.concatenate([a.reshape(-1) for a in tail]) if tail else np.zeros(0)]

        return Linear(self.layout.join([t._data for t in made]), pull, False)
