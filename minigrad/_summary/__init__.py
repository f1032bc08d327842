"""`summary`: a table of a model's layers: shapes, parameters, multiply-adds, memory and time."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import engine
from .._dtype import dtype as _dtype
from .._random import normal
from ..modes import no_grad
from ..nn.modules.lazy import LazyModuleMixin
from ..nn.parameter import is_lazy
from ..viz.state import untouched
from .rows import COLUMNS, MEMORY, TIME, Row, Summary
from .run import copied, count, plain, row_of, share, training_step, with_uncalled

__all__ = ["Row", "Summary", "summary"]
MODES = ("train", "eval", "same")


def summary(model: Any, input_size: Any = None, inputs: Any = None, *, depth: int = 3,
            columns: tuple[str, ...] = ("input_size", "output_size", "num_params", "mult_adds"),
            dtypes: Any = None, batch_dim: int | None = None, mode: str | None = None,
            memory: bool = False, time: bool = False, repeats: int = 3,
            kwargs: dict[str, Any] | None = None) -> Summary:
    """Run a model once and return the table of its layers.

    Args: `input_size`: the shape of the input, or a list of shapes (random numbers of `dtypes`;
    `batch_dim`: where to put a batch of one); `inputs`: the arguments, as a tuple; with neither,
    only parameters are counted; `depth`: levels to print; `columns`: of `COLUMNS`; `memory` and
    `time` add theirs (docs/summary.md), after a forward and backward run (of the best of
    `repeats`); `mode`: "train", "eval" or "same"; None is "train" for these, else "eval". The
    model, its gradients and the random state are left as they were. ValueError for wrong choices.

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
    _check(columns, mode, input_size, inputs, repeats)
    columns = tuple(columns) + tuple(c for c in (MEMORY if memory else ()) + (TIME if time else ())
                                     if c not in columns)
    memory, timed = any(c in MEMORY[1:] for c in columns), any(c in TIME for c in columns)
    heavy = memory or timed
    mode = mode or ("train" if heavy else "eval")
    with untouched():
        args = _inputs(model, input_size, inputs, dtypes, batch_dim)
    totals: dict[str, Any] = {}
    if args is None:
        if heavy:
            raise ValueError("columns: memory and time need a run; give input_size or inputs")
        rows = [row_of(path, module, True) for path, module in model.named_modules()]
    else:
        model = _materialized(model, args, kwargs or {})
        if heavy:
            rows, totals = training_step(model, args, kwargs or {}, mode, memory,
                                         repeats if timed else 0)
        else:
            rows = plain(model, args, kwargs or {}, mode)
        work = sum(row.mult_adds for row in rows)
        rows = with_uncalled(model, rows)
    params = list(model.parameters())
    share(rows, count(params))
    notes = [f"Memory and time: one step (forward, backward) in mode {mode!r}"] if heavy else []
    return Summary(rows, count(params), count(p for p in params if p.requires_grad),
                   work if args is not None else 0, depth, columns, notes, totals)


def _check(columns: Any, mode: Any, input_size: Any, inputs: Any, repeats: int) -> None:
    unknown = [c for c in columns if c not in COLUMNS]
    if unknown:
        raise ValueError(f"columns: unknown {unknown}; choose from {', '.join(COLUMNS)}")
    if mode is not None and mode not in MODES:
        raise ValueError(f"mode must be one of {MODES} or None, got {mode!r}")
    if input_size is not None and inputs is not None:
        raise ValueError("give input_size or inputs, not both")
    if not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"repeats must be an int of at least 1, got {repeats!r}")


def _inputs(model: Any, input_size: Any, inputs: Any, dtypes: Any, batch_dim: int | None,
            ) -> tuple[Any, ...] | None:
    """Return the arguments: given ones, or random numbers (zeros of integer dtypes)."""
    if inputs is not None:
        return tuple(inputs) if type(inputs) in (tuple, list) else (inputs,)
    if input_size is None:
        return None
    several = len(input_size) > 0 and isinstance(input_size[0], (tuple, list))
    sizes = [list(size) for size in (input_size if several else [input_size])]
    if batch_dim is not None:
        for size in sizes:
            size.insert(batch_dim, 1)
    first = next((p for p in model.parameters() if not is_lazy(p) and p.is_floating_point()), None)
    kinds = list(dtypes) if isinstance(dtypes, (tuple, list)) else [dtypes] * len(sizes)
    if len(kinds) != len(sizes):
        raise ValueError(f"dtypes: {len(kinds)} given for {len(sizes)} inputs; give one per input")
    made = []
    for size, kind in zip(sizes, kinds, strict=True):
        if kind is not None and not isinstance(kind, _dtype):
            raise TypeError(f"dtypes: expected a dtype such as minigrad.int64, got {kind!r}")
        name = np.dtype(kind.numpy if kind is not None else first._data.dtype if first is not None
                        else "float32")
        array = normal(tuple(size), name) if name.kind == "f" else np.zeros(size, name)
        made.append(engine.wrap(array, None))
    return tuple(made)


def _materialized(model: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the model, or a copy of it whose lazy layers have seen the input once."""
    if not any(isinstance(m, LazyModuleMixin) and m.has_uninitialized_params()
               for m in model.modules()):
        return model
    made = copy.deepcopy(model)
    with untouched(None, [*args, *kwargs.values()]), no_grad():
        made.eval()
        made(*copied(args), **copied(kwargs))
    for (_, module), (_, original) in zip(made.named_modules(), model.named_modules(),
                                          strict=True):
        vars(module)["training"] = original.training
    return made
