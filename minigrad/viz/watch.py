"""Watching one run: every op that is called, on the tape or not, with its inputs and results.

While the block runs, the engine takes its calls step by step, and five of the functions that it
calls are replaced by ones that look at what passes (in this thread only). So a run that nobody
watches pays nothing.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..autograd.function import Function
from ..modes import state
from ..saved import note_watcher
from ..storage import owner
from .flops import flops_of
from .parts import Stats
from .values import dtype_name, stats_of
from .where import user_frame

QUIET = frozenset({"as_view", "erased", "identity"})  # the engine's own, drawn only where used
PATCHED = ("gather", "gather_many", "run_forward", "record", "wrote")
DETAILED = 3000  # events up to which values are kept
Array = np.ndarray[Any, Any]


class Source:
    """A value that no op made: an input, a parameter, a buffer, a constant."""

    def __init__(self, kind: str, name: str, tensor: Any, note: str = "") -> None:
        self.kind, self.name, self.tensor, self.note = kind, name, tensor, note
        self.node = tensor._node
        self.array = tensor._data
        self.updated: tuple[Any, str] | None = None  # the call and the op that changed a buffer
        self.before = self.array.copy() if kind == "buffer" else None


@dataclass(slots=True)
class Link:
    """One input of an event: where it came from, and whether a gradient can go back."""

    source: Any  # an Event or a Source
    output: int
    name: str
    at: int  # the position of the argument (of an op over a sequence: in the sequence)
    shape: tuple[int, ...]
    dtype: str
    tied: bool  # the argument has a place on the tape
    stop: str = ""


@dataclass(slots=True)
class Event:
    """One op that was called."""

    name: str
    op: Any
    call: Any  # the innermost call of a module
    where: tuple[str, int, str]
    links: list[Link]
    options: dict[str, Any]
    grad_mode: bool
    number: int = 0
    node: Any = None
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    dtype: str = ""
    bytes: int = 0
    inplace: bool = False
    view: bool = False
    seconds: float | None = None
    flops: int | None = None
    stats: Stats | None = None
    error: BaseException | None = None


class Watcher:
    """Collects events, and knows which event or source made which array."""

    def __init__(self, current: Callable[[], Any], numbers: bool = True) -> None:
        self.current, self.numbers = current, numbers
        self.events: list[Event] = []
        self.failed: Event | None = None  # the last op that raised
        self.constants: list[Source] = []
        self.buffers: dict[int, Source] = {}
        self._made: dict[int, tuple[Any, Any, int, int]] = {}  # weak array, maker, output, time
        self._written: dict[int, tuple[Any, Any, int]] = {}  # weak memory, writer, time
        self._pending: tuple[Any, Any] | None = None
        self._last: Event | None = None
        self._clock = 0
        self._inside = 0  # calls of autograd.Function: what they run inside is not drawn

    # ---- which array came from where
    def know(self, source: Source) -> None:
        """Remember the array of a source."""
        self._made[id(source.array)] = (weakref.ref(source.array), source, 0, self._tick())
        if source.kind == "buffer":
            self.buffers[id(source.array)] = source

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def maker(self, array: Array, before: bool = False) -> tuple[Any, int]:
        """Return what made an array, and which of its outputs it is; a new constant if unknown.

        `before`: leave out a write through a view that has just happened.
        """
        made = self._made.get(id(array))
        if made is not None and made[0]() is not array:
            made = None
        whole = owner(array)
        written = self._written.get(id(whole))
        if written is not None and written[0]() is whole and not (before and made) and (
                made is None or written[2] > made[3]):
            return written[1], 0
        if made is None and whole is not array:  # shares memory with a known array: NumPy, .data
            made = self._made.get(id(whole))
            if made is not None and made[0]() is not whole:
                made = None
        if made is not None:
            return made[1], made[2]
        constant = Source("constant", "constant", engine.wrap(array, None))
        self.constants.append(constant)
        self.know(constant)
        return constant, 0

    def copied(self, array: Array, name: str) -> tuple[Any, int]:
        """Return the buffer of the running module that a layer has handed over as a copy."""
        call = self.current()
        for buffer in self.buffers.values() if call is not None else ():
            own = buffer.name.rpartition(".")[0] == call.own
            if own and buffer.name.endswith(name) and np.array_equal(
                    buffer.array, array, equal_nan=array.dtype.kind == "f"):
                return buffer, 0
        return None, 0

    def _made_by(self, event: Event, arrays: list[Array]) -> None:
        now = self._tick()
        for k, array in enumerate(arrays):
            self._made[id(array)] = (weakref.ref(array), event, k, now)
        if event.inplace:
            whole = owner(arrays[0])
            self._written[id(whole)] = (weakref.ref(whole), event, now)
        event.shapes = [a.shape for a in arrays]
        if arrays:
            event.dtype = dtype_name(arrays[0].dtype)
            event.bytes = sum(a.nbytes for a in arrays)
        event.view = bool(getattr(event.op, "view", False)) or event.op.name == "as_view"

    def _event(self, op: Any, args: Any, arrays: Any) -> Event:
        """Begin an event: its inputs are looked up before the op may write."""
        links, options = [], {}
        inputs = set(op.inputs)
        for i, name in enumerate(op.names):
            array, arg = arrays[i], args[i]
            if op.variadic and i == 0:
                links += [self._link(a, t, f"{name}[{k}]", k)
                          for k, (a, t) in enumerate(zip(array, arg, strict=True))]
            elif isinstance(array, np.ndarray) and (i in inputs or array.ndim > 0):
                links.append(self._link(array, arg, name, i))
            elif array is not None:
                options[name] = arg
        return Event(op.name, op, self.current(), user_frame(), links, options, state.grad)

    def _link(self, array: Any, arg: Any, name: str, at: int) -> Link:
        array = np.asarray(array)
        source, output = self.copied(array, name) if isinstance(arg, np.ndarray) else (None, 0)
        if source is None:
            source, output = self.maker(array, before=name == "base")
        tied = getattr(arg, "_node", None) is not None
        stop = ""
        if not tied and getattr(source, "node", None) is not None and array.dtype.kind == "f":
            stop = "detach"
        return Link(source, output, name, at, array.shape, dtype_name(array.dtype), tied, stop)

    def _add(self, event: Event) -> None:
        event.number = len(self.events)
        self.events.append(event)
        self._last = event

    def _measure(self, event: Event, arrays: Any, outputs: list[Array]) -> None:
        event.flops = flops_of(event.op, arrays, outputs)
        if self.numbers and outputs:
            event.stats = stats_of(outputs[0], len(self.events) <= DETAILED, event.name)

    # ---- what the engine tells
    def gathered(self, op: Any, args: Any, found: bool) -> None:
        """An op is about to run on tensors."""
        self._pending = (op, args) if found and not self._inside else None

    def ran(self, original: Any, op: Any, arrays: Any) -> Any:
        """Run an op's forward."""
        pending, self._pending = self._pending, None
        if pending is None or pending[0] is not op:
            return original(op, arrays)
        event = self._event(op, pending[1], arrays)
        start = time.perf_counter()
        try:
            y, aux = original(op, arrays)
        except Exception as error:
            event.error, self.failed = error, event
            raise
        event.seconds = time.perf_counter() - start
        outputs = [a for a in (y if op.many else [y, *aux[: len(op.also)]])
                   if isinstance(a, np.ndarray)]
        self._add(event)
        self._made_by(event, outputs)
        self._measure(event, arrays, outputs)
        return y, aux

    def recorded(self, node: Any, op: Any, args: Any, arrays: Any, y: Any) -> None:
        """An op was put on the tape."""
        if self._inside or op.name == "identity":
            return
        self._pending, pending = None, self._pending
        last = self._last
        if last is not None and last.op is op and last.node is None and (
                pending is None or pending[0] is not op):
            last.node = node
            if isinstance(y, np.ndarray) and self._made.get(id(y), (0, None))[1] is not last:
                self._made_by(last, [y])  # in place: the result went into the first argument
            return
        if op.name == "erased" and last is not None:
            last.node = node
            return
        event = self._event(op, args, arrays)  # the op writes later, or was not run at all
        event.node = node
        outputs = list(y) if op.many else [y]
        event.inplace = op.name == "copy_slices"
        self._add(event)
        self._made_by(event, outputs)
        if op.name not in QUIET:
            self._measure(event, arrays, outputs)

    def wrote(self, x: Any, by: str) -> None:
        """A tensor was written in place."""
        if self._inside:
            return
        pending, self._pending = self._pending, None
        array, last = x._data, self._last
        name = by.removesuffix("_")
        if id(array) in self.buffers and name == by:  # by a layer's own code, not by an op
            self.buffers[id(array)].updated = (self.current(), by)
            return
        if pending is not None and pending[0].name == name:
            op, args = pending
            arrays = [getattr(a, "_data", a) for a in args]
            last = self._event(op, args, arrays)
            self._add(last)
            self._measure(last, arrays, [array])
        if last is not None and last.name == name:
            last.inplace = True
            self._made_by(last, [array])
            if self.numbers:
                last.stats = stats_of(array, len(self.events) <= DETAILED, last.name)

    def function(self, cls: Any, args: tuple[Any, ...], original: Any) -> Any:
        """Run an `autograd.Function`; it is one op, whatever it calls inside."""
        if self._inside or state.arrays:
            return original(*args)
        named = _Custom(cls)
        links = [self._link(a._data, a, f"args[{k}]", k) for k, a in enumerate(args)
                 if isinstance(a, engine.Tensor)]
        options = {f"args[{k}]": a for k, a in enumerate(args) if not isinstance(a, engine.Tensor)}
        event = Event(cls.__name__, named, self.current(), user_frame(), links, options, state.grad)
        self._inside += 1
        start = time.perf_counter()
        try:
            out = original(*args)
        except Exception as error:
            event.error, self.failed = error, event
            raise
        finally:
            self._inside -= 1
        event.seconds = time.perf_counter() - start
        results = [t for t in (out if isinstance(out, tuple) else (out,))
                   if isinstance(t, engine.Tensor)]
        nodes = [t._node for t in results if t._node is not None]
        if nodes:
            event.node = nodes[0].parents[0] if type(nodes[0]) is engine.Pick else nodes[0]
        dirty = {id(a._data) for a in args if isinstance(a, engine.Tensor)}
        event.inplace = any(id(t._data) in dirty for t in results)
        self._add(event)
        self._made_by(event, [t._data for t in results])
        if self.numbers and results:
            event.stats = stats_of(results[0]._data, len(self.events) <= DETAILED)
        return out


