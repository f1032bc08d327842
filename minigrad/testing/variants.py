"""The same function on inputs of another kind: strided, broadcast, empty, one tensor given twice.

Each variant is compared with a plain call at the same values, so that it tells nothing but whether
memory layout and identity matter. What the function refuses is not a fault.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .report import Failure, GradcheckReport
from .sentences import ADVICE
from .subject import BackwardError, Linear

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-7  # other strides may add up in another order; ill-conditioned code amplifies that

MEANING = {"non-contiguous": " (with gaps in memory)", "broadcast": " (rows that share memory)",
           "aliased": " (one object for both)"}


class Rejected(Exception):
    """The function does not take this variant."""


def check_variants(subject: Any, report: GradcheckReport, weights: Array,
                   grads: list[Array]) -> None:
    """Run every variant that the inputs allow; `weights` and `grads` are of the plain call."""
    plain = Outcome(subject.base, grads)
    tries: list[tuple[str, Callable[[], None]]] = []
    arrays = [subject.spots[k].array for k in subject.varied]
    run = _Runner(subject, report, weights, plain)
    if any(a.size > 1 for a in arrays):
        tries.append(("non-contiguous", lambda: run.same("non-contiguous", plain, make=spread)))
    if any(a.ndim and a.shape[0] > 1 for a in arrays):
        tries.append(("broadcast", lambda: run.broadcast()))
    pair = _equal_shapes(subject)
    if pair is not None:
        tries.append(("aliased", lambda: run.aliased(*pair)))
    if any(a.ndim for a in arrays):
        tries.append(("zero-size", lambda: run.empty()))
    for name, attempt in tries:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                attempt()
        except Rejected as refusal:
            report.not_checked[f"{name} input"] = str(refusal)
        except BackwardError as error:
            returned = "invalid gradient" in str(error) or "has shape" in str(error)
            meant = run.finite and returned  # a mean of nothing is nan: no empty input is meant
            if name != "non-contiguous" and not (name == "zero-size" and meant):
                report.not_checked[f"{name} input"] = f"rejected by backward: {error}"[:90]
                continue
            run.fails(name, error.kind, f"backward failed for {name} input: {error}",
                      ADVICE[error.kind])


class Outcome:
    """Values and gradients of one call."""

    def __init__(self, values: Array, grads: list[Array]) -> None:
        self.values, self.grads = values, grads


class _Runner:
    def __init__(self, subject: Any, report: GradcheckReport, weights: Array,
                 usual: Outcome) -> None:
        self.subject, self.report, self.weights, self.usual = subject, report, weights, usual
        self.finite = True  # the values of the latest call

    def call(self, points: list[Array], **variant: Any) -> Outcome:
        """Run the function and its gradient; Rejected if the function refuses."""
        try:
            linear: Linear = self.subject.linearize(points, **variant)
        except Exception as error:
            text = str(error).split("\n")[0]
            raise Rejected(f"rejected: {type(error).__name__}: {text[:80]}") from None
        weights = np.ones(linear.values.size)
        if linear.values.size == self.weights.size:
            weights = self.weights
        self.finite = bool(np.isfinite(linear.values).all())
        return Outcome(linear.values, linear.pull(weights))

    def fails(self, name: str, kind: str, cause: str, advice: str, where: str = "") -> None:
        self.report.status.variants[name] = "FAILS"
        self.report.failures.append(Failure(where or self.subject.names[0], (), (), np.nan, np.nan,
                                            kind, cause, advice))

    def same(self, name: str, plain: Outcome, **variant: Any) -> None:
        """Compare with a plain call."""
        self.compare(name, plain, self.call(self.subject.points, **variant))

    def compare(self, name: str, plain: Outcome, other: Outcome) -> None:
        """Compare two calls; relative to usual gradients, as special values may make them 0."""
        if not _close(plain.values, other.values, self.subject.base):
            self.fails(name, "mismatch", f"{name} input{MEANING[name]} gives another result",
                       ADVICE["variant"])
            return
        for j, (a, b) in enumerate(zip(plain.grads, other.grads, strict=True)):
            if not _close(a, b, self.usual.grads[j]):
                self.fails(name, "mismatch", f"{name} input{MEANING[name]} gives another gradient",
                           ADVICE["variant"], self.subject.names[j])
                return
        self.report.status.variants[name] = "same"

    def broadcast(self) -> None:
        """Give memory that all rows share, and compare with a copy of it."""
        other = self.call(self.subject.points, make=repeated)
        plain = self.call(self.subject.points, make=lambda a: repeated(a).copy())
        self.compare("broadcast", plain, other)

    def aliased(self, first: int, second: int) -> None:
        """Give one array twice, and compare with two copies of it."""
        subject = self.subject
        a, b = subject.varied.index(first), subject.varied.index(second)
        points = list(subject.points)
        points[b] = points[a]
        together = self.call(points, shared=(first, second))
        apart = self.call(points)
        if subject.adds_up_aliases:
            apart.grads[a] = apart.grads[b] = apart.grads[a] + apart.grads[b]
        self.compare("aliased", apart, together)

    def empty(self) -> None:
        """Give inputs without a single row: the gradients must be empty, too."""
        self.call(self.subject.points, make=lambda a: a[:0].copy() if a.ndim else a.copy())
        self.report.status.variants["zero-size"] = "ok"


def spread(a: Array) -> Array:
    """Return the same values in every second place of a larger array."""
    wide = np.zeros(tuple(2 * n for n in a.shape), a.dtype)
    every_second: Any = (..., *(slice(None, None, 2) for _ in a.shape))
    view: Array = wide[every_second]
    view[...] = a
    return view


def repeated(a: Array) -> Array:
    """Return the first row in place of every row, all in one memory."""
    return np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] > 1 else a.copy()


def _equal_shapes(subject: Any) -> tuple[int, int] | None:
    """Return two inputs of equal shape."""
    seen: dict[tuple[int, ...], int] = {}
    for k in subject.varied:
        shape = subject.spots[k].array.shape
        if shape in seen:
            return seen[shape], k
        seen[shape] = k
    return None


def _close(a: Array, b: Array, like: Array) -> bool:
    if a.shape != b.shape:
        return False
    finite = [np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in (a, b, like)]
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * max(finite), equal_nan=True))
