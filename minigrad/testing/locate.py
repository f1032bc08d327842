"""Which output is concerned: bisection over the outputs by the choice of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .elements import Verdict
from .probe import Probe

Array = np.ndarray[Any, Any]


@dataclass
class Entry:
    """One entry of the Jacobian: d output[k] / d input, by hand and numerically."""

    k: int  # flat index of the output; -1 if only weighted sums of outputs show the error
    analytic: float
    numeric: float
    left: float
    right: float


def _one(probe: Probe, k: int) -> Array:
    weights = np.zeros(probe.here.size)
    weights[k] = 1.0
    return weights


def _only_user(probe: Probe, verdict: Verdict, off: Callable[[Array], tuple[float, float, float]],
               whole: float) -> int | None:
    """Return the output that depends most on the element, if it explains the whole difference."""
    assert verdict.slope is not None
    k = int(np.argmax(np.abs(verdict.weights * verdict.slope.value)))
    if not verdict.weights[k]:
        return None
    analytic, _, gap = off(_one(probe, k))
    if not np.isfinite(whole):
        return None if np.isfinite(analytic) else k
    part = gap * verdict.weights[k]
    return k if abs(part - whole) <= 1e-3 * abs(whole) else None


def locate(probe: Probe, verdict: Verdict) -> Entry:
    """Find an output whose derivative by the verdict's element is wrong.

    The slopes of all outputs are known already, so only the analytic gradient is asked for: on
    tensors this costs backward passes, no calls of the function.
    """
    plain = Entry(-1, verdict.analytic, verdict.numeric, verdict.left, verdict.right)
    slope, linear = verdict.slope, probe.linear
    if slope is None or linear is None:
        return plain
    j, i, unit = verdict.j, verdict.i, verdict.unit

    def off(weights: Array) -> tuple[float, float, float]:
        """Return (analytic, numeric, how far off in units of the doubt)."""
        analytic = float(linear.pull(weights)[j].flat[i])
        numeric = slope.along(weights) / unit
        if not np.isfinite(analytic):
            return analytic, numeric, np.inf
        return analytic, numeric, (analytic - numeric) * abs(unit)

    places = np.flatnonzero(verdict.weights)
    whole = (verdict.analytic - verdict.numeric) * abs(unit)
    likely = _only_user(probe, verdict, off, whole)
    if likely is not None:
        places = np.array([likely])
    while places.size > 1:
        half = places[:places.size // 2]
        weights = np.zeros(probe.here.size)
        weights[half] = verdict.weights[half]
        part = off(weights)[2]
        rest = whole - part if np.isfinite(whole) and np.isfinite(part) else 0.0
        take_first = abs(part) >= abs(rest)
        places = half if take_first else places[places.size // 2:]
        whole = part if take_first else rest
    k = int(places[0]) if places.size else -1
    if k < 0:
        return plain
    analytic, numeric, gap = off(_one(probe, k))
    if np.isfinite(gap) and abs(gap) <= 4 * slope.doubt(_one(probe, k)):
        return plain
    left, right = float(slope.left[k]) / unit, float(slope.right[k]) / unit
    if unit < 0:
        left, right = right, left
    return Entry(k, analytic, numeric, left, right)
