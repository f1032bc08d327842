"""Which elements are wrong: samples around the ones that were found, and the shape they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .probe import Probe
from .search import Found

Array = np.ndarray[Any, Any]

SAMPLES = 40
FIBRE = 6  # samples along each axis through a wrong element


@dataclass
class Samples:
    """Derivatives by some elements of one input, by hand and numerically: one row per weights."""

    shape: tuple[int, ...]
    places: Array  # flat indices
    analytic: Array  # (weights, places)
    numeric: Array
    wrong: Array  # bool
    complete: bool  # whether all wrong elements are among them

    def only_wrong(self) -> tuple[Array, Array, Array]:
        """Return places, analytic and numeric of the wrong ones."""
        return (self.places[self.wrong], self.analytic[:, self.wrong], self.numeric[:, self.wrong])


def take_samples(probe: Probe, j: int, found: Found) -> Samples:
    """Return the wrong elements that were found; more around them if there are more."""
    shape = probe.points[j].shape
    size = probe.points[j].size
    analytic = np.array([g[j].reshape(-1) for g in probe.grads])
    places = [v.i for v in found.wrong]
    numeric = {v.i: np.array([w @ v.slope.value for w in probe.weights]) / v.unit
               for v in found.wrong if v.slope is not None}
    places = [i for i in places if i in numeric]
    wrong = dict.fromkeys(places, True)
    if found.more:
        for i in _more_places(shape, places, probe.rng):
            way = np.zeros(shape)
            way.flat[i] = 1.0
            deltas, slope = probe.measure({j: way})
            unit = float(deltas[j].flat[i])
            if slope is None or not unit:
                continue
            numeric[i] = probe.weights @ slope.value / unit
            doubt = probe.doubts(slope) * 20 / abs(unit)
            gap = np.abs(numeric[i] - analytic[:, i])
            size_here = np.maximum(np.abs(numeric[i]), np.abs(analytic[:, i]))
            wrong[i] = bool((gap > np.maximum(doubt, 1e-3 * size_here)).any())
            places.append(i)
    if not places:
        return Samples(shape, np.zeros(0, int), analytic[:, :0], analytic[:, :0],
                       np.zeros(0, bool), False)
    order = np.array(places)
    return Samples(shape, order, analytic[:, order], np.array([numeric[i] for i in places]).T,
                   np.array([wrong[i] for i in places]), not found.more or len(places) == size)


def _more_places(shape: tuple[int, ...], known: list[int], rng: np.random.Generator) -> list[int]:
    """Return places along each axis through the first known one, and at random."""
    size = int(np.prod(shape))
    if size <= SAMPLES:
        return [i for i in range(size) if i not in known]
    start = np.array(np.unravel_index(known[0], shape))
    chosen: list[int] = []
    for axis, n in enumerate(shape):
        for value in rng.permutation(n)[:FIBRE]:
            at = start.copy()
            at[axis] = value
            chosen.append(int(np.ravel_multi_index(tuple(at), shape)))
    chosen += [int(i) for i in rng.integers(0, size, SAMPLES // 2)]
    return [i for i in dict.fromkeys(chosen) if i not in known]


def extent(samples: Samples) -> tuple[Any, ...] | None:
    """Return the index of a box that holds the wrong elements and no right ones, if there is one.

    An axis along which everything that was sampled is wrong stands as a slice.
    """
    if samples.places.size < 2 or not samples.shape:
        return None
    at = np.array(np.unravel_index(samples.places, samples.shape)).T  # (samples, axes)
    bad = at[samples.wrong]
    index: list[Any] = []
    for axis, n in enumerate(samples.shape):
        values = set(bad[:, axis].tolist())
        index.append(int(bad[0, axis]) if len(values) == 1 and n > 1 else
                     0 if n == 1 else slice(None))
    inside = np.all([np.ones(len(at), bool) if isinstance(i, slice) else at[:, axis] == i
                     for axis, i in enumerate(index)], axis=0)
    if samples.wrong[inside].all() and not samples.wrong[~inside].any() and (
            _well_covered(at[inside], index, samples.shape)):
        return tuple(index)
    return None


def _well_covered(at: Array, index: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether the samples inside a box show enough of each of its whole axes."""
    return all(len(set(at[:, axis].tolist())) >= min(n, 5)
               for axis, (i, n) in enumerate(zip(index, shape, strict=True))
               if isinstance(i, slice))
