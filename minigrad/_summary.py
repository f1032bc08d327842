"""`summary`: a table of a model's layers with shapes, parameters and multiply-adds."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import engine
from .modes import no_grad
from .nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from .viz.state import deep_enough, tensors_in, untouched

COLUMNS = ("input_size", "output_size", "num_params", "mult_adds", "trainable")
TITLES = {"input_size": "Input shape", "output_size": "Output shape", "num_params": "Param #",
          "mult_adds": "Mult-adds", "trainable": "Trainable"}


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
    mult_adds: int
    trainable: str  # "True", "False", "partial" or "-"
    first: bool  # False where a module is called again: its parameters are counted once


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
        if column.endswith("size"):
            return ", ".join(str(list(s)) for s in value) or "-"
        if column == "num_params" and not row.first:
            return "(recursive)"
        return (f"{value:,}" if value else "-") if isinstance(value, int) else value

    def __str__(self) -> str:
        lines = self.table()
        widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
        rule = "=" * (sum(widths) + 2 * len(widths) - 2)
        text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
                for line in lines]
        frozen = self.total_params - self.trainable_params
        return "\n".join([
            rule, text[0], rule, *text[1:], rule,
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {frozen:,}",
            f"Total mult-adds: {self.total_mult_adds:,}", *self.notes, rule])

    __repr__ = __str__

    def html(self) -> str:
        """Return the table as HTML."""
        head, *rows = self.table()
        cells = "".join(f"<th>{html.escape(c)}</th>" for c in head)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c).replace('  ', '&emsp;')}</td>"
                                        for c in row) + "</tr>" for row in rows)
        return (f"<table><tr>{cells}</tr>{body}</table><p>Total params: {self.total_params:,}, "
                f"trainable: {self.trainable_params:,}, mult-adds: {self.total_mult_adds:,}</p>")

    _repr_html_ = html

    def to_dict(self) -> dict[str, Any]:
        """Return the totals, and one dict per call of a module."""
        return {"total_params": self.total_params, "trainable_params": self.trainable_params,
                "total_mult_adds": self.total_mult_adds,
                "layers": [dict(vars(row)) for row in self.rows]}


def summary(model: Any, input_size: Any = None, *, inputs: Any = None, depth: int = 3,
            columns: tuple[str, ...] = ("input_size", "output_size", "num_params", "mult_adds"),
            ) -> Summary:
    """Run a model once and return the table of its layers.

    Args: `input_size`: the shape of the input, or a list of shapes (filled with random numbers);
    `inputs`: the arguments themselves, as a tuple; with neither, only parameters are counted;
    `depth`: levels of nesting to print; `columns`: of "input_size", "output_size", "num_params",
    "mult_adds", "trainable". Multiply-adds are counted by formula for linear and convolutional
    layers: weights used per output element times output elements. The model runs in evaluation
    mode, without gradients, and is left as it was. Buffers are not parameters.

    >>> import minigrad as torch
    >>> torch.summary(torch.nn.Linear(2, 3), (4, 2), columns=("output_size", "num_params"))
    ===================================
    Layer (type)  Output shape  Param #
    ===================================
    Linear        [4, 3]        9
    ===================================
    Total params: 9
    Trainable params: 9
    Non-trainable params: 0
    Total mult-adds: 24
    ===================================
    """
    unknown = [c for c in columns if c not in COLUMNS]
    if unknown:
        raise ValueError(f"columns: unknown {unknown}; choose from {', '.join(COLUMNS)}")
    if input_size is not None and inputs is not None:
        raise ValueError("give input_size or inputs, not both")
    args = _inputs(model, input_size, inputs)
    rows: list[Row] = []
    if args is None:
        for path, module in model.named_modules():
            rows.append(_row(path, module, [], [], True))
    else:
        _record(model, args, rows)
    params = list(model.parameters())
    return Summary(rows, sum(p.numel() for p in params),
                   sum(p.numel() for p in params if p.requires_grad),
                   sum(r.mult_adds for r in rows), depth, tuple(columns))


def _inputs(model: Any, input_size: Any, inputs: Any) -> tuple[Any, ...] | None:
    if inputs is not None:
        return tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    if input_size is None:
        return None
    from ._random import normal

    several = isinstance(input_size, list) and isinstance(input_size[0], (tuple, list))
    first = next(model.parameters(), None)
    dtype = first._data.dtype if first is not None else "float32"
    return tuple(engine.wrap(normal(tuple(size), dtype), None)
                 for size in (input_size if several else [input_size]))


def _record(model: Any, args: tuple[Any, ...], rows: list[Row]) -> None:
    """Run the model with hooks on every module; rows come out in the order of the calls."""
    paths: dict[int, str] = {}
    for path, module in model.named_modules():
        paths.setdefault(id(module), path)
    places: list[int] = []
    seen: set[int] = set()

    def enter(module: Any, inputs: Any) -> None:
        if id(module) in paths:
            places.append(len(rows))
            rows.append(_row(paths[id(module)], module, _sizes(inputs), [],
                             id(module) not in seen))
            seen.add(id(module))

    def leave(module: Any, inputs: Any, output: Any) -> None:
        if id(module) in paths:
            row = rows[places.pop()]
            row.output_size = _sizes(output)
            row.mult_adds = _mult_adds(module, row)

    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        with untouched(model, args), deep_enough(model), model.evaluating(), no_grad():
            model(*(_copied(a) for a in args))
    finally:
        for handle in handles:
            handle.remove()


def _row(path: str, module: Any, before: Any, after: Any, first: bool) -> Row:
    params = list(module.parameters())
    grads = {p.requires_grad for p in params}
    trainable = "-" if not params else "partial" if len(grads) > 1 else str(grads.pop())
    return Row(path, type(module).__name__, path.count(".") + bool(path), before, after,
               sum(p.numel() for p in params),
               sum(p.numel() for p in module.parameters(recurse=False)), 0, trainable, first)


def _copied(value: Any) -> Any:
    """Copy a tensor argument: the model may write into it."""
    return value.detach().clone() if isinstance(value, engine.Tensor) else value


def _sizes(value: Any) -> list[tuple[int, ...]]:
    return [tuple(t.shape) for _, t in tensors_in(value)]


def _mult_adds(module: Any, row: Row) -> int:
    """Return the multiplications of a layer with a weight matrix or kernel; 0 for the others."""
    names = [c.__name__ for c in type(module).__mro__]
    formula = next((FORMULAS[name] for name in names if name in FORMULAS), None)
    return formula(module, row) if formula is not None else 0


def _linear(module: Any, row: Row) -> int:
    return sum(map(math.prod, row.output_size)) * module.in_features


def _convolution(module: Any, row: Row) -> int:
    return sum(map(math.prod, row.output_size)) * math.prod(module.weight.shape[1:])


def _transposed(module: Any, row: Row) -> int:
    return math.prod(row.input_size[0]) * math.prod(module.weight.shape[1:])


def _bilinear(module: Any, row: Row) -> int:
    return math.prod(row.output_size[0]) * module.in1_features * module.in2_features


FORMULAS: dict[str, Callable[[Any, Row], int]] = {
    "Linear": _linear, "Bilinear": _bilinear,
    **{f"Conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _transposed for n in (1, 2, 3)}}
