"""The graph of a finished tensor: its tape is read back into events, as if it had been watched."""

from __future__ import annotations

import math
from typing import Any

from ..engine import Leaf, Pick
from ..modes import enable_grad
from ..storage import owner
from ..views import AS_VIEW, COPY_SLICES
from .assemble import Assembler, saved_arrays
from .backward import Gradients, starts
from .graph import Graph
from .state import tensors_in
from .trace import named_parameters
from .values import dtype_name, stats_of
from .watch import Event, Link, Source


def graph_of(tensor: Any, params: Any = None, *, backward: bool = False,
             numbers: bool = True) -> Graph:
    """Return the graph of the recorded ops that made a tensor (or tensors in a list, tuple, dict).

    Args: `params` names the leaves: a dict of tensors by name, or the model, whose parameters have
    names; tensors of it that do not require grad are drawn where the tape kept them.
    `backward=True` goes backward once to show the gradients; the tape and `.grad` stay as they are.
    ValueError if nothing was recorded.

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
                         "viz.trace(function, *inputs), which shows every op")
    sources = named_parameters(params) if hasattr(params, "named_parameters") else [
        Source("parameter" if type(t).__name__ == "Parameter" else "input", name, t)
        for name, t in (params or {}).items()]
    sources = [s for s in sources if s.node is None or type(s.node) is Leaf]
    reader = _Reader(sources, numbers)
    found = [(name, t, *reader.maker(t)) for name, t in outputs]
    reader.read([t._node for _, t in outputs if t.requires_grad])
    gradients = Gradients(numbers)
    found = [(name, t, reader.makers.get(id(m), m), k) for name, t, m, k in found]
    with gradients.watching(), enable_grad():
        return Assembler(reader.events, sources, None, numbers).graph(
            found, gradients, starts(outputs, None) if backward else [], keep=True)


class _Reader:
    def __init__(self, sources: list[Source], numbers: bool) -> None:
        self.numbers = numbers
        self.makers: dict[int, Any] = {id(s.node): s for s in sources if s.node is not None}
        self.by_memory = {id(owner(s.array)): s for s in sources if s.node is None}
        self.events: list[Event] = []

    def maker(self, tensor: Any) -> tuple[Any, int]:
        """Return the node (or the source) of an output."""
        node = tensor._node
        if node is None:
            source = self.by_memory.get(id(owner(tensor._data)))
            return source or Source("constant", "constant", tensor), 0
        return self._inner(node)

    def _inner(self, node: Any) -> tuple[Any, int]:
        if type(node) is Pick and id(node) not in self.makers:
            return node.parents[0], node.index
        return node, 0

    def read(self, roots: list[Any]) -> None:
        """Make an event of every op below the roots (without recursion), oldest first."""
        seen, stack, found = set(roots), list(dict.fromkeys(roots)), []
        while stack:
            node = stack.pop()
            if type(node) is Leaf or id(node) in self.makers:
                if id(node) not in self.makers:
                    self.makers[id(node)] = _Unnamed(node)
                continue
            if type(node) is not Pick:
                found.append(node)
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        found.sort(key=lambda node: -node.key)
        for number, node in enumerate(found):
            event = self._event(node)
            event.number = number
            self.makers[id(node)] = event
            self.events.append(event)

    def _event(self, node: Any) -> Event:
        several = isinstance(node.shape, list)
        shapes = [tuple(s) for s in node.shape] if several else [tuple(node.shape)]
        own = node.plan is None
        name = node.name().removesuffix("Backward") if own else node.op.name
        dtype = dtype_name(node.dtype)
        made = Event(name, node.op if not own else _Own(name, node), None, _place(node),
                     self._links(node), {}, True, node=node, shapes=shapes, dtype=dtype)
        made.bytes = sum(math.prod(s) for s in shapes) * (node.dtype.itemsize if node.dtype else 0)
        made.inplace = bool((node.meta or {}).get("inplace")) or node.op is COPY_SLICES
        made.view = bool(getattr(node.op, "view", False)) or node.op is AS_VIEW
        if self.numbers and not own and node.plan.y is not None and node.saved is not None:
            made.stats = stats_of(node.saved[node.plan.y], len(self.events) < 3000)
        return made

    def _links(self, node: Any) -> list[Link]:
        links = []
        for k, parent in enumerate(node.parents):
            if parent is None:
                continue
            maker, output = self._inner(parent)
            if node.plan is None:
                name, at = f"args[{k}]", k
            elif node.op.variadic:
                name, at = f"{node.op.names[0]}[{k}]", k
            else:
                at = node.plan.positions[k]
                name = node.op.names[at]
            shape = () if isinstance(parent.shape, list) else tuple(parent.shape)
            dtype = dtype_name(parent.dtype)
            links.append(Link(self.makers.get(id(maker), maker), output, name, at, shape, dtype,
                              True))
        done: set[int] = set()
        for name, array in saved_arrays(node) if self.by_memory else ():
            source = self.by_memory.get(id(owner(array)))
            if source is not None and id(source) not in done:
                done.add(id(source))
                links.append(Link(source, 0, name, -2, array.shape, dtype_name(array.dtype), False))
        return links


class _Own:
    """What stands for the op of a user's Function."""

    variadic = many = view = False
    also: tuple[str, ...] = ()

    def __init__(self, name: str, node: Any) -> None:
        self.name, self.cls = name, node.function


class _Unnamed(Source):
    """A leaf that was given no name."""

    def __init__(self, leaf: Leaf) -> None:
        parameter = type(leaf.tensor()).__name__ == "Parameter"
        self.kind, self.name, self.note = "parameter" if parameter else "input", "leaf", ""
        self.node, self.array, self.updated, self.before = leaf, leaf.array, None, None


def _place(node: Any) -> tuple[str, int, str]:
    """Return the source line that anomaly mode has noted."""
    where = (node.meta or {}).get("where") or ""
    try:
        file, line, function = where.strip().splitlines()[0].split(", ", 2)
        return file.removeprefix('File "').removesuffix('"'), int(line[5:]), function[3:]
    except (ValueError, IndexError):
        return ("", 0, "")
