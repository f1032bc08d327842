"""What a check found: `Failure`, `GradcheckReport`, and how they are printed."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

Index = tuple[Any, ...]


@dataclass
class Failure:
    """One thing that is wrong: where, by how much, and what the likely bug is."""

    input: str
    index: Index
    output: Index
    analytic: float
    numeric: float
    kind: str = "mismatch"
    cause: str = ""
    advice: str = ""
    left: float = math.nan  # one-sided derivatives, of kind "kink"
    right: float = math.nan

    @property
    def abs_error(self) -> float:
        """How far the analytic derivative is from the numeric one."""
        return abs(self.analytic - self.numeric)

    @property
    def rel_error(self) -> float:
        """The same, relative to the numeric derivative (inf if that is zero)."""
        if math.isnan(self.abs_error):
            return math.nan
        return self.abs_error / abs(self.numeric) if self.numeric else (
            math.inf if self.abs_error else 0.0)

    @property
    def verdict(self) -> str:
        """The ratio where it says something, and the likely bug."""
        ratio = self.analytic / self.numeric if self.numeric else math.nan
        tells = self.kind == "mismatch" and math.isfinite(ratio) and abs(ratio) >= 5e-4
        shown = f"x{ratio:.3f}: " if tells else ""
        return f"{shown}{self.cause or self.kind}"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and strings; a whole axis is None."""
        plain = asdict(self)
        for key in ("index", "output"):
            plain[key] = [None if isinstance(i, slice) else i for i in plain[key]]
        return plain | {"abs_error": self.abs_error, "rel_error": self.rel_error}


@dataclass
class Status:
    """The short facts of the last line but one."""

    deterministic: bool = True
    dtype_ok: bool = True
    variants: dict[str, str] = field(default_factory=dict)
    restored: bool = True

    def line(self) -> str:
        parts = [f"forward deterministic: {'yes' if self.deterministic else 'NO'}",
                 f"gradient dtype: {'ok' if self.dtype_ok else 'WRONG'}"]
        parts += [f"{name} input: {found}" for name, found in self.variants.items()]
        parts.append("state (buffers, RNG) restored: yes")
        return " | ".join(parts)


@dataclass
class GradcheckReport:
    """The result of `check_gradients`.

    `ok`; `failures`; `checked` (name -> number of elements); `not_checked` (name -> reason);
    `notes`; `evaluations` (calls of the function); `seconds`; `reproduce` (a line to paste).
    `str()` is a table; `to_dict()`, `blame()` and `draw()` say more. True if nothing is wrong.
    """

    title: str
    failures: list[Failure] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    evaluations: int = 0
    seconds: float = 0.0
    reproduce: str = ""
    order: int = 1
    directions: int = 2
    status: Status = field(default_factory=Status)
    _prefix: str = field(default="", repr=False)
    _blame: Callable[[], Any] | None = field(default=None, repr=False)
    _draw: Callable[[], Any] | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    def blame(self) -> Any:
        """Check the rule of every op that the function records, and name the wrong one."""
        if self._blame is None:
            raise ValueError("blame(): only functions of tensors record ops; this check was of "
                             "a function of arrays or read back from a file")
        return self._blame()

    def draw(self) -> Any:
        """Return the function's computation graph with the op whose rule is wrong painted."""
        if self._draw is None:
            raise ValueError("draw(): only functions of tensors have a computation graph")
        return self._draw()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, numbers and strings (for JSON)."""
        return {"title": self.title, "ok": self.ok, "order": self.order,
                "failures": [f.to_dict() for f in self.failures], "checked": dict(self.checked),
                "not_checked": dict(self.not_checked), "notes": list(self.notes),
                "evaluations": self.evaluations, "seconds": self.seconds,
                "reproduce": self.reproduce, "directions": self.directions,
                "deterministic": self.status.deterministic, "variants": self.status.variants}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        verdict = "ok" if self.ok else "FAILED"
        order = "" if self.order == 1 else f", order {self.order}"
        lines = [f"gradcheck {verdict}  {self.title}   (float64, {self.directions} directions, "
                 f"{self.evaluations} evaluations, {self.seconds:.2f} s{order})"]
        if self.failures:
            lines += _table(self.failures)
        for failure in {f.advice: f for f in self.failures if f.advice}.values():
            lines.append(f" advice: {failure.advice}")
        if self.notes:
            lines += [f" notes: {note}" for note in self.notes]
        checked = ", ".join(f"{name} ({n})" for name, n in self.checked.items()) or "nothing"
        skipped = ", ".join(f"{name} ({why})" for name, why in self.not_checked.items())
        lines.append(f" checked: {checked}" + (f"; not checked: {skipped}" if skipped else ""))
        lines.append(f" {self.status.line()}")
        if self.reproduce:
            lines.append(f" reproduce: {self.reproduce}")
        return lines

    def _repr_html_(self) -> str:
        head = "".join(_cell("th", k, name) for k, name in enumerate(HEAD))
        rows = "".join(
            "<tr>" + "".join(_cell("td", k, cell) for k, cell in enumerate(_cells(f))) + "</tr>"
            for f in self.failures)
        table = (f'<table style="border-collapse:collapse;margin:4px 0"><tr>{head}</tr>{rows}'
                 f"</table>" if self.failures else "")
        shown = _table(self.failures) if self.failures else []
        lines = [line for line in self._lines() if line not in shown]
        colour = "#1a7f37" if self.ok else "#b42318"
        body = "".join(f"<div>{html.escape(line.strip())}</div>" for line in lines[1:])
        return (f'<div style="font-family:monospace"><b style="color:{colour}">'
                f"{html.escape(lines[0])}</b>{table}{body}</div>")


def _cell(tag: str, column: int, text: str) -> str:
    side = "right" if column in _RIGHT else "left"
    return f'<{tag} style="text-align:{side};padding:1px 8px">{html.escape(text)}</{tag}>'


HEAD = ("input", "element", "output", "analytic", "numeric", "abs err", "rel err", "verdict")
_RIGHT = (3, 4, 5, 6)


def shown_index(index: Index) -> str:
    """Return an index as it is written in brackets; a whole axis is a colon."""
    return "[" + ",".join(":" if isinstance(i, slice) else str(i) for i in index) + "]"


def _cells(f: Failure) -> list[str]:
    numbers = [f"{f.analytic:.6g}", f"{f.numeric:.6g}", f"{f.abs_error:.1e}", f"{f.rel_error:.1e}"]
    index = shown_index(f.index)
    if f.kind not in ("mismatch", "kink", "nan") or (math.isnan(f.analytic)
                                                     and math.isnan(f.numeric)):
        numbers, index = ["-"] * 4, "-"  # not a matter of single elements
    output = "-" if index == "-" and not f.output else shown_index(f.output)
    return [f.input or "-", index, output, *numbers, f.verdict]


def _table(failures: list[Failure]) -> list[str]:
    """Lay the failures out in columns."""
    rows = [list(HEAD), *(_cells(f) for f in failures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD) - 1)]
    return [" " + "  ".join([*(cell.rjust(w) if k in _RIGHT else cell.ljust(w)
                               for k, (cell, w) in enumerate(zip(row, widths, strict=False))),
                             row[-1]]).rstrip() for row in rows]
