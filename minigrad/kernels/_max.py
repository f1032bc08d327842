"""Maxima of windows, one axis after the other, with how far the winners are from the corners.

The last axis goes first: the first row that has the maximum, and in that row the first column, is
the first maximum in row-major order. Where windows move in steps of more than one, the input is
split into its phases, so that all comparisons run over contiguous memory.
"""

from __future__ import annotations

from math import prod

import numpy as np

from minigrad.kernels._halves import max_halves
from minigrad.kernels._threads import scratch
from minigrad.kernels._windows import Axis, Ints, at
from minigrad.kernels._winners import Winners

Plan = tuple[Axis, ...]

_SMALL = 1 << 13  # elements: with fewer, copying the phases takes longer than it saves
_BOOL = np.dtype(bool)


def reduce_windows(x: np.ndarray, y: np.ndarray, distance: np.ndarray, to: Winners) -> None:
    """Write the maxima of the windows of x (planes, *spatial) to y, the distances to `distance`."""
    if to.halving:
        max_halves(x, y, distance, to)
    else:
        _reduce(x, y, distance, to.plan, to.steps, nan=False)
    if _has_nan(y):
        _reduce(x, y, distance, to.plan, to.steps, nan=True)


def halve(x: np.ndarray, y: np.ndarray, distance: np.ndarray, to: Winners) -> bool:
    """Do as `reduce_windows` for images of any leading axes; tell whether there is no NaN.

    For NaNs it is the wrong way.
    """
    max_halves(x, y, distance, to)
    return not _has_nan(y)


def _has_nan(y: np.ndarray) -> bool:
    """Tell whether non-empty y has a NaN, which argmax finds first."""
    return y.dtype.kind == "f" and (top := y.item(y.argmax())) != top


def _reduce(
    x: np.ndarray, y: np.ndarray, distance: np.ndarray, plan: Plan, steps: Ints, nan: bool
) -> None:
    found = None
    for axis in range(len(plan), 0, -1):
        if axis == 1:
            best, won = y, distance
        else:
            shape = x.shape[:axis] + (plan[axis - 1].out,) + x.shape[axis + 1 :]
            best = scratch(f"best{axis}", shape, x.dtype)
            won = scratch(f"won{axis}", shape, distance.dtype)
        taps = _Taps("x", x, axis, plan), _Taps("c", found, axis, plan)
        _reduce_axis(*taps, best, won, axis, plan, steps, nan)
        x, found = best, won


class _Taps:
    """What the taps of one axis read: views of x, or of its phases."""

    def __init__(self, name: str, x: np.ndarray | None, axis: int, plan: Plan) -> None:
        self.slot = f"phase{name}{axis}"
        self.x = x
        self.axis = axis
        self.stride = plan[axis - 1].stride
        self.phases: dict[int, np.ndarray] = {}

    def view(self, source: slice, part: slice) -> np.ndarray:
        """Return part of what a tap reads; part.stop may be None."""
        assert self.x is not None
        if self.stride == 1 or self.x.size <= _SMALL:
            first = source.start + (part.start or 0) * self.stride
            last = source.stop
            if part.stop is not None:
                last = source.start + part.stop * self.stride
            return self.x[at(self.axis, slice(first, last, self.stride))]
        count = len(range(source.start, source.stop, self.stride))
        first, last, _ = part.indices(count)
        start, phase = divmod(source.start, self.stride)
        if phase not in self.phases:
            self.phases[phase] = _phase(
                f"{self.slot}{phase}", self.x, self.axis, phase, self.stride
            )
        return self.phases[phase][at(self.axis, slice(start + first, start + last))]


def _phase(slot: str, x: np.ndarray, axis: int, phase: int, stride: int) -> np.ndarray:
    """Return a contiguous copy of every stride-th part along an axis, in scratch memory."""
    source = x[at(axis, slice(phase, None, stride))]
    result = scratch(slot, source.shape, x.dtype)
    inner = prod(x.shape[axis + 1 :])
    if inner == 1:
        np.copyto(result, source)
        return result
    # Rows are copied whole: NumPy's inner loops over a few elements cost more than the elements.
    row = f"V{inner * x.itemsize}"
    outer = x.shape[: axis + 1]
    wide = x.reshape(*outer, inner).view(row)[at(axis, slice(phase, None, stride))]
    np.copyto(result.reshape(*source.shape[: axis + 1], inner).view(row), wide)
    return result


