"""One recorded run: every op with the values it saw, and what it kept for backward.

Built on anomaly mode, which tells of each op when it is called and when it is recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..anomaly import anomaly
from ..autograd.function import Function, FunctionNode

Array = np.ndarray[Any, Any]


@dataclass
class Call:
    """One recorded op or Function."""

    node: Any
    name: str
    where: str  # the user's source line
    op: Any = None  # of an op: its declaration and the arrays and options it was called with
    arrays: list[Any] = field(default_factory=list)
    function: Any = None  # of a Function: the class and its arguments
    args: list[Any] = field(default_factory=list)
    kept: list[tuple[str, Array, Array]] = field(default_factory=list)  # name, memory, copy

    @property
    def stale(self) -> list[str]:
        """The names of kept values that were overwritten since (and nobody noticed)."""
        return [name for name, array, copy in self.kept
                if not np.array_equal(array, copy, equal_nan=array.dtype.kind == "f")]


class Recorder:
    """Collects the calls while it is in place of anomaly mode's two hooks."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.arguments: list[tuple[Any, ...]] = []  # of the Functions that are running
        self.latest: tuple[Any, list[Any]] | None = None

    def after_forward(self, op: Any, arrays: list[Any], y: Any) -> None:
        """Remember what an op was called with, in case that it is recorded next."""
        self.latest = (op, [a.copy() if isinstance(a, np.ndarray) else
                            [b.copy() if isinstance(b, np.ndarray) else b for b in a]
                            if isinstance(a, list) else a for a in arrays])

    def recorded(self, node: Any, args: Any = None) -> None:
        """Note a recorded op with its values."""
        type(anomaly).recorded(anomaly, node, args)
        where = node.meta["where"]
        if isinstance(node, FunctionNode) and self.arguments:
            args = [_copied(a) for a in self.arguments[-1]]
            self.calls.append(Call(node, node.function.__name__, where, function=node.function,
                                   args=args, kept=_kept(node.ctx)))
        elif self.latest is not None and self.latest[0] is node.op:  # not in place, not a view
            self.calls.append(Call(node, node.op.name, where, node.op, self.latest[1]))
        else:
            self.calls.append(Call(node, node.op.name, where))


def _copied(value: Any) -> Any:
    if isinstance(value, engine.Tensor):
        made = engine.wrap(value._data.copy(), None)
        return made.requires_grad_() if value.requires_grad else made
    return value


def _kept(ctx: Any) -> list[tuple[str, Array, Array]]:
    """Return the arrays that a Function's ctx refers to, each with a copy as it is now."""
    values = {f"ctx.{key}": value for key, value in vars(ctx).items() if not key.startswith("_")}
    values |= {f"saved_tensors[{k}]": t for k, t in enumerate(ctx._to_save)}
    arrays = {name: getattr(value, "_data", value) for name, value in values.items()}
    return [(name, a, a.copy()) for name, a in arrays.items() if isinstance(a, np.ndarray)]


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    """Record every op that is called in the block."""
    before = (anomaly.on, anomaly.check_nan, anomaly.check_inf)
    recorder = Recorder()
    anomaly.set(True, check_nan=False)
    anomaly.after_forward = recorder.after_forward  # type: ignore[method-assign]
    anomaly.recorded = recorder.recorded  # type: ignore[method-assign]
    plain: Any = vars(Function)["apply"].__func__

    def noted(cls: Any, *args: Any) -> Any:
        recorder.arguments.append(args)
        try:
            return plain(cls, *args)
        finally:
            recorder.arguments.pop()

    Function.apply = classmethod(noted)  # type: ignore
    try:
        yield recorder
    finally:
        Function.apply = classmethod(plain)  # type: ignore
        del anomaly.after_forward, anomaly.recorded
        anomaly.set(*before)
