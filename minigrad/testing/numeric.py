"""Numeric derivatives along a displacement, with an error estimate that the function gives itself.

With f evaluated at x ± δ, ± 2δ, ± 4δ, three central differences D1, D2, D4 give two extrapolations,
A = (4 D2 - D4) / 3 and B = (4 D1 - D2) / 3 (Richardson 1911). For a smooth f both are right up to
terms of fourth order, B being 16 times better than A; so |B - A| bounds B's error, whether it comes
from a step that is too long, from a kink on the way, or from rounding. The second differences tell
a kink at x itself: (f(x + δ) + f(x - δ) - 2 f(x)) / δ vanishes with δ if f is smooth there, and
tends to the jump of the slope if not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Along = Callable[[float], Array]  # multiple of δ -> outputs

FIRST = 2e-4  # the first step to try, relative to the scale of the input
SHORTER, LONGER = 1 / 64, 64.0
SHORTEST, LONGEST = 1e-13, 4.0
GOAL = 2e-7  # error wanted, relative to the root mean square of the gradient of single elements


@dataclass
class Slope:
    """The derivative of every output along a displacement, per unit of it."""

    value: Array
    error: Array | None  # signed difference of two extrapolations, None if only one was made
    bend: Array  # how much the slope jumps at the point itself
    right: Array  # one-sided slopes
    left: Array
    rounding: Array  # what rounding of the outputs alone makes of each slope

    def along(self, weights: Array) -> float:
        """Return the derivative of the weighted sum of the outputs."""
        return float(weights @ self.value)

    def doubt(self, weights: Array) -> float:
        """Return the estimated error of `along`."""
        rounding = float(np.sqrt(((weights * self.rounding) ** 2).sum()))
        if self.error is None:
            return rounding
        spread = weights * self.error
        return max(rounding, abs(float(spread.sum())), float(np.sqrt((spread**2).sum())))


def slope(f: Along, here: Array, eps: float, full: bool = True) -> Slope | None:
    """Measure the slope; 6 evaluations if `full`, else 4 without an error estimate.

    None if the function is not finite at one of the places where it should be.
    """
    one, two = (f(1.0), f(-1.0)), (f(2.0), f(-2.0))
    four = (f(4.0), f(-4.0)) if full else None
    good = np.isfinite(here)
    places = [*one, *two, *(four or ())]
    if not all(np.isfinite(y[good]).all() for y in places):
        return None
    with np.errstate(all="ignore"):
        d1, d2 = (one[0] - one[1]) / 2, (two[0] - two[1]) / 4
        b = (4 * d1 - d2) / 3
        error = None
        if four is not None:
            error = b - (4 * d2 - (four[0] - four[1]) / 8) / 3
        bend1, bend2 = one[0] + one[1] - 2 * here, (two[0] + two[1] - 2 * here) / 2
        right = 2 * (one[0] - here) - (two[0] - here) / 2
        left = 2 * (here - one[1]) - (here - two[1]) / 2
        rounding = 2 * eps * np.maximum(abs(here), np.maximum(abs(two[0]), abs(two[1])))
    made = [b, error, 2 * bend1 - bend2, right, left, rounding]
    return Slope(*(None if a is None else np.where(good, a, 0.0) for a in made))  # type: ignore


def displacement(x: Array, way: Array, step: float, spacing: Any = np.float64) -> Array:
    """Return about step * way / 4, such that x ± δ, ± 2δ, ± 4δ are exact in floating point."""
    reach = (abs(x) + step * abs(way)).astype(spacing)
    unit = 2 * np.spacing(reach).astype(np.float64)
    made: Array = np.rint(step / 4 * way / unit) * unit
    return made


def scale_of(x: Array) -> float:
    """Return a length over which a function of x may be expected to change."""
    finite = x[np.isfinite(x)]
    if not finite.size:
        return 1.0
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean((finite / (abs(finite).max() or 1.0)) ** 2)))
        size *= float(abs(finite).max())
        spread = float(finite.std())
    if not size or not np.isfinite(size):
        return 1.0
    return spread if finite.size > 1 and spread > 1e-4 * size else size


def random_way(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return random signs times numbers in [0.5, 1.5): no element is small, no two are equal."""
    return np.asarray(np.where(rng.random(shape) < 0.5, -1.0, 1.0) * (0.5 + rng.random(shape)))
