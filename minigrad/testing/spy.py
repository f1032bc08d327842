"""One run of a program under one library: the calls that it makes, their results and gradients.

Calls count where the user's own code makes them (a file outside the library), and calls of modules
wherever they are made. So both libraries' runs have the same calls, whatever happens inside.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from .draws import Draws, Player
from .patches import writes

Array = np.ndarray[Any, Any]

UNSET = {"empty", "empty_like", "empty_strided", "Tensor.new_empty", "Tensor.resize_",
         "Tensor.new_empty_strided"}
BACKWARD = {"Tensor.backward", "autograd.backward", "autograd.grad"}
TRANSFORMS = {"vmap", "grad", "grad_and_value", "jacrev", "jacfwd", "hessian"}


@dataclass(eq=False)
class Slot:
    """One value of one tensor: a tensor that is written in place has a slot for each value."""

    tensor: Any
    version: int
    made: int  # the number of the call that made it; -1: a leaf
    name: str = ""
    value: Array | None = None
    watched: bool = False
    uses: list[int] = field(default_factory=list)
    grads: list[tuple[int, Array]] = field(default_factory=list)  # (calls before it came, array)


@dataclass(eq=False)
class Event:
    """One call: its place in the program, what went in and what came out."""

    op: str
    file: str
    line: int
    inside: bool  # made by the library, or within a call that it answers itself
    parent: Event | None
    closed: bool = True  # what is called within is the library's own business
    number: int = -1  # its place among the calls that returned
    inputs: list[Slot] = field(default_factory=list)
    results: list[Slot] = field(default_factory=list)
    arrays: list[Array | None] = field(default_factory=list)
    scale: float = 0.0  # the largest number that went in
    error: BaseException | None = None
    random: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        """What both libraries' runs have in common."""
        return self.op, self.file, self.line


