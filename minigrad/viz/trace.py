"""Recording a graph: from a finished tensor's tape, or from one run of a model."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .. import engine
from ..autograd.gradcheck import preserved
from ..engine import Leaf, Pick
from ..modes import enable_grad
from ..nn import Module as NNModule
from ..nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from .graph import Edge, Graph, Module, Node

Span = tuple[int, int, str]  # first and last creation number of one call, and the module's path


def tensors(value: Any) -> list[Any]:
    """Return the tensors of nested lists, tuples and dicts in order."""
    if isinstance(value, engine.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors(v)]
    return []


def graph_of(tensor: Any, params: dict[str, Any] | None = None) -> Graph:
    """Return the graph of the recorded ops that made a tensor (or nested tensors).

    `params` gives leaves their names, as `dict(model.named_parameters())` does; others are named by
    their shape.

    >>> import minigrad as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.viz.graph_of((x * 2).sum(), {"x": x})
    Graph(4 nodes (2 ops), 3 edges, 0 modules)
    """
    names = {id(t._node): name for name, t in (params or {}).items() if t._node is not None}
    return _build(tensors(tensor), names, {}, {}, [])


def trace(fn: Callable[..., Any], *inputs: Any, kwargs: dict[str, Any] | None = None) -> Graph:
    """Run a model or function once and return its graph.

    Floating inputs are replaced by copies that require grad, so that every floating op is seen.
    Parameters, buffers, gradients, the training mode and the random generator are left as they
    were.
    """
    kinds: dict[int, str] = {}
    names: dict[int, str] = {}

    def watched(value: Any, name: str) -> Any:
        if isinstance(value, engine.Tensor):
            if value._data.dtype.kind != "f":
                return value
            copy = value.detach().clone().requires_grad_()
            names[id(copy._node)], kinds[id(copy._node)] = name, "input"
            return copy
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return type(value)(watched(v, f"{name}[{k}]") for k, v in enumerate(value))
        if isinstance(value, dict):
            return {k: watched(v, f"{name}[{k!r}]") for k, v in value.items()}
        return value

    wanted = _argument_names(fn, len(inputs))
    args = [watched(v, wanted[k]) for k, v in enumerate(inputs)]
    given = {k: watched(v, k) for k, v in (kwargs or {}).items()}
    spans: list[Span] = []
    model = fn if isinstance(fn, NNModule) else None
    if model is not None:
        names |= {id(p._node): n for n, p in model.named_parameters() if p._node is not None}
        kinds |= {id(p._node): "parameter" for p in model.parameters() if p._node is not None}
    with preserved(fn, inputs), _calls_recorded(model, spans), enable_grad():
        out = fn(*args, **given)
        return _build(tensors(out), names, kinds, _boxes(model, spans), spans)


def _argument_names(fn: Any, count: int) -> list[str]:
    call = fn.forward if isinstance(fn, NNModule) else fn
    try:
        known = [p.name for p in inspect.signature(call).parameters.values()
                 if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        known = []
    return [known[k] if k < len(known) else f"input {k}" for k in range(count)]


@contextlib.contextmanager
def _calls_recorded(model: Any, spans: list[Span]) -> Iterator[None]:
    """Note for each module call the range of node numbers that it made."""
    if model is None:
        yield
        return
    paths: dict[int, str] = {}
    for path, module in model.named_modules():
        paths.setdefault(id(module), path)
    starts: list[int] = []

    def enter(module: Any, args: Any) -> None:
        starts.append(next(engine.numbers))

    def leave(module: Any, args: Any, output: Any) -> None:
        path = paths.get(id(module))
        start = starts.pop()
        if path is not None:
            spans.append((start, next(engine.numbers), path))

    handles = [register_module_forward_pre_hook(enter),
               register_module_forward_hook(leave, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _boxes(model: Any, spans: list[Span]) -> dict[str, Module]:
    """Return a box for every module that was called; its parent is the nearest called one."""
    if model is None:
        return {}
    called = {path for _, _, path in spans}
    boxes = {}
    for path, module in model.named_modules():
        if path not in called:
            continue
        parent = None
        if path:
            parent = path.rpartition(".")[0]
            while parent and parent not in called:
                parent = parent.rpartition(".")[0]
        name = path.rpartition(".")[2] or type(module).__name__
        extra = module.extra_repr()
        if len(extra) > 24:
            extra = extra[:23].rpartition(",")[0] + ", …" if "," in extra[:23] else extra[:23] + "…"
        title = f"{type(module).__name__}({extra})" if extra and not list(module.children()) else (
            type(module).__name__)
        boxes[path] = Module(path, f"{name}: {title}" if path else title, parent)
    return boxes


def _build(outputs: list[Any], names: dict[int, str], kinds: dict[int, str],
           boxes: dict[str, Module], spans: list[Span]) -> Graph:
    """Walk the tape from the outputs (without recursion) and translate it, oldest node first."""
    roots = [t._node for t in outputs if t.requires_grad]
    seen, stack = set(roots), list(roots)
    order: list[Any] = []
    while stack:
        node = stack.pop()
        order.append(node)
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order.sort(key=lambda n: (type(n) is not Leaf, -n.key))
    home = _innermost(order, spans)
    nodes, edges, ids = [], [], {}
    for node in order:
        if type(node) is Pick:
            continue
        ids[id(node)] = f"n{len(nodes)}"
        if type(node) is Leaf:
            nodes.append(_leaf(node, ids[id(node)], names, kinds, boxes))
        else:
            nodes.append(_op(node, ids[id(node)], home.get(id(node), "")))
            for parent in node.parents:
                if parent is not None:
                    source = parent.parents[0] if type(parent) is Pick else parent
                    edges.append(Edge(ids[id(source)], ids[id(node)], tuple(parent.shape),
                                      parent.dtype.name))
    for k, t in enumerate(outputs):
        name = "output" if len(outputs) == 1 else f"output {k}"
        node = t._node
        nodes.append(Node(f"out{k}", "output", name, tuple(t.shape), t._data.dtype.name))
        if t.requires_grad:
            source = node.parents[0] if type(node) is Pick else node
            edges.append(Edge(ids[id(source)], f"out{k}", tuple(t.shape), t._data.dtype.name))
    return Graph(nodes, edges, boxes)


def _leaf(leaf: Leaf, made_id: str, names: dict[int, str], kinds: dict[int, str],
          boxes: dict[str, Module]) -> Node:
    name = names.get(id(leaf), "leaf")
    tensor = leaf.tensor()
    parameter = kinds.get(id(leaf)) == "parameter" or type(tensor).__name__ == "Parameter"
    kind = "parameter" if parameter else kinds.get(id(leaf), "input")
    home = name.rpartition(".")[0]
    while home and home not in boxes:
        home = home.rpartition(".")[0]
    if kind != "parameter" or home not in boxes:
        home = ""
    label = name.rpartition(".")[2] if home else name
    return Node(made_id, kind, label, tuple(leaf.shape), leaf.dtype.name, home)


def _op(node: Any, made_id: str, home: str) -> Node:
    several = isinstance(node.shape, list)
    shape = tuple(node.shape[0] if several else node.shape)
    made = getattr(node.op, "view", False)
    name = node.name().removesuffix("Backward") if node.plan is None else node.op.name
    note = "in place" if (node.meta or {}).get("inplace") else ""
    saved = () if node.plan is None else tuple(node.plan.names)
    return Node(made_id, "view" if made else "op", name, shape, node.dtype.name, home, note, saved)


def _innermost(order: list[Any], spans: list[Span]) -> dict[int, str]:
    """Map nodes to the path of the innermost call during which they were made."""
    home: dict[int, str] = {}
    waiting = sorted(spans, reverse=True)
    open_calls: list[Span] = []
    for node in order:
        number = -node.key
        if type(node) is Leaf:
            continue
        while waiting and waiting[-1][0] < number:
            open_calls.append(waiting.pop())
        while open_calls and open_calls[-1][1] < number:
            open_calls.pop()
        if open_calls:
            home[id(node)] = open_calls[-1][2]
    return home