def _reduce_axis(
    x: _Taps,
    found: _Taps,
    y: np.ndarray,
    distance: np.ndarray,
    axis: int,
    plan: Plan,
    steps: Ints,
    nan: bool,
) -> None:
    """Reduce one axis of x; `found` has the winners' distances along the axes already reduced."""
    start, seen = 0, plan[axis - 1].out  # outputs seen ... are those with a tap inside so far
    if plan[axis - 1].starts_full():
        _first_two(x, found, y, distance, plan[axis - 1], steps[axis - 1], nan)
        start, seen = 2, 0
    for tap in range(start, plan[axis - 1].kernel):
        to, source = plan[axis - 1].inside(tap)
        if to.start == to.stop:
            continue
        far = distance.dtype.type(tap * steps[axis - 1])
        new = min(seen, to.stop)
        if to.start < new:
            count = slice(0, new - to.start)
            index = at(axis, slice(to.start, new))
            y[index] = x.view(source, count)
            distance[index] = far if found.x is None else found.view(source, count) + far
        if new < to.stop:
            rest = slice(new - to.start, None)
            index = at(axis, slice(new, to.stop))
            total = far if found.x is None else found.view(source, rest) + far
            _improve(y[index], distance[index], x.view(source, rest), total, nan)
        seen = min(seen, to.start)
    _fill_gaps(y, distance, axis, plan, steps)


def _first_two(
    x: _Taps, found: _Taps, y: np.ndarray, distance: np.ndarray, axis: Axis, step: int, nan: bool
) -> None:
    """Compare the first two taps without copying the first one to y before."""
    everything = slice(None)
    (_, first), (_, second) = axis.inside(0), axis.inside(1)
    a, b = x.view(first, everything), x.view(second, everything)
    better = _beats(b, a, nan)
    np.maximum(a, b, out=y)
    if found.x is None:
        np.multiply(better, distance.dtype.type(step), out=distance)
    else:
        np.add(found.view(second, everything), distance.dtype.type(step), out=distance)
        np.multiply(distance, better, out=distance)
        np.maximum(found.view(first, everything), distance, out=distance)


def _beats(b: np.ndarray, a: np.ndarray, nan: bool) -> np.ndarray:
    """Return where b > a, as uint8 in scratch memory; with `nan` also where b is NaN."""
    better = np.greater(b, a, out=scratch("better", a.shape, _BOOL))
    if nan:
        better |= np.isnan(b)
    return better.view(np.uint8)


def _improve(
    y: np.ndarray, distance: np.ndarray, candidates: np.ndarray, far: np.ndarray, nan: bool
) -> None:
    """Replace what a candidate beats. Later taps are farther: the farthest that won stays."""
    won = np.multiply(
        _beats(candidates, y, nan), far, out=scratch("won", y.shape, distance.dtype)
    )
    np.maximum(y, candidates, out=y)
    np.maximum(distance, won, out=distance)


def _fill_gaps(y: np.ndarray, distance: np.ndarray, axis: int, plan: Plan, steps: Ints) -> None:
    """Give windows without any tap inside the lowest value.

    Their distance is that of the first tap beyond the left padding, where PyTorch begins to search.
    """
    if plan[axis - 1].dilation == 1 or not (gap := plan[axis - 1].gaps()).any():
        return
    low = -np.inf if y.dtype.kind == "f" else np.iinfo(y.dtype).min
    far = np.zeros((1,) * y.ndim, distance.dtype)
    for k in range(axis, y.ndim):
        first = (plan[k - 1].first_taps() * steps[k - 1]).astype(distance.dtype)
        far = far + first.reshape((-1,) + (1,) * (y.ndim - 1 - k))
    where = gap.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
    np.copyto(y, low, where=where)
    np.copyto(distance, far, where=where)
