"""What the doctor returns: findings with place, evidence and remedy."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any

GRADES = ("error", "warning", "hint")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or costs something for nothing."""

    check: str  # a short name: "double softmax"
    grade: str  # "error": it learns the wrong thing or stops; "warning": worse; "hint": waste
    path: str  # of the layer or parameter; "" is the model itself
    evidence: str
    remedy: str


@dataclass
class Diagnosis:
    """All findings, the gravest first; `ok` if there are none."""

    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # with the reason

    @property
    def ok(self) -> bool:
        """Was nothing found?"""
        return not self.findings

    def of(self, check: str) -> list[Finding]:
        """Return the findings of one check."""
        return [f for f in self.findings if f.check == check]

    def __str__(self) -> str:
        count = len(self.findings)
        lines = [f"doctor: {count or 'no'} finding{'s' * (count != 1)}"]
        for f in self.findings:
            lines += ["", f"{f.grade}: {f.check}, at {f.path or 'the model'}", f"    {f.evidence}",
                      f"    Remedy: {f.remedy}"]
        lines += ["", "checked: " + ", ".join(self.checked)]
        lines += [f"not checked: {reason}" for reason in self.skipped]
        return "\n".join(lines)

    __repr__ = __str__

    def html(self) -> str:
        """Return the findings as an HTML table."""
        colours = {"error": "#c92a2a", "warning": "#e67700", "hint": "#1971c2"}
        rows = "".join(
            f'<tr><td style="color:{colours[f.grade]};font-weight:bold">{f.grade}</td>'
            + "".join(f"<td>{html.escape(t)}</td>" for t in (
                f.check, f.path or "the model", f.evidence, f.remedy)) + "</tr>"
            for f in self.findings)
        head = "".join(f"<th>{t}</th>" for t in ("", "Finding", "At", "Evidence", "Remedy"))
        below = html.escape("; ".join(["checked: " + ", ".join(self.checked),
                                       *(f"not checked: {s}" for s in self.skipped)]))
        table = f"<table><tr>{head}</tr>{rows}</table>" if self.findings else "<p>No findings.</p>"
        return (f'<div class="mg-doctor"><style>{STYLE}</style>{table}<p>{below}</p></div>')

    _repr_html_ = html

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"ok": self.ok, **asdict(self)}


STYLE = (".mg-doctor{font:14px/1.45 system-ui,sans-serif}.mg-doctor table{border-collapse:collapse}"
         ".mg-doctor th,.mg-doctor td{text-align:left;vertical-align:top;padding:.3em .7em;"
         "border-bottom:1px solid #8884}.mg-doctor p{color:#868e96}")
