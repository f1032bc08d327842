"""`check_gradients`: the order of the steps of one check."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.gradcheck import GradcheckError
from .arrays import ArraySubject
from .causes import name_causes
from .conventions import left_out, symmetric
from .elements import Verdict, judge
from .isolate import World
from .locate import locate
from .numeric import random_way
from .probe import Probe
from .report import Failure, GradcheckReport
from .reproduce import reproduce_line
from .search import Found, look_again, odd_kinks, search
from .second import GradientSubject
from .sentences import ADVICE, SENTENCE
from .subject import BackwardError, Subject
from .tensors import TensorSubject
from .variants import check_variants

Array = np.ndarray[Any, Any]


def check_gradients(fn: Callable[..., Any], *inputs: Any, order: int = 1, seed: int = 0,
                    only: Any = None, wrt: Sequence[str] | None = None,
                    grad: Callable[..., Any] | None = None, directions: int | None = None,
                    raise_exception: bool = False) -> GradcheckReport:
    """Check a gradient against finite differences; name each wrong element and the likely bug.

    Args: `fn`: a function of tensors, a Module (its parameters are checked, too), or with `grad`
    any function of arrays; `grad(*arrays, g)` returns the gradients of sum(g * fn(*arrays)).
    `order=2` checks second derivatives as well; `only`: (name, index) or a list of them; `wrt`:
    names of what to check; `directions` per input, default automatic. Nothing of the caller's is
    changed. There are no tolerances: the function's own values tell what its derivatives' error is.

    >>> import minigrad as torch
    >>> report = torch.testing.check_gradients(torch.nn.Tanh(), torch.randn(3))
    >>> report.ok, report.checked
    (True, {'input': 3})
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order must be 1 or 2, got {order!r}")
    if order == 2 and grad is not None:
        raise ValueError("check_gradients: order=2 differentiates the gradient by minigrad; a "
                         "gradient of arrays that is written by hand has none. Check it as a "
                         "function of its own: fn=the gradient, grad=its derivative")
    if directions is not None and (not isinstance(directions, int) or directions < 1):
        raise ValueError(f"check_gradients: directions must be an int of at least 1 or None, got "
                         f"{directions!r}")
    start = time.perf_counter()
    frame = sys._getframe(1)
    world = World(fn, list(inputs))
    if isinstance(wrt, str):
        wrt = [wrt]
    try:
        subject: Any = (TensorSubject(fn, inputs, wrt, world) if grad is None else
                        ArraySubject(fn, grad, inputs, wrt, world))
        report = GradcheckReport(subject.title, order=order)
        report._prefix = reproduce_line(frame, fn, inputs, order, seed)
        if not subject.names:
            raise ValueError("check_gradients expects at least one floating point input or "
                             "parameter to check, but there is none")
        first = Check(subject, report, seed, only, directions)
        first.run()
        if order == 2 and report.ok and first.probe is not None:
            second = Check(GradientSubject(subject, first.rng), report, seed, only, directions)
            second.leave_out = [~live for live in first.probe.live]
            second.run()
    finally:
        world.restore()
    if grad is None:
        from .blame import blame, draw

        report._blame = lambda: blame(fn, inputs, report)
        report._draw = lambda: draw(fn, inputs, report)
    report.seconds = time.perf_counter() - start
    if raise_exception and not report.ok:
        raise GradcheckError(report)
    return report


