"""Which module call made which op: calls are noted as ranges of node numbers."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import engine
from ..nn.modules._hooks import everywhere
from ..nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from .graph import Module

LONGEST = 34  # columns of a layer's arguments that a title shows


@dataclass
class Call:
    """One call of one module: its place among the calls, and the nodes made meanwhile."""

    module: Any
    path: str  # where it was called: its own place, or below another place if it is shared
    own: str  # the path it is registered under
    number: int  # the how-manieth call of this path within `parent`
    outer: Call | None
    parent: Call | None  # the nearest open call of a path above this one
    start: int
    end: int = 0
    begun: float = 0.0
    seconds: float = 0.0
    times: dict[str, int] = field(default_factory=dict)  # calls within this one, by path


class Calls:
    """Records the calls of modules on one thread while the context is open."""

    def __init__(self, found: Callable[[Any, str], None]) -> None:
        self.calls: list[Call] = []
        self.open: list[Call] = []
        self.counts: dict[str, int] = {}  # the most calls of a path within one call around it
        self.times: dict[str, int] = {}  # like Call.times, for the outermost calls
        self.paths: dict[int, list[str]] = {}
        self.errors: dict[str, str] = {}  # of the paths whose call an exception left
        self.found = found  # is told of modules that were not known before they were called

    def add(self, model: Any, prefix: str) -> None:
        """Learn the paths of a model's modules; a module that is registered twice has several."""
        for path, module in model.named_modules(prefix=prefix):
            self.paths.setdefault(id(module), [path])
            for name, child in module._modules.items():
                below = f"{path}.{name}" if path else name
                if child is not None and below not in self.paths.setdefault(id(child), []):
                    self.paths[id(child)].append(below)

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Note every call until the end of the block."""
        thread = threading.get_ident()

        def enter(module: Any, args: Any) -> None:
            if threading.get_ident() == thread:
                self.enter(module)

        def leave(module: Any, args: Any, output: Any) -> None:
            if threading.get_ident() == thread:
                self.leave(module)

        handles = [register_module_forward_pre_hook(enter),
                   register_module_forward_hook(leave, always_call=True)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
                everywhere.always.pop(handle.id, None)

    def enter(self, module: Any) -> None:
        """Open a call."""
        outer = self.open[-1] if self.open else None
        if id(module) not in self.paths:
            self._discover(module, outer)
        path, own = self._place(self.paths[id(module)], outer)
        parent = outer
        while parent is not None and parent.path and not path.startswith(parent.path + "."):
            parent = parent.outer
        times = self.times if parent is None else parent.times
        number = times[path] = times.get(path, 0) + 1
        self.counts[path] = max(number, self.counts.get(path, 0))
        call = Call(module, path, own, number, outer, parent, next(engine.numbers),
                    begun=time.perf_counter())
        self.calls.append(call)
        self.open.append(call)

    def leave(self, module: Any) -> None:
        """Close the innermost call (none is open if another pre-hook raised before ours)."""
        if self.open and self.open[-1].module is module:
            call = self.open.pop()
            call.end = next(engine.numbers)
            call.seconds = time.perf_counter() - call.begun

    def current(self) -> Call | None:
        """Return the innermost call that is running."""
        return self.open[-1] if self.open else None

    def path_of(self, module: Any) -> str | None:
        """Return the path under which a module was called last."""
        return next((c.path for c in reversed(self.calls) if c.module is module), None)

    def _discover(self, module: Any, outer: Call | None) -> None:
        """Name a module that is registered nowhere we know by its class."""
        base = name = (f"{outer.path}." if outer and outer.path else "") + type(module).__name__
        taken = {path for paths in self.paths.values() for path in paths}
        count = 1
        while name in taken:
            count += 1
            name = f"{base} {count}"
        self.add(module, name)
        self.found(module, name)

    @staticmethod
    def _place(known: list[str], outer: Call | None) -> tuple[str, str]:
        """Return the path of a call and the module's own: below the caller where it belongs."""
        if outer is not None:
            for path in known:
                if not outer.own or path.startswith(outer.own + "."):
                    rest = path.removeprefix(outer.own).removeprefix(".")
                    return (f"{outer.path}.{rest}" if outer.path else rest), path
        return known[0], known[0]

    def repeats(self) -> dict[int, tuple[tuple[str, int], ...]]:
        """Return (path, number) of each call and those around it whose paths were called again."""
        found: dict[int, tuple[tuple[str, int], ...]] = {}
        for call in self.calls:
            around = found[id(call.parent)] if call.parent is not None else ()
            again = self.counts[call.path] > 1
            found[id(call)] = (*around, (call.path, call.number)) if again else around
        return found

    def boxes(self) -> dict[str, Module]:
        """Return a box for every path that was called; its parent is the nearest called one."""
        first: dict[int, str] = {}
        boxes: dict[str, Module] = {}
        seconds: dict[str, float] = {}
        for call in self.calls:
            seconds[call.path] = seconds.get(call.path, 0.0) + call.seconds
        for call in self.calls:
            if call.path in boxes:
                continue
            parent = above(call.path, self.counts) if call.path else None
            origin = first.setdefault(id(call.module), call.path)
            boxes[call.path] = Module(
                call.path, call.path.rpartition(".")[2], type(call.module).__name__,
                arguments(call.module), parent, self.counts[call.path],
                "" if origin == call.path else origin,
                _elements(call.module), call.module.training,
                seconds[call.path], self.errors.get(call.path, ""))
        return boxes


def above(path: str, known: Any) -> str | None:
    """Return the nearest path above that is known; None if there is none."""
    while path:
        path = path.rpartition(".")[0]
        if path in known:
            return path
    return None


def _elements(module: Any) -> int:
    """Return the elements of a module's parameters; of a layer, without a walk over modules."""
    own = module.parameters() if module._modules else module._parameters.values()
    return sum({id(p): p._data.size for p in own if p is not None}.values())


def arguments(module: Any) -> str:
    """Return the arguments that a layer's repr shows, whole ones, cut to one short line."""
    return "" if module._modules else _shortened(module.extra_repr())


@functools.lru_cache(1024)
def _shortened(text: str) -> str:
    parts, depth = [""], 0
    for letter in " ".join(text.split()):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    shown = ""
    for k, part in enumerate(p.strip() for p in parts):
        longer = f"{shown}, {part}" if k else part
        if len(longer) > LONGEST:
            return f"{shown}, …" if k else part[: LONGEST - 1] + "…"
        shown = longer
    return shown
