"""The table itself: one row per call of a module, rendered as text, HTML and plain data."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

TITLES = {
    "input_size": "Input shape", "output_size": "Output shape", "kernel_size": "Kernel",
    "dtype": "Dtype", "num_params": "Param #", "params_percent": "Param %",
    "mult_adds": "Mult-adds", "trainable": "Trainable",
    "param_bytes": "Params", "activation_bytes": "Activations",
    "saved_bytes": "Saved", "saved_predicted": "Saved (pred.)", "grad_bytes": "Gradients",
    "peak_bytes": "Peak", "peak_predicted": "Peak (pred.)",
    "forward_seconds": "Forward", "backward_seconds": "Backward"}
COLUMNS = tuple(TITLES)
MEMORY = ("param_bytes", "activation_bytes", "saved_bytes", "saved_predicted", "grad_bytes",
          "peak_bytes", "peak_predicted")
TIME = ("forward_seconds", "backward_seconds")
NUMBERS = ("num_params", "params_percent", "mult_adds", *MEMORY, *TIME)


@dataclass
class Row:
    """One call of one module."""

    path: str
    kind: str
    depth: int
    input_size: list[tuple[int, ...]]
    output_size: list[tuple[int, ...]]
    num_params: int  # its own and its children's
    own_params: int
    mult_adds: int  # of its own ops, not of its children's
    trainable: str  # "True", "False", "partial" or "-"
    first: bool  # False where a module is called again: its parameters are counted once
    kernel_size: tuple[int, ...] = ()
    dtype: str = ""
    params_percent: float = 0.0
    called: bool = True
    param_bytes: int = 0
    activation_bytes: int | None = None  # of new memory in its outputs
    saved_bytes: int | None = None  # held by the tape for it and its children, measured
    saved_predicted: int | None = None
    grad_bytes: int | None = None  # of the gradients of its parameters
    peak_bytes: int | None = None  # above what was there before the run, forward or backward
    peak_predicted: int | None = None
    forward_seconds: float | None = None
    backward_seconds: float | None = None


@dataclass
class Summary:
    """The table: `str()` and `html()` render it, `to_dict()` gives the numbers."""

    rows: list[Row]
    total_params: int
    trainable_params: int
    total_mult_adds: int
    depth: int
    columns: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    totals: dict[str, Any] = field(default_factory=dict)  # bytes and seconds of the whole run

    def table(self) -> list[list[str]]:
        """Return the header and the visible rows as text cells."""
        lines = [["Layer (type)", *(TITLES[c] for c in self.columns)]]
        for row in self.rows:
            if row.depth > self.depth:
                continue
            name = row.path.rpartition(".")[2]
            label = "  " * row.depth + (f"{name}: {row.kind}" if name else row.kind)
            lines.append([label, *(self._cell(row, c) for c in self.columns)])
        return lines

    def _cell(self, row: Row, column: str) -> str:
        value = getattr(row, column)
        if column == "kernel_size":
            return str(list(value)) if value else "-"
        if column.endswith("size"):
            return ", ".join(str(list(s)) for s in value) or "-"
        if column in ("num_params", "params_percent", "param_bytes") and not row.first:
            return "(recursive)" if column == "num_params" else "-"
        if value is None or value == "":
            return "-"
        if column == "params_percent":
            return f"{value:.2f}%" if value else "-"
        if column in MEMORY:
            return amount(value) if value else "-"
        if column in TIME:
            return duration(value)
        return (f"{value:,}" if value else "-") if isinstance(value, int) else value

    def summed_up(self) -> list[str]:
        """Return the lines below the table."""
        frozen = self.total_params - self.trainable_params
        lines = [f"Total params: {self.total_params:,}",
                 f"Trainable params: {self.trainable_params:,}",
                 f"Non-trainable params: {frozen:,}",
                 f"Total mult-adds: {self.total_mult_adds:,}"]
        t = self.totals
        if "saved_bytes" in t:
            lines += [
                f"Params: {amount(t['param_bytes'])}, buffers: {amount(t['buffer_bytes'])}, "
                f"inputs: {amount(t['input_bytes'])}, gradients: {amount(t['grad_bytes'])}",
                f"Saved for backward: {amount(t['saved_bytes'])} measured, "
                f"{amount(t['saved_predicted'])} predicted",
                f"Peak of a step above params: {amount(t['peak_bytes'])} measured, "
                f"{amount(t['peak_predicted'])} predicted"]
        if "forward_seconds" in t:
            lines.append(f"Time: forward {duration(t['forward_seconds'])}, backward "
                         f"{duration(t['backward_seconds'])}")
        return [*lines, *self.notes]

    def __str__(self) -> str:
        lines = self.table()
        widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
        rule = "=" * (sum(widths) + 2 * len(widths) - 2)
        text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
                for line in lines]
        return "\n".join([rule, text[0], rule, *text[1:], rule, *self.summed_up(), rule])

    __repr__ = __str__

    def html(self) -> str:
        """Return the table as HTML, with its own style."""
        head, *rows = self.table()
        right = [False, *(c in NUMBERS for c in self.columns)]

        def line(tag: str, cells: list[str]) -> str:
            shown = []
            for cell, number in zip(cells, right, strict=True):
                text = html.escape(cell.lstrip(" "))
                indent = (len(cell) - len(cell.lstrip(" "))) * 0.75
                style = ' class="n"' if number else (
                    f' style="padding-left:{indent + 0.5:g}em"' if indent else "")
                shown.append(f"<{tag}{style}>{text}</{tag}>")
            return "<tr>" + "".join(shown) + "</tr>"

        below = "<br>".join(map(html.escape, self.summed_up()))
        return (f'<div class="mg-summary"><style>{STYLE}</style><table>{line("th", head)}'
                f'{"".join(line("td", row) for row in rows)}</table><p>{below}</p></div>')

    _repr_html_ = html

    def to_dict(self) -> dict[str, Any]:
        """Return the totals, and one dict per call of a module."""
        return {"total_params": self.total_params, "trainable_params": self.trainable_params,
                "total_mult_adds": self.total_mult_adds, **self.totals,
                "layers": [dict(vars(row)) for row in self.rows]}


STYLE = (".mg-summary table{border-collapse:collapse;font:13px/1.5 ui-monospace,monospace}"
         ".mg-summary th{border-bottom:2px solid #888;text-align:left;padding:2px .5em}"
         ".mg-summary td{border-bottom:1px solid #8884;text-align:left;padding:2px .5em;"
         "white-space:nowrap}.mg-summary .n{text-align:right}"
         ".mg-summary p{font:13px/1.5 ui-monospace,monospace;margin:.6em .5em}")


def amount(size: int) -> str:
    """Return bytes in the unit that is easy to read (1 KB is 1024 bytes)."""
    if size < 1024:
        return f"{size} B"
    value, unit = size / 1024, "KB"
    for larger in ("MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a time in the unit that is easy to read."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
