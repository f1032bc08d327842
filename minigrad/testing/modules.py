"""`check_module`: a gradient check of a layer from the shapes of its inputs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from .. import _random
from ..autograd.gradcheck import GradcheckError
from ..engine import wrap
from ..nn import Module
from .check import check_gradients
from .report import GradcheckReport
from .reproduce import call_text


def check_module(module: Module, input_shapes: Sequence[Any], *, modes: Sequence[str] | None = None,
                 order: int = 1, seed: int = 0, raise_exception: bool = True
                 ) -> list[GradcheckReport]:
    """Check a module on random normal inputs in training and evaluation mode; return the reports.

    Args: `input_shapes`: one shape, or a sequence of shapes, one per input; a tensor in place of a
    shape is taken as it is (integer inputs). `modes`: of "train" and "eval", default both. A module
    of any floating dtype is checked in float64. Each submodule's own mode is restored.
    GradcheckError for the first mode that fails, unless `raise_exception=False`.

    >>> import minigrad as torch
    >>> [r.ok for r in torch.testing.check_module(torch.nn.Linear(3, 2), (4, 3))]
    [True, True]
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if not isinstance(module, Module):
        raise TypeError(f"check_module: expected a Module, got {type(module).__name__}; use "
                        f"check_gradients for functions")
    chosen = ("train", "eval") if modes is None else tuple(modes)
    if unknown := [m for m in chosen if m not in ("train", "eval")]:
        raise ValueError(f"check_module: modes are 'train' and 'eval', got {unknown}")
    shapes = [input_shapes] if all(isinstance(n, int) for n in input_shapes) else input_shapes
    generator = _random.Generator().manual_seed(seed)
    inputs = [wrap(_random.normal(tuple(s), "float64", generator), None)
              if not hasattr(s, "_data") else s for s in shapes]
    written = call_text(sys._getframe(1), "check_module")
    flags = [(m, m.training) for m in module.modules()]
    reports = []
    try:
        for mode in chosen:
            module.train(mode == "train")
            report = check_gradients(module, *inputs, order=order, seed=seed)
            report.title = f"{report.title} ({mode} mode)"
            report.reproduce = _reproduce(written, mode, seed)
            reports.append(report)
            if raise_exception and not report.ok:
                raise GradcheckError(report)
    finally:
        for m, flag in flags:
            m.training = flag
    return reports


def _reproduce(written: tuple[str, list[str]] | None, mode: str, seed: int) -> str:
    """Return the call in the caller's words, for the mode that failed."""
    function, parts = written or ("minigrad.testing.check_module", ["module", "input_shapes"])
    kept = [part for part in parts if not part.startswith("modes=")]
    return f"{function}({', '.join(kept)}, modes=[{mode!r}], seed={seed})"