class _Custom:
    """What stands for the op of a user's Function."""

    variadic = many = view = False
    also: tuple[str, ...] = ()

    def __init__(self, cls: Any) -> None:
        self.name, self.cls = cls.__name__, cls


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell the watcher of every op of this thread until the end of the block."""
    from .. import calls, views

    thread, token = threading.get_ident(), object()
    real = {name: getattr(module, name) for name, module in zip(PATCHED, (
        calls, calls, calls, engine, views), strict=True)}

    def here() -> bool:
        return threading.get_ident() == thread

    def gather_with(name: str) -> Any:
        original = real[name]

        def gather(op: Any, args: Any) -> Any:
            result = original(op, args)
            if here():
                watcher.gathered(op, args, result[2])
            return result

        return gather

    def run_forward(op: Any, arrays: Any) -> Any:
        original: Any = real["run_forward"]
        return watcher.ran(original, op, arrays) if here() else original(op, arrays)

    def record(op: Any, mask: int, args: Any, arrays: Any, y: Any, aux: Any) -> Any:
        original: Any = real["record"]
        node = original(op, mask, args, arrays, y, aux)
        if here():
            watcher.recorded(node, op, args, arrays, y)
        return node

    def wrote(x: Any, by: str) -> None:
        real["wrote"](x, by)
        if here():
            watcher.wrote(x, by)

    made = {"gather": gather_with("gather"), "gather_many": gather_with("gather_many"),
            "run_forward": run_forward, "record": record, "wrote": wrote}
    places = [(module, name) for key, module in list(sys.modules.items())
              if key.partition(".")[0] == __name__.partition(".")[0] and module is not None
              for name in PATCHED if vars(module).get(name) is real[name]]
    plain = vars(Function)["apply"]

    def apply(cls: Any, *args: Any) -> Any:
        bound = plain.__get__(None, cls)
        return watcher.function(cls, args, bound) if here() else bound(*args)

    for module, name in places:
        setattr(module, name, made[name])
    Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
    try:
        note_watcher(token, True)
        yield
    finally:
        note_watcher(token, False)
        for module, name in places:
            setattr(module, name, real[name])
        Function.apply = plain  # type: ignore[method-assign]
