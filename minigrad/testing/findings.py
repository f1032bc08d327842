"""From what a check found to the lines of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .causes import name_causes
from .elements import Verdict
from .locate import locate
from .report import Failure
from .sentences import ADVICE, SENTENCE

if TYPE_CHECKING:
    from .stages import Check

Array = np.ndarray[Any, Any]


def write_failures(check: Check) -> None:
    """Describe the wrong elements with their causes, and note the valid kinks."""
    report, subject = check.report, check.subject
    for j, found in check.found.items():
        name = subject.names[j]
        if found.wrong:
            wrong = [_failure(check, j, verdict) for verdict in found.wrong]
            report.failures += name_causes(check.probe, j, found, wrong, subject)
        for v in found.kinks[:4]:
            if v.kind == "kink":
                entry: Any = locate(check.probe, v)
                if not min(entry.left, entry.right) <= entry.analytic <= max(
                        entry.left, entry.right):
                    entry = v  # valid for the weighted sum of the outputs
                report.notes.append(
                    f"{name} {_at(subject.points[j], v.i)} sits on a kink: left "
                    f"{entry.left:.4g}, right {entry.right:.4g}, analytic "
                    f"{entry.analytic:.4g} is a valid subgradient")


def _failure(check: Check, j: int, verdict: Verdict) -> Failure:
    """Describe one wrong element by an output that shows it."""
    entry = locate(check.probe, verdict)
    index = tuple(int(i) for i in np.unravel_index(verdict.i, check.subject.points[j].shape))
    output = check.subject.layout.index(entry.k) if entry.k >= 0 else ()
    kind = {"wrong": "mismatch", "bad kink": "kink", "nan": "nan"}[verdict.kind]
    made = Failure(check.subject.names[j], index, output, entry.analytic, entry.numeric, kind)
    if kind == "kink":
        made.left, made.right = entry.left, entry.right
    return made


def finish(check: Check) -> None:
    """Write what the calls did besides returning values, and what was checked."""
    subject, report = check.subject, check.report
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
    if check.probe is not None:
        subject.notes += [f"{subject.names[j]}: the function is too rough or too imprecise "
                          f"here to see errors below {6 * q:.0e} of the gradient"
                          for j, q in check.probe.coarse.items() if q > 1e-4]
    report.notes += [note for note in subject.notes if note not in report.notes]
    if check.probe is None or not check.probe.grads:
        report.not_checked |= dict.fromkeys(subject.names, "nothing to compare: see above")
    elif not check.only:
        report.checked |= dict(zip(subject.names, subject.sizes, strict=True))
    else:
        report.checked |= {f"{name} {index}": 1 for name, index in check.only}
    report.not_checked |= subject.not_checked
    report.evaluations = subject.evaluations
    report.directions = (check.directions or 1) + 1
    located = next((f for f in report.failures if f.kind in ("mismatch", "kink", "nan")
                    and not np.isnan(f.numeric)), None)
    only = f", only=({located.input!r}, {_pasted(located.index)})" if located else ""
    report.reproduce = f"{report._prefix}{only})"


def _pasted(index: tuple[Any, ...]) -> str:
    """Return an index as Python writes it, whole axes as slice(None)."""
    return repr(index).replace("slice(None, None, None)", "slice(None)")


def _at(x: Array, i: int) -> str:
    return "[" + ",".join(str(int(k)) for k in np.unravel_index(i, x.shape)) + "]"
