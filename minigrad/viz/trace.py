"""Recording a graph: one run of a model or function, watched."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from .. import engine
from ..engine import Leaf
from ..modes import enable_grad
from ..nn import Module as NNModule
from .assemble import Assembler
from .backward import Gradients, starts
from .calls import Calls
from .failure import Failure
from .graph import Graph
from .state import deep_enough, no_collector, tensors_in, untouched
from .watch import Source, Watcher, watching


def trace(fn: Callable[..., Any], *inputs: Any, backward: bool = True,
          target: str | Callable[[Any], Any] | None = None, kwargs: dict[str, Any] | None = None,
          numbers: bool = True) -> Graph:
    """Run a model or function once, forward and backward, and return its graph.

    Args: `backward=False` leaves out the backward pass, which starts with ones at every output that
    requires grad; `target`: the name of the output to start from ("loss", "output[1]"), or a
    function of the model's output that returns the loss, which is drawn as well; `kwargs`: keyword
    arguments; `numbers=False` leaves out what differs between runs and machines: times, values.

    Every op is there, on the tape or not. The run sees copies of the inputs; if nothing that it
    uses requires grad, the floating inputs do. Parameters, buffers, gradients, the training mode
    and the random generators are left bit for bit as they were. If the run raises, forward or
    backward, the exception's attribute `graph` is the graph up to the op that raised. TypeError if
    the result holds no tensor, ValueError for a target that is not there.

    >>> import minigrad as torch
    >>> torch.viz.trace(torch.nn.Linear(2, 3), torch.ones(1, 2))
    Graph(5 nodes (1 ops), 4 edges, 1 modules)
    """
    if not callable(fn):
        raise TypeError(f"trace: expected a model or a function, got {type(fn).__name__}")
    run = _Run(fn, numbers)
    try:
        return run.graph(inputs, kwargs or {}, backward, target)
    finally:
        vars(run).clear()  # no cycle shall keep the tape and every record of it alive


class _Run:
    """What is known of one run: named values, the calls of modules, and what to put back."""

    def __init__(self, fn: Any, numbers: bool) -> None:
        self.fn, self.numbers = fn, numbers
        self.kept = contextlib.ExitStack()
        self.sources: list[Source] = []
        self.calls = Calls(self.keep)
        self.watcher = Watcher(self.calls.current, numbers)
        self.gradients = Gradients(numbers)
        self.copies: dict[int, Any] = {}
        self.originals: list[Any] = []  # kept alive: `copies` is keyed by their ids
        self.anything = False  # does anything that is used require grad?

    def graph(self, inputs: tuple[Any, ...], kwargs: dict[str, Any], backward: bool,
              target: Any) -> Graph:
        """Run, and put everything back."""
        with no_collector(), self.kept:
            self.kept.enter_context(untouched(None, [*inputs, *kwargs.values()]))
            self.learn()
            self.anything = any(s.node is not None for s in self.sources) or any(
                t.requires_grad for _, t in tensors_in([*inputs, *kwargs.values()]))
            names = _argument_names(self.fn, len(inputs))
            args = [self.watched(v, name) for v, name in zip(inputs, names, strict=True)]
            given = {k: self.watched(v, k) for k, v in kwargs.items()}
            for source in self.sources:
                self.watcher.know(source)
            found: list[tuple[str, Any]] = []
            try:
                with (self.calls.recorded(), watching(self.watcher), self.gradients.watching(),
                      enable_grad()):
                    out = self.fn(*args, **given)
                    loss = target(out) if callable(target) else None
                found = outputs_of(out, loss)
                roots = [r for r in starts(found, None if callable(target) else target)
                         if backward and id(r[0]) not in self.gradients.arrived]
                if callable(target):
                    roots = [r for r in roots if r[0] is found[-1][1]._node]
                assembler = self.assembler()
                outputs = [(name, t, *self.watcher.maker(t._data)) for name, t in found]
                with self.gradients.watching():
                    return assembler.graph(outputs, self.gradients, roots)
            except Exception as error:
                self.explain(error, found)
                raise

    def assembler(self) -> Assembler:
        used = [s for s in self.watcher.constants if s not in self.sources]
        return Assembler(self.watcher.events, [*self.sources, *used], self.calls, self.numbers)

    def explain(self, error: Exception, found: list[tuple[str, Any]]) -> None:
        """Give the exception its graph; its own traceback stays as it is."""
        if not (self.watcher.events or self.calls.calls) or hasattr(error, "graph"):
            return
        failure = Failure.of(error, self.watcher, self.gradients, self.calls)
        outputs = [(name, t, *self.watcher.maker(t._data)) for name, t in found]
        with contextlib.suppress(AttributeError):  # an exception with __slots__
            error.graph = self.assembler().graph(  # type: ignore[attr-defined]
                outputs, self.gradients, [], failure=failure)

    def learn(self) -> None:
        """Find the model, or the modules and tensors that a function refers to."""
        owner = self.fn if isinstance(self.fn, NNModule) else getattr(self.fn, "__self__", None)
        if isinstance(owner, NNModule):
            self.calls.add(owner, "")
            self.keep(owner, "")
            return
        for name, value in _variables(self.fn):
            if isinstance(value, NNModule) and id(value) not in self.calls.paths:
                self.calls.add(value, name)
                self.keep(value, name)
            elif isinstance(value, engine.Tensor) and type(value._node) is Leaf:
                self.sources.append(Source("parameter", name, value))
            elif isinstance(value, engine.Tensor) and value._node is None:
                self.sources.append(Source("constant", name, value))

    def keep(self, model: Any, prefix: str) -> None:
        """Note a model's state, and name its parameters and buffers."""
        self.kept.enter_context(untouched(model))
        self.kept.enter_context(deep_enough(model))
        known = {id(s.tensor) for s in self.sources}
        buffers = [Source("buffer", name, b) for name, b in model.named_buffers(prefix=prefix)]
        for source in [*named_parameters(model, prefix), *buffers]:
            if id(source.tensor) not in known:
                self.sources.append(source)
                self.watcher.know(source)

    def watched(self, value: Any, name: str) -> Any:
        """Return an argument with its tensors replaced by watched copies."""
        if isinstance(value, engine.Tensor):
            if id(value) not in self.copies:
                self.originals.append(value)
                copy = value.detach().clone()
                if copy.is_floating_point() and (value.requires_grad or not self.anything):
                    with enable_grad():  # not a leaf: the model may write into it in place
                        copy = copy.requires_grad_().clone()
                self.copies[id(value)] = copy
                self.sources.append(Source("input", name, copy))
            return self.copies[id(value)]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self.watched(v, f"{name}.{k}")
                                 for k, v in zip(value._fields, value, strict=True)))
        if type(value) in (list, tuple):
            return type(value)(self.watched(v, f"{name}[{k}]") for k, v in enumerate(value))
        if isinstance(value, dict):
            return {k: self.watched(v, f"{name}[{k!r}]") for k, v in value.items()}
        return value