class Spy:
    """Records a run; `wrap` is what `patched` takes."""

    def __init__(self, library: Any, draws: Draws, replays: bool) -> None:
        self.library = library
        self.player = Player(library, draws, replays)
        self.package = library.__name__.partition(".")[0]
        self.folders = tuple(os.path.join(os.path.dirname(path), "") for path in
                             (library.__file__, os.path.dirname(__file__)))
        self.thread = threading.get_ident()
        self.events: list[Event] = []
        self.open: list[Event] = []
        self.slots: dict[int, Slot] = {}
        self.kept: list[Slot] = []
        self.paths: dict[int, str] = {}
        self.stepping = False
        self.muted = False  # while backward runs the user's rules, or vmap calls with its own kind
        self.generator = library.get_rng_state

    # ---- wrappers
    def wrap(self, name: str, original: Callable[..., Any]) -> Callable[..., Any] | None:
        """Return what stands for a function while the program runs."""
        if name == "Module.__call__":
            return lambda module, *args, **kwargs: self.module(original, module, args, kwargs)
        if name == "Optimizer.step":
            return lambda this, *args, **kwargs: self.step(original, this, args, kwargs)
        if name.startswith("utils.data."):
            return lambda *args, **kwargs: self.player.order(name, original, args, kwargs)
        if name.rpartition(".")[2] in TRANSFORMS and name.partition(".")[0] in ("func", "vmap"):
            return lambda *args, **kwargs: self.transformed(name, original(*args, **kwargs))
        if name.startswith(("func.", "autograd.")) and name not in BACKWARD:
            return None
        run = original
        if self.player.covers(name):
            run = lambda *args, **kwargs: self.player.call(
                name, original, args, kwargs, not self.internal(sys._getframe(2)))

        def call(*args: Any, **kwargs: Any) -> Any:
            frame = sys._getframe(1)
            if self.internal(frame) or self.muted or threading.get_ident() != self.thread:
                return run(*args, **kwargs)
            results = (lambda out: [args[0], out]) if writes(name) and args else lambda out: out
            inner = lambda: run(*args, **kwargs)
            if name in BACKWARD:
                return self.record(name, frame, lambda: self.quietly(inner), (args, kwargs),
                                   results)
            return self.record(name, frame, inner, (args, kwargs), results)

        return call

    def module(self, original: Any, module: Any, args: Any, kwargs: Any) -> Any:
        """Record the call of a module."""
        if self.muted or threading.get_ident() != self.thread:
            return original(module, *args, **kwargs)
        frame = sys._getframe(2)
        if not any(e.op.startswith("module ") for e in self.open):
            self.player.state(module)
            self.paths |= {id(m): path for path, m in module.named_modules()}
        path = self.paths.get(id(module), "")
        name = f"module {type(module).__name__}" + (f" ({path})" if path else "")
        for key, p in module._parameters.items():
            if p is not None:
                self.slot(p).name = f"{path}.{key}" if path else f"{type(module).__name__}.{key}"
        closed = type(module).__module__.partition(".")[0] == self.package
        return self.record(name, frame, lambda: original(module, *args, **kwargs),
                           (args, kwargs, list(module._parameters.values())), lambda out: out,
                           closed)

    def transformed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what vmap and its like made, recorded as one call: what it calls is no tensor."""

        def call(*args: Any, **kwargs: Any) -> Any:
            frame = sys._getframe(1)
            if self.muted or self.internal(frame):
                return function(*args, **kwargs)
            return self.record(name, frame, lambda: self.quietly(lambda: function(*args, **kwargs)),
                               (args, kwargs), lambda out: out)

        return call

    def quietly(self, run: Callable[[], Any]) -> Any:
        """Call without recording what is called within."""
        before, self.muted = self.muted, True
        try:
            return run()
        finally:
            self.muted = before

    def step(self, original: Any, optimizer: Any, args: Any, kwargs: Any) -> Any:
        """Record the step of an optimiser; its results are the parameters."""
        if self.stepping:
            return original(optimizer, *args, **kwargs)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        before = self.player.gradients(parameters)
        self.stepping = True
        try:
            out = self.record(f"{type(optimizer).__name__}.step", sys._getframe(2),
                              lambda: original(optimizer, *args, **kwargs), (),
                              lambda out: parameters)
            self.events[-1].arrays += before
            return out
        finally:
            self.stepping = False

    # ---- recording
    def internal(self, frame: FrameType | None) -> bool:
        """Tell whether a frame is the library's own code, or ours."""
        return frame is not None and frame.f_code.co_filename.startswith(self.folders)

    def record(self, name: str, frame: FrameType, run: Callable[[], Any], given: Any,
               results: Callable[[Any], Any], closed: bool = True) -> Any:
        """Call, and note what went in and out."""
        outer = self.open[-1] if self.open else None
        inside = self.internal(frame) or (outer is not None and outer.closed)
        user: FrameType | None = frame
        while user is not None and self.internal(user):
            user = user.f_back
        user = user or frame
        event = Event(name, user.f_code.co_filename, user.f_lineno, inside, outer, closed)
        event.inputs = [self.slot(t) for t in self.tensors(given)]
        event.scale = max((_largest(s.value) for s in event.inputs), default=0.0)
        drawn, state = self.player.count, self.state()
        self.open.append(event)
        try:
            out = run()
        except BaseException as error:
            event.error = error
            self.close(event)
            raise
        event.random = self.player.count == drawn and self.state() != state
        found = self.tensors(results(out))
        if found or name in BACKWARD:
            self.close(event)
            if name not in UNSET:
                event.results = [self.slot(t, event.number) for t in found]
                event.arrays = [_array(t) for t in found]
                for slot, array in zip(event.results, event.arrays, strict=True):
                    if slot.made >= 0:  # a leaf keeps its first value
                        slot.value = array
        else:
            self.open.pop()
        return out

    def close(self, event: Event) -> None:
        """Give a call its number."""
        self.open.remove(event)
        event.number = len(self.events)
        self.events.append(event)
        for slot in event.inputs:
            slot.uses.append(event.number)

    def state(self) -> bytes:
        """Return the position of the library's generator."""
        return bytes(self.generator().numpy().tobytes())

    def tensors(self, value: Any) -> list[Any]:
        """Return the tensors in nested values, each once."""
        found: dict[int, Any] = {}
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, self.library.Tensor):
                found.setdefault(id(item), item)
            elif isinstance(item, (list, tuple)):
                stack += reversed(item)
            elif isinstance(item, dict):
                stack += reversed(item.values())
        return list(found.values())

    def slot(self, tensor: Any, made: int | None = None) -> Slot:
        """Return the slot of a tensor's present value; watch its gradient from the first time."""
        known = self.slots.get(id(tensor))
        version = _version(tensor)
        leaf = not tensor.requires_grad or tensor.is_leaf
        watched = tensor.requires_grad and _floating(tensor)
        if known is not None and known.watched >= watched and (
                known.version == version or (known.made < 0 and leaf)):
            return known
        number = -1 if leaf and tensor.requires_grad else (
            len(self.events) - 1 if made is None else made)
        slot = self.slots[id(tensor)] = Slot(tensor, version, number, value=_array(tensor),
                                            watched=watched)
        self.kept.append(slot)
        if watched:
            tensor.register_hook(self.watch(slot))
        return slot

    @staticmethod
    def overwritten(slot: Slot) -> bool:
        """Tell whether a tensor was written in place after this value of it."""
        return slot.made >= 0 and _version(slot.tensor) != slot.version

    def watch(self, slot: Slot) -> Callable[[Any], None]:
        """Return a hook that notes each gradient that arrives."""

        def arrived(g: Any) -> None:
            array = _array(g)
            if array is not None:
                slot.grads.append((len(self.events), array))

        return arrived

    def arrived(self) -> Iterator[Slot]:
        """Yield the slots that got a gradient."""
        return (slot for slot in self.kept if slot.grads)


def _version(tensor: Any) -> int:
    try:
        return int(tensor._version)
    except RuntimeError:  # inference tensors count no versions
        return 0


def _floating(tensor: Any) -> bool:
    return bool(tensor.is_floating_point())


def _array(tensor: Any) -> Array | None:
    """Return a copy of the values; None if they cannot be had (inside vmap, say)."""
    try:
        plain = tensor.detach()
        if str(plain.dtype).endswith("bfloat16"):
            plain = plain.float()
        return np.array(plain.numpy())
    except (RuntimeError, TypeError, NotImplementedError, ValueError):
        return None


def _largest(array: Array | None) -> float:
    if array is None or array.dtype.kind != "f" or not array.size:
        return 0.0
    return float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0))
