"""The verdict on one element: right, wrong, on a kink, at the edge of the domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .numeric import LONGER, LONGEST, SHORTER, SHORTEST, Slope, slope
from .probe import Probe

Array = np.ndarray[Any, Any]

RELATIVE = 1e-5  # a difference below this part of the derivative is nobody's bug
SMALL = 2e-8  # and below this part of the root mean square of the input's gradient


@dataclass
class Verdict:
    """What is known about the derivative by one element, for one set of weights."""

    kind: str  # "fine", "wrong", "kink" (valid), "bad kink", "nan", "edge", "unclear"
    j: int
    i: int  # flat index
    weights: Array
    analytic: float
    numeric: float
    left: float = np.nan
    right: float = np.nan
    slope: Slope | None = None
    unit: float = 1.0  # the displacement that the slopes are per unit of
    shrinks: bool = False  # the difference becomes smaller with the step

    @property
    def wrong(self) -> bool:
        return self.kind in ("wrong", "bad kink", "nan")


def judge(probe: Probe, j: int, i: int) -> Verdict:
    """Measure along one element until its derivative is known well enough for a verdict."""
    x = probe.points[j]
    way = np.zeros(x.shape)
    way.flat[i] = 1.0
    analytic = np.array([g[j].flat[i] for g in probe.grads])
    best: tuple[float, float, float, Slope] | None = None  # significance, doubt, unit, slope
    step, tried = probe.steps[j], 0
    while tried < 5 and SHORTEST / 32 <= step <= LONGEST * 32:
        tried += 1
        deltas, found = probe.measure({j: way}, step, full=True)
        unit = float(deltas[j].flat[i])
        if found is None or not unit:
            step *= SHORTER if found is None else LONGER
            continue
        verdict = _verdict(probe, j, i, analytic, found, unit)
        doubt = max(found.doubt(w) / abs(unit) for w in probe.weights)
        if best is None or doubt < best[0]:
            best = (doubt, 0.0, unit, found)
        if verdict.kind == "bad kink" and _limiting(probe, verdict, analytic):
            verdict.kind = "kink"
        if verdict.kind != "unclear" and not (verdict.kind in ("wrong", "bad kink") and not (
                _confirmed(probe, verdict, step))):
            return verdict
        step *= SHORTER if doubt > 30 * _floor(probe, found) / abs(unit) else LONGER
    if best is None:
        return one_sided(probe, j, i, analytic)
    verdict = _verdict(probe, j, i, analytic, best[3], best[2])
    if verdict.kind != "kink":
        verdict.kind = "fine"  # nothing that a second step confirms
    return verdict


def _confirmed(probe: Probe, verdict: Verdict, step: float) -> bool:
    """Whether a shorter step says the same, where the first one is not clear by itself."""
    gap = abs(verdict.analytic - verdict.numeric)
    assert verdict.slope is not None
    clear = gap > 100 * verdict.slope.doubt(verdict.weights) / abs(verdict.unit)
    if clear and verdict.j not in probe.coarse:
        return True
    way = np.zeros(probe.points[verdict.j].shape)
    way.flat[verdict.i] = 1.0
    deltas, found = probe.measure({verdict.j: way}, step / 8, full=True)
    unit = float(deltas[verdict.j].flat[verdict.i])
    if found is None or not unit:
        return False
    numeric = found.along(verdict.weights) / unit
    return abs(numeric - verdict.numeric) < 0.3 * gap


def _limiting(probe: Probe, verdict: Verdict, analytic: Array) -> bool:
    """Whether the gradient is that of points nearby where ties are broken by the index.

    Any limit of gradients is right at a kink: a stable sort of equal numbers has such a gradient.
    """
    j, i = verdict.j, verdict.i
    x = probe.points[j]
    if x.size > 1000 or np.count_nonzero(x == x.flat[i]) < 2:
        return False
    for sign in (1.0, -1.0):
        apart = sign * 1e-3 * probe.scales[j] / x.size
        delta = np.zeros(x.shape)
        delta.flat[i] = abs(apart) / 32
        base = x + apart * (1 + np.arange(x.size)).reshape(x.shape)

        def along(times: float, base: Array = base, delta: Array = delta) -> Array:
            return probe.subject.values([base + times * delta if k == j else p
                                         for k, p in enumerate(probe.points)])

        found = slope(along, along(0.0), probe.subject.eps, full=False)
        if found is not None:
            numeric = probe.weights @ found.value / float(delta.flat[i])
            if np.allclose(numeric, analytic, rtol=2e-2, atol=1e-6 * np.abs(analytic).max()):
                return True
    return False


def _floor(probe: Probe, found: Slope) -> float:
    return max(float(np.sqrt(((w * found.rounding) ** 2).sum())) for w in probe.weights)


def _verdict(probe: Probe, j: int, i: int, analytic: Array, found: Slope, unit: float) -> Verdict:
    """Judge from one slope; "unclear" if its error is too large to tell."""
    worst: tuple[float, Verdict] | None = None
    for k, w in enumerate(probe.weights):
        numeric = found.along(w) / unit
        doubt = 8 * found.doubt(w) / abs(unit)
        right, left = float(w @ found.right) / unit, float(w @ found.left) / unit
        if unit < 0:
            right, left = left, right
        made = Verdict("fine", j, i, w, float(analytic[k]), numeric, left, right, found, unit)
        size = max(abs(made.analytic), abs(numeric)) if np.isfinite(made.analytic) else abs(numeric)
        limit = max(doubt, RELATIVE * size, SMALL * _rms_of(probe, k, j))
        gap = abs(made.analytic - numeric)
        if not np.isfinite(made.analytic):
            made.kind = "nan"
            return made
        if gap > limit:
            jump = abs(right - left)
            if jump > max(5 * doubt, 1e-2 * max(abs(left), abs(right))):
                between = (min(left, right) - 1e-3 * jump - limit <= made.analytic
                           <= max(left, right) + 1e-3 * jump + limit)
                made.kind = "kink" if between else "bad kink"
            else:
                made.kind = "wrong"
        elif doubt > max(0.3 * gap, RELATIVE * size, SMALL * _rms_of(probe, k, j)) and (
                doubt > 1e-3 * size):
            made.kind = "unclear"
        ratio = gap / (limit or 1e-300)
        if worst is None or ratio > worst[0]:
            worst = (ratio, made)
    assert worst is not None
    return worst[1]


def _rms_of(probe: Probe, k: int, j: int) -> float:
    g = probe.grads[k][j]
    g = g[np.isfinite(g)]
    return float(np.sqrt(np.mean(g * g))) if g.size else 0.0


def one_sided(probe: Probe, j: int, i: int, analytic: Array) -> Verdict:
    """Judge an element at the edge of the domain: the function is finite on one side at most."""
    x = probe.points[j]
    sides = []
    scale = probe.scales[j]
    for step in (1e-4, 1e-6, 1e-8):
        for sign in (1.0, -1.0):
            delta = np.zeros(x.shape)
            delta.flat[i] = sign * step * scale
            near, far = (probe.subject.values(
                [p + t * delta if k == j else p for k, p in enumerate(probe.points)])
                for t in (1.0, 2.0))
            if np.isfinite(near[probe.good]).all() and np.isfinite(far[probe.good]).all():
                near, far = (np.where(probe.good, y, 0.0) for y in (near, far))
                here = np.where(probe.good, probe.here, 0.0)
                sides.append((sign * (2 * (near - here) - (far - here) / 2) / (step * scale),
                              step))
    w = probe.weights[0]
    made = Verdict("edge", j, i, w, float(analytic[0]), np.nan)
    if not sides:
        return made
    values = [float(w @ side) for side, _ in sides]
    made.numeric = values[-1]
    grows = len(values) > 1 and abs(values[-1]) > 3 * abs(values[0])
    if grows:  # the slope is infinite: any analytic value but a finite wrong sign is a choice
        return made
    if abs(values[-1] - made.analytic) > 1e-2 * max(abs(values[-1]), abs(made.analytic)):
        made.kind = "nan" if not np.isfinite(made.analytic) else "wrong"
    return made
