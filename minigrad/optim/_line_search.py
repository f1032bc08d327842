"""A line search for the strong Wolfe conditions (used by LBFGS).

Nocedal & Wright, "Numerical optimization", 2006: algorithm 3.5 brackets a good step, 3.6 narrows
the bracket; trial steps minimise the cubic through two values and slopes (equation 3.59).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ndarray = np.ndarray


@dataclass
class Point:
    """A step, the loss, the gradient and the slope along the direction there."""

    t: float
    loss: float
    grad: ndarray
    slope: float


def cubic_minimum(a: Point, b: Point, low: float | None = None,
                  high: float | None = None) -> float:
    """Return where the cubic through two points is least, within the bounds (default: a, b)."""
    first, last = (a, b) if a.t <= b.t else (b, a)
    low = first.t if low is None else low
    high = last.t if high is None else high
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    share = (last.slope + d2 - d1) / (last.slope - first.slope + 2 * d2)
    return min(max(last.t - (last.t - first.t) * share, low), high)


def strong_wolfe(evaluate: Callable[[float], tuple[float, ndarray]], t: float, d: ndarray,
                 loss: float, grad: ndarray, slope: float, max_evals: int, c1: float = 1e-4,
                 c2: float = 0.9, tolerance: float = 1e-9) -> tuple[float, ndarray, float, int]:
    """Return loss, gradient, step and number of evaluations of a step along d.

    It satisfies loss(t) <= loss + c1 t slope and |slope(t)| <= c2 |slope|, unless the evaluations
    or the bracket come to an end before; then it is the best step found.
    """
    used = 0

    def at(step: float) -> Point:
        nonlocal used
        used += 1
        value, g = evaluate(step)
        return Point(step, value, g.copy(), float(g @ d))

    def too_high(p: Point) -> bool:
        return p.loss > loss + c1 * p.t * slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -c2 * slope

    start = before = Point(0.0, loss, grad.copy(), slope)
    new = at(t)
    tries, done = 0, False
    bracket: list[Any] = []
    while tries < max_evals:
        if too_high(new) or (tries > 1 and new.loss >= before.loss):
            bracket = [before, new]
            break
        if flat(new):
            bracket, done = [new], True
            break
        if new.slope >= 0:
            bracket = [before, new]
            break
        step = cubic_minimum(before, new, new.t + 0.01 * (new.t - before.t), new.t * 10)
        before, new = new, at(step)
        tries += 1
    if tries == max_evals:
        bracket = [start, new]
    low, high = (0, len(bracket) - 1)
    if bracket[0].loss > bracket[-1].loss:
        low, high = 1, 0
    stuck = False
    size = float(np.abs(d).max(initial=0.0))
    while not done and tries < max_evals:
        ends = (bracket[0].t, bracket[1].t)
        if abs(ends[1] - ends[0]) * size < tolerance:
            break
        step, stuck = _inside(cubic_minimum(*bracket), min(ends), max(ends), stuck)
        new = at(step)
        tries += 1
        if too_high(new) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        if flat(new):
            done = True
        elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    best = bracket[low]
    return best.loss, best.grad, best.t, used


def _inside(t: float, low: float, high: float, stuck: bool) -> tuple[float, bool]:
    """Keep a trial step from creeping along an end: the second time, move it a tenth inwards."""
    margin = 0.1 * (high - low)
    if min(high - t, t - low) >= margin:
        return t, False
    if stuck or t >= high or t <= low:
        return (high - margin if abs(t - high) < abs(t - low) else low + margin), False
    return t, True