class Check:
    """One check of one subject: measures, searches, and writes the report."""

    def __init__(self, subject: Subject, report: GradcheckReport, seed: int, only: Any,
                 directions: int | None) -> None:
        self.subject, self.report = subject, report
        self.rng = np.random.default_rng(seed)
        self.only = _listed(only)
        self.directions = directions
        self.found: dict[int, Found] = {}
        self.probe: Any = None
        self.leave_out: list[Array] = []  # elements on kinks of the first order

    def run(self) -> None:
        """Run every stage; the report is complete afterwards, also when the code is broken."""
        subject, report = self.subject, self.report
        subject.prepare()
        try:
            self.derivatives()
        except BackwardError as error:
            name = error.name or (subject.names[0] if subject.names else "")
            report.failures.append(Failure(name, (), (), np.nan, np.nan, error.kind,
                                           f"backward failed: {error}",
                                           ADVICE[error.kind]))
        if not self.only:
            self.surroundings()
        self.finish()

    # ---- derivatives
    def derivatives(self) -> None:
        subject = self.subject
        linear = subject.linearize(subject.points)
        if not self.repeats(linear.values):
            return
        probe = self.probe = Probe(subject, subject.points, subject.base, self.rng)
        for live, out in zip(probe.live, self.leave_out, strict=False):
            live[out] = False
        if self.only:
            for j in {j for j, _ in self.asked()}:
                probe.first(j)
        else:
            for j in range(len(subject.points)):
                if probe.live[j].any() and probe.first(j) is None:
                    self.edges(j)
        probe.choose_weights(2 if linear.costs_a_call else 3)
        probe.differentiate(linear)
        self.plain = [g.copy() for g in probe.grads[0]]
        self.written_parameters()
        if self.only:
            self.judge_only()
        else:
            for j in range(len(subject.points)):
                self.input(j)
            self.jointly()
        self.write_failures()

    def written_parameters(self) -> None:
        """Leave out what an embedding with max_norm rescales; other writes are faults."""
        subject = self.subject
        for name, changed in getattr(subject, "written", {}).items():
            owner = name.rpartition(".")[0]
            module = next((kept.module for kept in subject.world.modules if kept.path == owner),
                          None)
            self.probe.live[subject.names.index(name)] &= ~changed
            if getattr(module, "max_norm", None) is not None:
                self.report.notes.append(f"{name}: rows that max_norm rescales are not compared")
            else:
                subject.world.state_changes[name] = None

    def repeats(self, again: Array) -> bool:
        """Compare two calls at the same point."""
        base = self.subject.base
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(base), self.subject.scatter * np.abs(base).max(initial=0.0))
            close = np.abs(again - base) <= 64 * self.subject.eps * size
        same = close | (again == base) | (np.isnan(again) & np.isnan(base))
        if again.shape == base.shape and same.all():
            return True
        k = int(np.flatnonzero(~same)[0]) if again.shape == base.shape else 0
        self.report.status.deterministic = False
        self.report.failures.append(Failure(
            "", (), self.subject.layout.index(k), float(again[k]), float(base[k]),
            "nondeterministic", SENTENCE["random"], ADVICE["random"]))
        return False

    def input(self, j: int) -> None:
        """Compare input j along its first direction (or more); search if it is off."""
        probe = self.probe
        found = self.found[j] = Found()
        bad = ~np.all([np.isfinite(g[j]) for g in probe.grads], axis=0)
        if bad.any():
            self.not_finite(j, bad)
        if j not in probe.firsts:
            return
        delta, slope = probe.firsts[j]
        if not probe.live[j].all():
            delta = delta * probe.live[j]
        if bad.any():
            again = look_again(probe, j, found)
            if again is None:
                return
            deltas, slope = again
        else:
            deltas = {j: delta}
        for k in range(self.directions or 1):
            if k:
                again = look_again(probe, j, found)
                if again is None:
                    continue
                deltas, slope = again
            if probe.compare(deltas, slope).significance > 1:
                self.explain(j, deltas, slope)

    def explain(self, j: int, deltas: dict[int, Array], slope: Any) -> None:
        """Search, and look again along new ways until nothing is left to explain."""
        probe, found, name = self.probe, self.found[j], self.subject.names[j]
        if symmetric(probe, j):
            self.report.notes.append(f"{name} is symmetric: its gradient is right for symmetric "
                                     f"changes, as that of functions which read one triangle")
            probe.live[j][...] = False
            return
        note = left_out(self.subject, probe, j)
        if note:
            self.report.notes.append(note)
            again = look_again(probe, j, found)
            if again is None:
                return
            deltas, slope = again
        for _ in range(12):
            search(probe, j, deltas, slope, found)
            if len(found.wrong) >= 8:
                found.more = True
                return
            if found.spurious >= 3:
                return
            if len(found.kinks) >= 4:
                self.skip_kinks(j)
            found.more = False
            again = look_again(probe, j, found)
            if again is None:
                return
            deltas, slope = again

    def skip_kinks(self, j: int) -> None:
        """Leave out the elements that have the same value as those found on a kink."""
        probe, found = self.probe, self.found[j]
        x = probe.points[j]
        alike = np.isin(x, [x.flat[v.i] for v in found.kinks]) & probe.live[j]
        probe.live[j] &= ~alike
        odd_kinks(probe, j, found, alike)

    def edges(self, j: int) -> None:
        """The function is not finite around the point: leave out elements until it is."""
        probe = self.probe
        x = probe.points[j]
        order = np.argsort(np.abs(x), axis=None)
        for i in order[:4]:
            verdict_on = probe.live[j]
            same = x == x.flat[i]
            verdict_on[same] = False
            self.report.not_checked[f"{self.subject.names[j]} at the value {x.flat[i]:g}"] = (
                "edge of the domain: the function is not finite on both sides")
            if not verdict_on.any() or probe.first(j) is not None:
                return

    def not_finite(self, j: int, bad: Array) -> None:
        """Judge elements whose analytic gradient is nan or infinite."""
        probe, found = self.probe, self.found[j]
        for i in np.flatnonzero(bad)[:3]:
            verdict = judge(probe, j, int(i))
            (found.wrong if verdict.wrong else found.kinks).append(verdict)
        probe.live[j] &= ~bad
        for g in probe.grads:
            g[j] = np.where(bad, 0.0, g[j])

    def jointly(self) -> None:
        """Move all inputs at once along a second direction."""
        probe = self.probe
        ways = {j: random_way(self.rng, live.shape) * live for j, live in enumerate(probe.live)
                if j in probe.firsts and live.any() and not self.found[j].more}
        if not ways:
            return
        step = None if len(ways) == 1 else min(probe.steps[j] for j in ways)
        deltas, slope = probe.measure(ways, step, full=len(ways) == 1)
        if slope is None:
            return
        doubt = sum(probe.doubts(probe.firsts[j][1]) ** 2 for j in ways) ** 0.5
        if probe.compare(deltas, slope, doubt).significance <= 1:
            return
        for j in ways:
            again = look_again(probe, j, self.found[j])
            if again is not None:
                self.explain(j, *again)

    # ---- a few elements only
    def asked(self) -> list[tuple[int, tuple[Any, ...]]]:
        names = self.subject.names
        for name, _ in self.only:
            if name not in names:
                raise ValueError(f"check_gradients: only names {name!r}; what is checked is "
                                 f"called {names}")
        return [(names.index(name), index) for name, index in self.only]

    def judge_only(self) -> None:
        """Judge the elements that were asked for (up to 8 of a slice)."""
        for j, index in self.asked():
            shape = self.probe.points[j].shape
            places = np.arange(int(np.prod(shape))).reshape(shape)[index]
            found = self.found.setdefault(j, Found())
            for i in np.ravel(places)[:8]:
                verdict = judge(self.probe, j, int(i))
                (found.wrong if verdict.wrong else found.kinks).append(verdict)
                if verdict.kind == "fine":
                    found.kinks.pop()

    # ---- the report
    def write_failures(self) -> None:
        report, subject = self.report, self.subject
        for j, found in self.found.items():
            name = subject.names[j]
            if found.wrong:
                wrong = [self.failure(j, verdict) for verdict in found.wrong]
                report.failures += name_causes(self.probe, j, found, wrong, subject)
            for v in found.kinks[:4]:
                if v.kind == "kink":
                    entry: Any = locate(self.probe, v)
                    if not min(entry.left, entry.right) <= entry.analytic <= max(
                            entry.left, entry.right):
                        entry = v  # valid for the weighted sum of the outputs
                    report.notes.append(
                        f"{name} {_at(subject.points[j], v.i)} sits on a kink: left "
                        f"{entry.left:.4g}, right {entry.right:.4g}, analytic "
                        f"{entry.analytic:.4g} is a valid subgradient")

    def failure(self, j: int, verdict: Verdict) -> Failure:
        """Describe one wrong element by an output that shows it."""
        entry = locate(self.probe, verdict)
        index = tuple(int(i) for i in np.unravel_index(verdict.i, self.subject.points[j].shape))
        output = self.subject.layout.index(entry.k) if entry.k >= 0 else ()
        kind = {"wrong": "mismatch", "bad kink": "kink", "nan": "nan"}[verdict.kind]
        made = Failure(self.subject.names[j], index, output, entry.analytic, entry.numeric, kind)
        if kind == "kink":
            made.left, made.right = entry.left, entry.right
        return made

    def surroundings(self) -> None:
        """Try variants of the inputs, if the plain ones could be differentiated."""
        if self.probe is not None and self.probe.grads and self.subject.varied:
            check_variants(self.subject, self.report, self.probe.weights[0], self.plain)

    def finish(self) -> None:
        subject, report = self.subject, self.report
        for name in subject.mutated:
            report.failures.append(Failure(name, (), (), np.nan, np.nan, "mutated-input",
                                           SENTENCE["mutated"], ADVICE["mutated"]))
        for name, what in subject.dtype_faults.items():
            report.status.dtype_ok = False
            report.failures.append(Failure(name, (), (), np.nan, np.nan, "dtype", what,
                                           ADVICE["dtype"]))
        world = subject.world
        for name in world.state_changes:
            report.failures.append(Failure(name, (), (), np.nan, np.nan, "state",
                                           SENTENCE["state"], ADVICE["state"]))
        if world.drew:
            subject.notes.append("random numbers of minigrad's generators were replayed in every "
                                 "call (masks held)")
        if self.probe is not None:
            subject.notes += [f"{subject.names[j]}: the function is too rough or too imprecise "
                              f"here to see errors below {6 * q:.0e} of the gradient"
                              for j, q in self.probe.coarse.items() if q > 1e-4]
        report.notes += [note for note in subject.notes if note not in report.notes]
        if not self.only:
            report.checked |= dict(zip(subject.names, subject.sizes, strict=True))
        else:
            report.checked |= {f"{name} {index}": 1 for name, index in self.only}
        report.not_checked |= subject.not_checked
        report.evaluations = subject.evaluations
        report.directions = (self.directions or 1) + 1
        located = next((f for f in report.failures if f.kind in ("mismatch", "kink", "nan")
                        and not np.isnan(f.numeric)), None)
        only = f", only=({located.input!r}, {located.index!r})" if located else ""
        report.reproduce = f"{report._prefix}{only})"


def _at(x: Array, i: int) -> str:
    return "[" + ",".join(str(int(k)) for k in np.unravel_index(i, x.shape)) + "]"


def _listed(only: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Return `only` as a list of (name, index)."""
    if only is None:
        return []
    pairs = [only] if isinstance(only, tuple) and len(only) == 2 and isinstance(only[0], str) \
        else list(only)
    return [(name, index if isinstance(index, tuple) else (index,)) for name, index in pairs]
