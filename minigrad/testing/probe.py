"""Measurements at one point: slopes along displacements, compared with the analytic gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .numeric import (
    FIRST,
    GOAL,
    LONGER,
    LONGEST,
    SHORTER,
    SHORTEST,
    Slope,
    displacement,
    random_way,
    scale_of,
    slope,
)
from .subject import Linear, Subject

Array = np.ndarray[Any, Any]


@dataclass
class Compared:
    """How the analytic and the numeric derivative along one displacement differ."""

    difference: Array  # one for each set of weights
    bound: Array  # up to which a difference means nothing

    @property
    def significance(self) -> float:
        """The largest difference in units of its bound."""
        with np.errstate(all="ignore"):
            ratio = np.abs(self.difference) / self.bound
        return float(np.nan_to_num(ratio, nan=0.0, posinf=1e30).max(initial=0.0))


@dataclass
class _Best:
    """The most precise measurement so far."""

    quality: float
    step: float
    delta: Array
    slope: Slope


class Probe:
    """A subject at a point: what was found out about steps, weights and gradients there."""

    def __init__(self, subject: Subject, points: Sequence[Array], here: Array,
                 rng: np.random.Generator) -> None:
        self.subject, self.points, self.here, self.rng = subject, list(points), here, rng
        self.good = np.isfinite(here)
        self.scales = [scale_of(p) for p in points]
        self.steps = [FIRST] * len(self.points)
        self.live = [np.array(np.isfinite(p)) for p in self.points]  # elements that may be moved
        self.coarse: dict[int, float] = {}  # inputs whose quality stayed behind the goal
        self.firsts: dict[int, tuple[Array, Slope]] = {}
        self.theta: float | None = None  # on kinks: which mixture of both sides is expected
        self.weights: Array = np.zeros((0, here.size))
        self.grads: list[list[Array]] = []
        self.linear: Linear | None = None

    # ---- numeric
    def measure(self, ways: dict[int, Array], step: float | None = None,
                full: bool = False) -> tuple[dict[int, Array], Slope | None]:
        """Move some inputs at once along their ways; return the displacements and the slope."""
        spacing = np.float64 if self.subject.eps < 1e-10 else np.float32
        deltas = {j: displacement(self.points[j], way * self.scales[j],
                                  self.steps[j] if step is None else step, spacing)
                  for j, way in ways.items()}

        def along(times: float) -> Array:
            moved = [p + times * deltas[k] if k in deltas else p
                     for k, p in enumerate(self.points)]
            return self.subject.values(moved)

        found = slope(along, self.here, self.subject.eps, full)
        if found is not None and self.theta is not None:
            found.value = found.left + self.theta * (found.right - found.left)
            found.error = 1e-6 * found.value  # one-sided differences are less precise
        return deltas, found

    def first(self, j: int) -> Slope | None:
        """Measure input j along a random way, with the step that gives the smallest error."""
        way = random_way(self.rng, self.points[j].shape) * self.live[j]
        best: _Best | None = None
        step = FIRST if self.subject.eps < 1e-10 else 0.05
        tried: list[float] = []
        while len(tried) < 6 and SHORTEST <= step <= LONGEST and step not in tried:
            tried.append(step)
            better, noisy = self._try(way, j, step, best)
            if better is not best and better is not None and better.quality <= GOAL:
                best = better
                break
            if better is best and best is not None and best.quality < 0.1 and not noisy and (
                    len(tried) > 2):
                break
            best = better
            step = min(tried) * SHORTER if not noisy else max(tried) * LONGER
        if best is None:
            return None
        if best.quality > 5 * GOAL:  # the best step lies between those that were tried
            for step in (best.step * np.sqrt(LONGER), best.step * np.sqrt(SHORTER)):
                best = self._try(way, j, float(step), best)[0] or best
        self.steps[j] = best.step
        if best.quality > 5 * GOAL:
            self.coarse[j] = best.quality
        self.firsts[j] = (best.delta, best.slope)
        return best.slope

    def _try(self, way: Array, j: int, step: float,
             best: _Best | None) -> tuple[_Best | None, bool]:
        """Measure with one step; return the better of two, and whether rounding limits it."""
        deltas, found = self.measure({j: way}, step, full=True)
        if found is None:
            return best, False
        quality, noisy = self.quality(found, self.live[j].sum())
        if best is None or quality < best.quality:
            best = _Best(quality, step, deltas[j], found)
        return best, noisy

    def quality(self, found: Slope, n: int) -> tuple[float, bool]:
        """Return the error relative to a single element's part, and whether rounding makes it."""
        scale = self._output_scale(found)
        with np.errstate(all="ignore"):
            probes = random_way(np.random.default_rng(1), (6, self.here.size)) / scale
            slopes = probes @ found.value
            error = probes @ found.error if found.error is not None else 0 * slopes
            rounding = np.sqrt(((probes * found.rounding) ** 2).sum(1))
        size, wrong, floor = (float(np.sqrt(np.mean(a**2))) for a in (slopes, error, rounding))
        wrong = max(wrong, floor)
        if size <= 30 * wrong and size <= 1e6 * floor:
            return 0.0, True  # as good as constant
        if wrong <= 2 * floor and size <= floor * 1e3 * np.sqrt(max(n, 1)):
            return (0.0, True) if size <= 10 * floor else (wrong * np.sqrt(n) / size, True)
        return wrong * float(np.sqrt(n)) / max(size, 1e-300), wrong < 30 * floor

    def _output_scale(self, found: Slope) -> Array:
        """Return for each element the size of the slopes of the output that it belongs to."""
        parts = [np.full(part.size, _rms(part)) for part in self.subject.layout.split(found.value)]
        scale = np.concatenate(parts) if parts else np.zeros(0)
        known = scale[scale > 0]
        return np.where(scale > 0, scale, known.max() if known.size else 1.0)

    # ---- analytic
    def choose_weights(self, count: int) -> None:
        """Draw weights of the outputs: no output, and in the last no element, drowns another."""
        size = self.here.size
        total = np.zeros(size)
        for _, found in self.firsts.values():
            total += (found.value / (_rms(found.value) or 1.0)) ** 2
        parts = self.subject.layout.split(np.sqrt(total))
        by_output = np.concatenate([np.full(p.size, _rms(p) or 1.0) for p in parts] or [total])
        weights = random_way(self.rng, (count, size)) / by_output
        if count > 1 and size > 1:
            weights[-1] /= np.maximum(np.sqrt(total) / by_output, 1e-3)
        self.weights = np.where(self.good, weights, 0.0)

    def differentiate(self, linear: Linear) -> None:
        """Ask for the analytic gradients of the weighted outputs."""
        self.linear = linear
        self.grads = [linear.pull(w) for w in self.weights]

    def compare(self, deltas: dict[int, Array], found: Slope, doubt: Array | None = None,
                share: float = 1.0, floor: float = 1e-10) -> Compared:
        """Compare along a displacement; `doubt` is the error known from the full displacement.

        `floor` is relative to the root of the sum of squares of what the elements contribute.
        """
        numeric = self.weights @ found.value
        with np.errstate(all="ignore"):
            analytic = np.array([sum(float((g[j] * d).sum()) for j, d in deltas.items())
                                 for g in self.grads])
            size = np.array([np.sqrt(sum(float(((g[j] * d) ** 2).sum())
                                         for j, d in deltas.items())) for g in self.grads])
        own = np.array([found.doubt(w) for w in self.weights])
        if doubt is not None:
            own = np.maximum(own, doubt * np.sqrt(share))
        return Compared(analytic - numeric, 6 * own + floor * size + 1e-300)

    def doubts(self, found: Slope) -> Array:
        """Return the estimated errors of a slope under each set of weights."""
        return np.array([found.doubt(w) for w in self.weights])


def _rms(a: Array) -> float:
    with np.errstate(all="ignore"):
        biggest = float(np.abs(a).max(initial=0.0))
        if not biggest or not np.isfinite(biggest):
            return 0.0
        return biggest * float(np.sqrt(np.mean((a / biggest) ** 2)))
