"""`check_gradients`: the public function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..autograd.gradcheck import GradcheckError
from .arrays import ArraySubject
from .isolate import World
from .report import GradcheckReport
from .reproduce import reproduce_line
from .second import GradientSubject
from .stages import Check
from .tensors import TensorSubject


def check_gradients(fn: Callable[..., Any], *inputs: Any, order: int = 1, seed: int = 0,
                    only: Any = None, wrt: Sequence[str] | None = None,
                    grad: Callable[..., Any] | None = None, directions: int | None = None,
                    raise_exception: bool = False) -> GradcheckReport:
    """Check a gradient against finite differences; name each wrong element and the likely bug.

    Args: `fn`: a function of tensors, a Module (its parameters are checked, too), or with `grad`
    any function of arrays; `grad(*arrays, g)` returns the gradients of sum(g * fn(*arrays)).
    `order=2` checks second derivatives as well; `only`: (name, index) or a list of them; `wrt`:
    names of what to check; `directions` per input, default automatic. Nothing of the caller's is
    changed. There are no tolerances: the function's own values tell what its derivatives' error is.

    >>> import minigrad as torch
    >>> report = torch.testing.check_gradients(torch.nn.Tanh(), torch.randn(3))
    >>> report.ok, report.checked
    (True, {'input': 3})
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order must be 1 or 2, got {order!r}")
    if order == 2 and grad is not None:
        raise ValueError("check_gradients: order=2 differentiates the gradient by minigrad; a "
                         "gradient of arrays that is written by hand has none. Check it as a "
                         "function of its own: fn=the gradient, grad=its derivative")
    if directions is not None and (not isinstance(directions, int) or directions < 1):
        raise ValueError(f"check_gradients: directions must be an int of at least 1 or None, got "
                         f"{directions!r}")
    start = time.perf_counter()
    frame = sys._getframe(1)
    world = World(fn, list(inputs))
    if isinstance(wrt, str):
        wrt = [wrt]
    try:
        subject: Any = (TensorSubject(fn, inputs, wrt, world) if grad is None else
                        ArraySubject(fn, grad, inputs, wrt, world))
        report = GradcheckReport(subject.title, order=order)
        report._prefix = reproduce_line(frame, fn, inputs, order, seed)
        if not subject.names:
            raise ValueError("check_gradients expects at least one floating point input or "
                             "parameter to check, but there is none")
        first = Check(subject, report, seed, only, directions)
        first.run()
        if order == 2 and report.ok and first.probe is not None:
            second = Check(GradientSubject(subject, first.rng), report, seed, only, directions)
            second.leave_out = [~live for live in first.probe.live]
            second.run()
    finally:
        world.restore()
    if grad is None:
        from .blame import blame, draw

        report._blame = lambda: blame(fn, inputs, report)
        report._draw = lambda: draw(fn, inputs, report)
    report.seconds = time.perf_counter() - start
    if raise_exception and not report.ok:
        raise GradcheckError(report)
    return report
