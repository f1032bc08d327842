"""Bisection: from a wrong derivative along a random way down to each wrong element."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .elements import Verdict, judge
from .numeric import Slope, random_way
from .probe import Compared, Probe

Array = np.ndarray[Any, Any]

MOST = 8  # wrong elements that are named one by one


@dataclass
class Found:
    """What a search in one input brought to light."""

    wrong: list[Verdict] = field(default_factory=list)
    kinks: list[Verdict] = field(default_factory=list)
    more: bool = False  # the search stopped before everything was explained
    spurious: int = 0


@dataclass
class _Node:
    """Some elements (positions lo..hi in a list of indices) and how far they are off."""

    lo: int
    hi: int
    compared: Compared


def _urgency(node: _Node) -> tuple[bool, int, float]:
    """Clear cases before doubtful ones; small nodes first, so that the search goes deep."""
    off = node.compared.significance
    return (True, node.lo - node.hi, off) if off > 3 else (False, 0, off)


def search(probe: Probe, j: int, deltas: dict[int, Array], slope: Slope,
           already: Found | None = None) -> Found:
    """Find the elements of input j that make the derivative along a displacement differ."""
    return _Search(probe, j, deltas[j], slope, already or Found()).run()


class _Search:
    def __init__(self, probe: Probe, j: int, delta: Array, slope: Slope, found: Found) -> None:
        self.probe, self.j, self.found = probe, j, found
        self.way = np.where(delta != 0, delta, 0.0) / (
            probe.scales[j] * probe.steps[j] / 4)
        self.places = np.flatnonzero(delta)
        self.doubts = probe.doubts(slope)
        if slope.error is None and j in probe.firsts:
            self.doubts = np.maximum(self.doubts, probe.doubts(probe.firsts[j][1]))
        self.start = _Node(0, self.places.size, probe.compare({j: delta}, slope, self.doubts))

    def run(self) -> Found:
        """Split nodes that are off, small ones first, until the rest is explained."""
        nodes = [self.start]
        found = self.found
        while nodes and not found.more:
            nodes.sort(key=_urgency)
            node = nodes.pop()
            if node.compared.significance <= 1:
                break
            if node.hi - node.lo > 1:
                nodes += self.halves(node)
            else:
                self.settle(int(self.places[node.lo]))
                found.more = (len(found.wrong) >= MOST or len(found.kinks) >= 4
                              or found.spurious >= 3)
        return found

    def halves(self, node: _Node) -> list[_Node]:
        """Measure the first half of a node; the second half is off by the rest."""
        middle = (node.lo + node.hi) // 2
        way = np.zeros(self.way.shape)
        inside = self.places[node.lo:middle]
        way.flat[inside] = self.way.flat[inside]
        deltas, slope = self.probe.measure({self.j: way})
        if slope is None:
            return []
        share = max((middle - node.lo) / self.places.size, 0.0)
        first = self.probe.compare(deltas, slope, self.doubts, share)
        rest = Compared(node.compared.difference - first.difference,
                        np.maximum(node.compared.bound * np.sqrt(0.5), first.bound))
        made = [_Node(node.lo, middle, first), _Node(middle, node.hi, rest)]
        if max(n.compared.significance for n in made) <= 1 < node.compared.significance:
            best = max(made, key=lambda n: n.compared.significance)
            best.compared.bound = best.compared.bound / 2.5
        return made

    def settle(self, i: int) -> None:
        """Judge one element; from now on the gradient counts as what was measured there."""
        expected, self.probe.theta = self.probe.theta, None
        verdict = judge(self.probe, self.j, i)
        self.probe.theta = expected
        if verdict.kind in ("fine", "unclear"):
            self.found.spurious += 1
        elif verdict.wrong:
            self.found.wrong.append(verdict)
        else:
            self.found.kinks.append(verdict)
        self.probe.live[self.j].flat[i] = False


def look_again(probe: Probe, j: int, found: Found) -> tuple[dict[int, Array], Slope] | None:
    """Measure along a new random way that leaves out what was settled; None if it is right."""
    live = probe.live[j]
    if not live.any():
        return None
    way = random_way(probe.rng, live.shape) * live
    known = probe.doubts(probe.firsts[j][1]) if j in probe.firsts else None
    deltas, slope = probe.measure({j: way}, full=known is None)
    if slope is None or probe.compare(deltas, slope, known).significance <= 1:
        return None
    return deltas, slope


def odd_kinks(probe: Probe, j: int, found: Found, alike: Array) -> None:
    """Among many elements on the same kink, find those that do not take the same side.

    Elements that were judged to be valid took the part theta of the right slope; if all others do,
    the gradient is left + theta (right - left) along every way that moves all to the right.
    """
    with np.errstate(all="ignore"):
        parts = np.array([(v.analytic - v.left) / (v.right - v.left) for v in found.kinks])
    if not np.isfinite(parts).all() or np.ptp(parts) > 1e-3 or not alike.any():
        return
    kept, probe.live[j] = probe.live[j], alike
    probe.theta = float(np.median(parts))
    try:
        way = np.abs(random_way(probe.rng, alike.shape)) * alike
        deltas, slope = probe.measure({j: way})
        if slope is not None and probe.compare({j: deltas[j]}, slope).significance > 1:
            found.wrong += search(probe, j, deltas, slope).wrong
    finally:
        probe.theta, probe.live[j] = None, kept
