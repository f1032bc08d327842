"""From the pattern of wrong numbers to the likely bug."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .patterns import Samples, extent, take_samples
from .probe import Probe
from .report import Failure
from .search import Found
from .sentences import ADVICE, SENTENCE

Array = np.ndarray[Any, Any]
Named = tuple[str, dict[str, Any]]  # key of the sentence, what to fill in


@dataclass
class Case:
    """What is known about the wrong elements of one input."""

    probe: Probe
    j: int
    found: Found
    samples: Samples
    box: tuple[Any, ...] | None
    stale: str
    random: bool
    drew: bool
    rates: list[float]  # dropout probabilities of the module
    integers: list[Array]  # the integer inputs

    def __post_init__(self) -> None:
        self.places, self.analytic, self.numeric = self.samples.only_wrong()
        self.whole = np.array([g[self.j] for g in self.probe.grads])  # (weights, *shape)
        scale = np.abs(self.numeric).max(initial=0.0)
        with np.errstate(all="ignore"):
            ratio = (self.analytic / self.numeric)[np.abs(self.numeric) > 1e-6 * scale]
        self.ratios = ratio[np.isfinite(ratio)]

    @property
    def ratio(self) -> float | None:
        """The factor between analytic and numeric, if it is one and the same."""
        scale = np.abs(self.numeric).max(initial=0.0)
        made_up = (np.abs(self.numeric) <= 1e-6 * scale) & (np.abs(self.analytic) > 1e-3 * scale)
        if not self.ratios.size or made_up.any():  # no factor makes something of zero
            return None
        middle = float(np.median(self.ratios))
        same = np.abs(self.ratios - middle) <= 1e-3 * max(abs(middle), 1e-3)
        return middle if same.all() else None


def explain(case: Case) -> Named:
    """Return the first rule that fits, with what its sentence needs."""
    for rule in RULES:
        named = rule(case)
        if named is not None:
            return named
    return "unknown", {}


def _certain(case: Case) -> Named | None:
    if case.random:
        return "random", {}
    if case.stale:
        return "stale", {"kept": case.stale}
    first = case.found.wrong[0]
    if first.kind == "nan":
        return "nan", {}
    if first.kind == "bad kink":
        return "kink", {}
    return None


def _detached(case: Case) -> Named | None:
    return ("detached", {}) if not case.whole.any() else None


def _constant_ratio(case: Case) -> Named | None:
    ratio = case.ratio
    if ratio is None or abs(ratio) < 1e-6:
        return None
    masked = case.drew or _some_outputs_are_dead(case)
    for p in [*case.rates, *(COMMON_RATES if masked else ())]:
        likely = case.rates or case.drew or not _near(ratio, 2)
        if likely and any(_near(ratio, r) for r in (1 / (1 - p), 1 - p, 1 / p)):
            return "dropout", {"p": p}
    for key, value in (("sign", -1.0), ("double", 2.0), ("half", 0.5)):
        if _near(ratio, value):
            return key, {}
    for n in _counts(case):
        if _near(abs(ratio), n):
            return "sum", {"n": n}
        if _near(abs(ratio), 1 / n):
            return "mean", {"n": n}
    if case.found.more or 2 * case.places.size >= case.probe.points[case.j].size:
        return "factor", {"ratio": ratio}
    return None


COMMON_RATES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)


def _some_outputs_are_dead(case: Case) -> bool:
    """Whether some outputs do not depend on the input at all, as behind a mask."""
    if case.j not in case.probe.firsts:
        return False
    slope = np.abs(case.probe.firsts[case.j][1].value)
    dead = float((slope <= 1e-9 * slope.max(initial=0.0)).mean()) if slope.size else 0.0
    return 0.02 < dead < 0.98


def _counts(case: Case) -> list[int]:
    """Return the numbers that a mean may divide by: axes, products of axes, all."""
    shapes = [case.probe.points[case.j].shape, *case.probe.subject.layout.shapes,
              *(p.shape for p in case.probe.points)]
    found = {case.probe.here.size}
    for shape in shapes:
        for a in range(len(shape)):
            for b in range(a + 1, len(shape) + 1):
                found.add(int(np.prod(shape[a:b])))
        if len(shape) > 2:
            found.add(int(np.prod(shape)) // max(shape[1], 1))  # per channel
    sizes = [p.size for p in case.probe.points]
    found |= {a // b for a in sizes for b in [case.probe.here.size, *sizes] if b and a % b == 0}
    found |= {case.probe.here.size // b for b in sizes if b and case.probe.here.size % b == 0}
    return sorted(n for n in found if n > 2)


def _layouts(case: Case) -> Named | None:
    """Compare with the analytic gradient in other orders of its elements."""
    if case.places.size < 2:
        return None
    g = case.whole
    shape = g.shape[1:]
    if len(shape) >= 2:
        other = [np.swapaxes(g, -1, -2)] if shape[-1] == shape[-2] else []
        other += [np.swapaxes(g.reshape(*g.shape[:-2], shape[-1], shape[-2]), -1, -2)]
        other += [np.swapaxes(g, -1, -2).reshape(g.shape)]
        if any(_agrees(case, o) for o in other):
            return "transposed", {}
    if _transposed_outputs(case):
        return "transposed", {}
    for axis in range(1, g.ndim):
        moved = [np.flip(g, axis), *(np.roll(g, s, axis) for s in (1, -1, 2, -2))]
        if any(_agrees(case, o) for o in moved):
            return "permuted", {}
    columns = g.reshape(len(g), -1)
    for k in range(case.places.size):
        gap = np.abs(columns - case.numeric[:, k:k + 1]).max(0)
        if gap.min() > 1e-6 * np.abs(case.numeric[:, k]).max():
            return None
        if int(gap.argmin()) == int(case.places[k]):
            return None
    return "permuted", {}


def _transposed_outputs(case: Case) -> bool:
    """Whether the gradient is right for the transposed weights of a square output."""
    linear, layout = case.probe.linear, case.probe.subject.layout
    shape = layout.shapes[0]
    if linear is None or len(layout.shapes) > 1 or len(shape) < 2 or shape[-1] != shape[-2]:
        return False
    weights = np.swapaxes(case.probe.weights[0].reshape(shape), -1, -2).reshape(-1)
    made = linear.pull(weights)[case.j].reshape(-1)[case.places]
    return bool(np.allclose(made, case.numeric[0], rtol=1e-5,
                            atol=1e-6 * np.abs(case.numeric[0]).max(initial=0.0)))


def _agrees(case: Case, other: Array) -> bool:
    values = other.reshape(len(other), -1)[:, case.places]
    return bool(np.allclose(values, case.numeric, rtol=1e-5,
                            atol=1e-6 * np.abs(case.numeric).max(initial=0.0)))


def _offset(case: Case) -> Named | None:
    """Find axes along which analytic - numeric does not change."""
    if case.places.size < 2:
        return None
    off = case.analytic - case.numeric
    at = np.array(np.unravel_index(case.places, case.samples.shape)).T
    axes = []
    for axis in range(at.shape[1]):
        others = np.delete(at, axis, 1)
        same = [np.flatnonzero((others == row).all(1)) for row in np.unique(others, axis=0)]
        groups = [rows for rows in same if rows.size > 1]
        flat = [np.ptp(off[:, rows], axis=1) <= 1e-3 * np.abs(off[:, rows]).max(1) + 1e-12
                for rows in groups]
        if groups and max(rows.size for rows in groups) > 1 and all(f.all() for f in flat):
            axes.append(axis)
    if not axes:
        return None
    return "offset", {"axes": ", ".join(map(str, axes))}


def _lost_outputs(case: Case) -> Named | None:
    """Is the analytic value that of a single one of the outputs that depend on the element?"""
    for verdict in case.found.wrong[:3]:
        if verdict.slope is None:
            continue
        column = verdict.slope.value / verdict.unit
        uses = np.abs(column) > 1e-9 * np.abs(column).max(initial=0.0)
        if uses.sum() < 2:
            return None
        analytic = np.array([g[case.j].flat[verdict.i] for g in case.probe.grads])
        parts = case.probe.weights[:, uses] * column[uses]
        size = np.abs(parts).max()
        one = np.abs(parts - analytic[:, None]).max(0).min() <= 1e-6 * size
        if not (one or _some_are_zero(case, verdict, column, np.flatnonzero(uses))):
            return None
    repeats = any(np.unique(a).size < a.size for a in case.integers)
    if repeats:
        return "repeated", {}
    return "unbroadcast", {}


def _some_are_zero(case: Case, verdict: Any, column: Array, uses: Array) -> bool:
    """Ask for the derivative of single outputs: each is right or zero, some are zero."""
    linear = case.probe.linear
    if linear is None or (linear.costs_a_call and len(case.found.wrong) < 2):
        return False
    others = case.probe.weights[0].copy()
    others[uses] = 0.0
    if others.any() and linear.pull(others)[case.j].flat[verdict.i]:
        return False  # outputs that do not depend on the element are counted as well
    chosen = uses[np.unique(np.linspace(0, uses.size - 1, 8).astype(int))]
    zeros = 0
    for k in chosen:
        one = np.zeros(case.probe.here.size)
        one[k] = 1.0
        made = float(linear.pull(one)[case.j].flat[verdict.i])
        if made == 0:
            zeros += 1
        elif abs(made - column[k]) > 1e-5 * abs(column[k]):
            return False
    return 0 < zeros < chosen.size


def _part(case: Case) -> Named | None:
    return ("part", {}) if not case.analytic.any() else None


def _chain(case: Case) -> Named | None:
    """Is the gradient the weights themselves?"""
    weights = case.probe.weights
    if weights.shape[1] != case.whole[0].size:
        return None
    handed = weights[:, case.places]
    return ("chain", {}) if np.allclose(case.analytic, handed, rtol=1e-9) else None


def _precision(case: Case) -> Named | None:
    """Small errors that vary, measured where the gradient itself is not small."""
    size = np.sqrt(np.mean(case.numeric**2)) if case.numeric.size else 0.0
    large = np.abs(case.numeric) > 0.1 * size
    errors = (case.analytic - case.numeric)[large] / case.numeric[large]
    off = np.abs(errors).max(initial=0.0)
    if errors.size < 3 or not off <= 1e-2:
        return None
    return ("precision", {}) if np.ptp(errors) > 0.2 * off else None


def _place(case: Case) -> Named | None:
    box = case.box
    if box is not None and any(isinstance(i, slice) for i in box) and any(
            not isinstance(i, slice) and n > 1
            for i, n in zip(box, case.samples.shape, strict=True)):
        what = {1: "column", 0: "row"}.get(
            next(a for a, i in enumerate(box) if not isinstance(i, slice)), "slice")
        if len(box) > 2 and what == "column":
            what = "channel"
        return "row", {"what": what}
    few = 2 * case.places.size <= case.probe.points[case.j].size or case.places.size <= 3
    return ("single", {}) if few and not case.found.more else None


RULES: list[Callable[[Case], Named | None]] = [
    _certain, _detached, _precision, _constant_ratio, _layouts, _chain, _lost_outputs, _offset,
    _part, _place]


def _near(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= 2e-3 * abs(wanted)


def gather(probe: Probe, j: int, found: Found, subject: Any) -> Case:
    """Collect what the rules look at; runs the function a few times more."""
    samples = take_samples(probe, j, found)
    stale, random = "", False
    first = subject.rerun(probe.points)
    if first is not None:
        stale, again = first
        if again is not None:
            before = probe.grads[0][j]
            pulled = np.nan_to_num(again(probe.weights[0])[j])
            scale = np.abs(before).max(initial=0.0)
            random = bool((np.abs(pulled - before) > 1e-9 * scale).any()) and bool(
                np.isfinite(before).all()) and found.wrong[0].kind != "nan"
    modules = [kept.module for kept in subject.world.modules]
    rates = [m.p for m in modules if isinstance(getattr(m, "p", None), float) and 0 < m.p < 1]
    integers = [s.array for s in subject.spots if s.array.dtype.kind in "iu"]
    return Case(probe, j, found, samples, extent(samples), stale, random, subject.world.drew,
                rates, integers)


def name_causes(probe: Probe, j: int, found: Found, failures: list[Failure],
                subject: Any) -> list[Failure]:
    """Fill in the causes; return the failures, as one of a whole box where that is what it is."""
    case = gather(probe, j, found, subject)
    key, details = explain(case)
    if len(failures) == 1 and key in ("single", "unknown") and probe.here.size > 1:
        key = _one_output(case, failures[0]) or key
    for failure in failures:
        sides = {"left": failure.left, "right": failure.right}
        failure.cause = SENTENCE[key].format(**details, **sides)
        failure.advice = ADVICE[key]
        if key == "random":
            failure.kind = "nondeterministic"
    if found.more and case.box is not None:
        failures[0].index = case.box
        return failures[:1]
    if found.more:
        failures[-1].cause += f" (and more than {len(failures)})"
    return failures


def _one_output(case: Case, failure: Failure) -> str | None:
    """Whether the other outputs that depend on the element are right."""
    verdict = case.found.wrong[0]
    if verdict.slope is None or case.probe.linear is None or case.probe.linear.costs_a_call:
        return None
    column = verdict.slope.value / verdict.unit
    uses = np.abs(column) > 1e-9 * np.abs(column).max(initial=0.0)
    layout = case.probe.subject.layout
    for k in np.flatnonzero(uses):
        if layout.index(int(k)) == failure.output:
            uses[k] = False
    if not uses.any():
        return None
    weights = np.where(uses, case.probe.weights[0], 0.0)
    rest = float(case.probe.linear.pull(weights)[case.j].flat[verdict.i])
    right = abs(rest - float(weights @ column)) <= 1e-5 * abs(weights * column).sum()
    return "output" if right else None
