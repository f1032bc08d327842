"""What a comparison of two libraries found: `Difference`, `ComparisonReport`."""

from __future__ import annotations

import linecache
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# dtype -> (rtol, atol); integers and booleans must be equal
TOLERANCES = {"float16": (1e-2, 1e-3), "bfloat16": (5e-2, 1e-2), "float32": (1e-4, 1e-6),
              "float64": (1e-9, 1e-12)}
ROUNDINGS = 64  # of the largest number in sight that a sum may be off by


@dataclass
class Difference:
    """One call whose result, or whose gradient, is not the same in both libraries.

    `kind`: "value", "gradient", "shape", "dtype", "exception", "flow" (other calls follow) or
    "random". `of`: the value that the gradient belongs to.
    """

    kind: str
    op: str
    file: str
    line: int
    call: int
    what: str = ""
    of: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    wrong: int = 0
    size: int = 0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    max_ulp: float = 0.0
    index: tuple[int, ...] = ()
    actual: Any = None
    expected: Any = None
    input_error: float = 0.0

    @property
    def source(self) -> str:
        """The user's line that made the call."""
        return linecache.getline(self.file, self.line).strip()

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and strings."""
        return asdict(self) | {"source": self.source}

    def lines(self, names: tuple[str, str]) -> list[str]:
        """Describe it; `names` are those of the two libraries."""
        title = {"gradient": f"the gradient of {self.of}, which {self.op} passes back,",
                 "flow": self.op, "exception": f"{self.op} raises", "random": f"{self.op} draws"
                 }.get(self.kind, f"the {self.kind} of {self.op}")
        made = [f" first difference: {title} (call {self.call})",
                f"   {self.file}:{self.line}:  {self.source}"]
        if self.what:
            made.append(f"   {self.what}")
        if self.size:
            at = "[" + ", ".join(map(str, self.index)) + "]"
            made += [f"   {self.wrong} of {self.size} elements differ, shape {self.shape}, "
                     f"{self.dtype}: at most {self.max_abs_error:.3g} absolute, "
                     f"{self.max_rel_error:.3g} relative, {self.max_ulp:.3g} ulp",
                     f"   worst at {at}: {names[0]} {self.actual!r}, {names[1]} {self.expected!r}"]
        if self.kind == "value":
            made.append(f"   the inputs of the call differ by {self.input_error:.2g} relative")
        return made


@dataclass
class ComparisonReport:
    """The result of `compare_with_torch`; true if nothing differs.

    `first_difference` (a `Difference` or None), `calls` and `gradients` (how many were compared),
    `largest_ulp` of what passed by dtype, `notes`, `printed` (what a script printed, by library).
    """

    title: str
    libraries: tuple[str, str]
    first_difference: Difference | None = None
    calls: int = 0
    gradients: int = 0
    largest_ulp: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    printed: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found to differ."""
        return self.first_difference is None

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, numbers and strings."""
        first = self.first_difference
        return {"title": self.title, "ok": self.ok, "libraries": list(self.libraries),
                "first_difference": first and first.to_dict(), "calls": self.calls,
                "gradients": self.gradients, "largest_ulp": dict(self.largest_ulp),
                "notes": list(self.notes)}

    def __str__(self) -> str:
        verdict = "same" if self.ok else "DIFFERENT"
        lines = [f"{' and '.join(self.libraries)} {verdict}  {self.title}   ({self.calls} calls, "
                 f"{self.gradients} gradients compared)"]
        if self.first_difference is not None:
            lines += self.first_difference.lines(self.libraries)
        ulps = ", ".join(f"{k} {v:.3g}" for k, v in self.largest_ulp.items())
        lines += [f" largest difference that passed, in ulp of the largest number: {ulps}"
                  ] * bool(ulps)
        return "\n".join(lines + [f" note: {note}" for note in self.notes])


@dataclass
class Gap:
    """How far two arrays of one shape are apart."""

    close: bool
    facts: dict[str, Any]  # fields of Difference
    ulp: float  # of the largest number


def gap(a: Array, b: Array, scale: float, rtol: float | None, atol: float | None) -> Gap:
    """Compare two arrays of one shape; `scale` is the largest number that went in."""
    name = b.dtype.name
    inexact = b.dtype.kind == "f"
    usual = TOLERANCES.get(name, (0.0, 0.0))
    rtol, atol = (usual[0] if rtol is None else rtol), (usual[1] if atol is None else atol)
    x, y = (v.astype(np.float64) if inexact else v.astype(object) for v in (a, b))
    with np.errstate(all="ignore"):
        apart = np.asarray(abs(x * 1 - y * 1), np.float64)
        size = np.asarray(abs(y * 1), np.float64)
        same = np.asarray(x == y, bool)
        allowed = np.zeros(y.shape)
        eps = float(np.finfo(b.dtype).eps) if inexact else 0.0
        large = max(scale, float(np.max(size, where=np.isfinite(size), initial=0.0)))
        if inexact:
            same |= np.isnan(x) & np.isnan(y)
            allowed = atol + rtol * size + ROUNDINGS * eps * large
        fine = same | (np.isfinite(apart) & (apart <= allowed))
        apart = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
        relative = np.where(apart == 0, 0.0, apart / size)
        spacing = np.spacing(np.maximum(abs(a), abs(b))) if inexact else 1.0
        ulp = np.where(apart == 0, 0.0, apart / spacing)
    worst = np.where(fine, -1.0, apart)
    at = tuple(int(k) for k in np.unravel_index(int(worst.argmax()), worst.shape)) if (
        worst.size) else ()
    top = lambda v: float(np.max(v, initial=0.0))
    facts = {"shape": b.shape, "dtype": name, "wrong": int((~fine).sum()), "size": int(b.size),
             "max_abs_error": top(apart), "max_rel_error": top(relative), "max_ulp": top(ulp),
             "index": at}
    if b.size:
        facts |= {"actual": a[at].item(), "expected": b[at].item()}
    # numbers near atol are often nothing but rounding: they say nothing of it
    rounding = top(apart) / (eps * large) if inexact and large > 100 * atol else 0.0
    return Gap(bool(fine.all()), facts, rounding)
