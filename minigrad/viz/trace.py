"""Recording a graph: from a finished tensor's tape, or from one run of a model."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from .. import engine
from ..engine import Leaf
from ..modes import enable_grad
from ..nn import Module as NNModule
from .calls import Calls
from .graph import Graph
from .state import deep_enough, tensors_in, untouched
from .tape import Source, build


def graph_of(tensor: Any, params: Any = None) -> Graph:
    """Return the graph of the recorded ops that made a tensor (or tensors in a list, tuple, dict).

    `params` names the leaves: a dict of tensors by name, or the model, whose parameters have names.
    Tensors of it that do not require grad are drawn where the tape kept them. ValueError if nothing
    was recorded.

    >>> import minigrad as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.viz.graph_of((x * 2).sum(), {"x": x})
    Graph(4 nodes (2 ops), 3 edges, 0 modules)
    """
    outputs = tensors_in(tensor, inside="output")
    if not outputs:
        raise TypeError(f"tensor: expected a Tensor or a structure of tensors, got "
                        f"{type(tensor).__name__}")
    if not any(t.requires_grad for _, t in outputs):
        raise ValueError("tensor: nothing was recorded for it, because nothing that it was made "
                         "from requires grad; set requires_grad=True on an input, or use "
                         "viz.trace(function, *inputs), which does so for the run")
    sources = _parameters(params) if hasattr(params, "named_parameters") else [
        Source("parameter" if type(t).__name__ == "Parameter" else "input", name, t)
        for name, t in (params or {}).items()]
    return build(outputs, [s for s in sources if s.node is None or type(s.node) is Leaf], None)


def trace(fn: Callable[..., Any], *inputs: Any, kwargs: dict[str, Any] | None = None) -> Graph:
    """Run a model or function once and return its graph.

    The inputs are replaced by copies, floating ones by copies that require grad, so that every
    floating op is seen; frozen parameters require grad during the run. Parameters, buffers,
    gradients, the training mode and the random generators are left bit for bit as they were, also
    if the run raises. Of a function, the modules it calls are drawn, too. TypeError if the result
    holds no tensor.

    >>> import minigrad as torch
    >>> torch.viz.trace(torch.nn.Linear(2, 3), torch.ones(1, 2))
    Graph(5 nodes (1 ops), 4 edges, 1 modules)
    """
    run = _Run(fn)
    args = [run.watched(v, name) for v, name in
            zip(inputs, _argument_names(fn, len(inputs)), strict=True)]
    given = {k: run.watched(v, k) for k, v in (kwargs or {}).items()}
    with run.kept, untouched(None, [*args, *given.values()]):
        run.learn()
        with run.calls.recorded(), enable_grad():
            out = fn(*args, **given)
        found = tensors_in(out, inside="output")
        if not found:
            raise TypeError(f"trace: expected the function to return a Tensor or a structure of "
                            f"tensors, got {type(out).__name__}; return what is to be drawn")
        return build(found, run.sources, run.calls)


class _Run:
    """What is known of one run: named values, the calls of modules, and what to put back."""

    def __init__(self, fn: Any) -> None:
        self.fn = fn
        self.kept = contextlib.ExitStack()
        self.sources: list[Source] = []
        self.calls = Calls(self.keep)
        self.copies: dict[int, Any] = {}
        self.originals: list[Any] = []  # kept alive: `copies` is keyed by their ids

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

    def keep(self, model: Any, prefix: str) -> None:
        """Note a model's state, and name its parameters; frozen ones require grad for the run."""
        self.kept.enter_context(untouched(model))
        self.kept.enter_context(deep_enough(model))
        known = {id(s.tensor) for s in self.sources}
        for source in _parameters(model, prefix):
            if id(source.tensor) not in known:
                if source.node is None and source.tensor.is_floating_point():
                    source.tensor.requires_grad_()
                    source.node = source.tensor._node
                self.sources.append(source)

    def watched(self, value: Any, name: str) -> Any:
        """Return an argument with its tensors replaced by watched copies."""
        if isinstance(value, engine.Tensor):
            if id(value) not in self.copies:
                self.originals.append(value)
                copy = value.detach().clone()
                if copy.is_floating_point():
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


def _parameters(model: Any, prefix: str = "") -> list[Source]:
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
