"""The stages of one check: determinism, directions, the search, variants."""

from __future__ import annotations

from typing import Any

import numpy as np

from .conventions import left_out, symmetric
from .elements import judge
from .findings import finish, write_failures
from .numeric import random_way
from .probe import Probe
from .report import Failure, GradcheckReport
from .search import Found, look_again, odd_kinks, search
from .second import WEIGHTS
from .sentences import ADVICE, SENTENCE
from .subject import BackwardError, Subject
from .variants import check_variants

Array = np.ndarray[Any, Any]


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
        finish(self)

    # ---- derivatives
    def derivatives(self) -> None:
        subject = self.subject
        linear = subject.linearize(subject.points)
        if not self.repeats(linear.values):
            return
        probe = self.probe = Probe(subject, subject.points, subject.base, self.rng)
        if not probe.good.all():  # a gradient through such an output is nan, too
            k = int(np.flatnonzero(~probe.good)[0])
            self.report.not_checked[f"output {list(subject.layout.index(k))}"] = (
                f"{subject.base[k]}" + (f" (and {(~probe.good).sum() - 1} more)"
                                        if (~probe.good).sum() > 1 else ""))
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
        write_failures(self)

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
                found.more = look_again(probe, j, found) is not None
                return
            if found.spurious >= 3:
                self.report.notes.append(f"{name}: a random direction differs, but no element "
                                         f"that was looked at: the function is too rough here, or "
                                         f"the error is too small to find")
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
        for i in np.flatnonzero(bad)[:3] if probe.good.all() else ():
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
        if not ways or (len(ways) == 1 and any(f.wrong for f in self.found.values())):
            return  # a search has ended with such a direction already
        deltas, slope = probe.measure(ways, min(probe.steps[j] for j in ways))
        if slope is None:
            return
        doubt = sum(probe.doubts(probe.firsts[j][1]) ** 2 for j in ways) ** 0.5
        if probe.compare(deltas, slope, doubt, floor=1e-9).significance <= 1:
            return
        for j in ways:
            again = look_again(probe, j, self.found[j])
            if again is not None:
                self.explain(j, *again)

    def surroundings(self) -> None:
        """Try variants of the inputs, if the plain ones could be differentiated."""
        if self.probe is not None and self.probe.grads and self.subject.varied:
            check_variants(self.subject, self.report, self.probe.weights[0], self.plain)

    # ---- a few elements only
    def asked(self) -> list[tuple[int, tuple[Any, ...]]]:
        names = self.subject.names
        for name, _ in self.only:
            if name not in [*names, WEIGHTS]:
                raise ValueError(f"check_gradients: only names {name!r}; what is checked is "
                                 f"called {names}")
        return [(names.index(name), index) for name, index in self.only if name in names]

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


def _listed(only: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Return `only` as a list of (name, index)."""
    if only is None:
        return []
    pairs = [only] if isinstance(only, tuple) and len(only) == 2 and isinstance(only[0], str) \
        else list(only)
    return [(name, index if isinstance(index, tuple) else (index,)) for name, index in pairs]