def named_parameters(model: Any, prefix: str = "") -> list[Source]:
    """Return a model's parameters, each once, with notes on frozen and shared ones."""
    found: dict[int, Source] = {}
    for name, p in model.named_parameters(prefix=prefix, remove_duplicate=False):
        if id(p) in found:
            first = found[id(p)]
            first.note = f"{first.note}, {name}" if "also" in first.note else (
                f"{first.note + ', ' if first.note else ''}also {name}")
        else:
            found[id(p)] = Source("parameter", name, p, "" if p.requires_grad else "frozen")
    return list(found.values())


def outputs_of(out: Any, loss: Any = None) -> list[tuple[str, Any]]:
    """Return the tensors of a result with their names, the loss last; TypeError without any."""
    found = tensors_in(out, inside="output")
    if not found:
        raise TypeError(f"trace: expected the function to return a Tensor or a structure of "
                        f"tensors, got {type(out).__name__}; return what is to be drawn")
    if loss is not None:
        if not isinstance(loss, engine.Tensor):
            raise TypeError(f"target: expected the function to return a Tensor, got "
                            f"{type(loss).__name__}")
        found.append(("loss", loss))
    return found


def _variables(fn: Any) -> list[tuple[str, Any]]:
    """Return the names that a function takes from the scopes around it, with their values."""
    try:
        scope = inspect.getclosurevars(inspect.unwrap(fn))
    except (TypeError, ValueError):
        return []
    return [*scope.nonlocals.items(), *scope.globals.items()]


def _argument_names(fn: Any, count: int) -> list[str]:
    call = fn.forward if isinstance(fn, NNModule) else fn
    try:
        params = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        params = ()  # type: ignore[assignment]
    known = [p.name for p in params if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in params if p.kind is p.VAR_POSITIONAL), "input")
    return [known[k] if k < len(known) else f"{rest}[{k - len(known)}]" for k in range(count)]
