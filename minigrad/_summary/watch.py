"""Watching one run, op by op: what each costs, what it keeps for backward, how long it takes.

Built on anomaly mode, which tells of each op when it is called, recorded and run backward.
"""

from __future__ import annotations

import contextlib
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..anomaly import anomaly
from ..modes import state
from ..storage import owner
from ..viz.flops import mult_adds
from .counts import kept_bytes, scratch_bytes

Array = np.ndarray[Any, Any]
Memory = dict[int, int]  # bytes by the identity of the array that owns them


@dataclass(slots=True)
class Event:
    """One op of forward."""

    place: int  # the row of the module that called it
    op: Any
    inputs: list[int]  # identities of memory
    made: Memory  # new memory: the results, with the bytes that their shapes need
    node: Any = None  # weak: the watcher must not keep the tape alive
    kept: Memory = field(default_factory=dict)  # what the tape holds: the whole memory
    predicted: Memory = field(default_factory=dict)  # the same by formula
    scratch: int = 0  # what backward needs meanwhile, by formula


class Shape:
    """What formulas ask of an array; the watcher must not keep arrays alive."""

    __slots__ = ("dtype", "ndim", "shape")

    def __init__(self, array: Array) -> None:
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype


class Watcher:
    """Collects the events of a run. `place()` tells the row of the innermost open module."""

    def __init__(self, place: Callable[[], int], detailed: bool = True) -> None:
        self.place, self.detailed = place, detailed
        self.events: list[Event] = []
        self.work: dict[int, int] = {}  # multiply-adds by row
        self.by_key: dict[int, Event] = {}
        self.seconds: dict[int, float] = {}  # of backward, by row
        self.peaks: dict[int, int] = {}  # of backward, by row: tracemalloc's
        self.backward = False
        self.since = 0.0
        self.pending: tuple[Any, Any, Any] = (None, (), None)  # the last op, until it is recorded
        self._packs = False

    def after_forward(self, op: Any, arrays: list[Any], y: Any) -> None:
        """Note an op that was called on tensors (rules call others on arrays)."""
        if self.backward or state.arrays:
            return
        place = self.place()
        self.work[place] = self.work.get(place, 0) + mult_adds(op, arrays, y[0] if op.many else y)
        if self.detailed:
            results = [a for a in (y if op.many else [y]) if isinstance(a, np.ndarray)]
            used = [id(owner(a)) for a in _flat(arrays)]
            made = {id(m): sum(a.nbytes for a in results if owner(a) is m)
                    for m in map(owner, results) if id(m) not in used}
            self.events.append(Event(place, op, used, made))
            self.pending = (op, _shapes(arrays), _shapes(y if op.many else [y]))

    def recorded(self, node: Any, args: Any = None) -> None:
        """Note what an op keeps."""
        if self._packs or getattr(state, "packers", None):
            type(anomaly).recorded(anomaly, node, args)
        if self.backward or not self.detailed or state.arrays:
            return
        op, arrays, y = self.pending
        if op is not node.op or not self.events:
            event = Event(self.place(), node.op, [], {})  # a Function, or a write through a view
            self.events.append(event)
            op = None
        event = self.events[-1]
        event.node = weakref.ref(node)
        self.by_key[node.key] = event
        if op is not None:
            event.predicted = _predicted(node, op, arrays, y)
            event.scratch = scratch_bytes(op, arrays)
        self.pending = (None, (), None)

    def look(self, given: set[int]) -> None:
        """Note what the nodes that are still there hold, besides the memory that was `given`.

        Called between forward and backward.
        """
        for event in self.events:
            node = event.node() if event.node is not None else None
            values = _flat(node.saved) if node is not None and node.saved else []
            event.kept = {id(m): m.nbytes for m in map(owner, values) if id(m) not in given}
            if node is None:
                event.predicted = {}
            elif not event.predicted:  # no formula: of Functions and writes through views
                event.predicted = dict(event.kept)
            else:
                event.predicted = {m: b for m, b in event.predicted.items() if m not in given}
        self.pending = (None, (), None)

    def start_backward(self) -> None:
        """From now on `after_backward` measures."""
        self.backward = True
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
        self.since = time.perf_counter()

    def after_backward(self, node: Any, grads: Any) -> None:
        """Add the time since the last op to the row of this one; note the peak meanwhile."""
        now = time.perf_counter()
        event = self.by_key.get(node.key)
        if event is not None:
            self.seconds[event.place] = self.seconds.get(event.place, 0.0) + now - self.since
            if tracemalloc.is_tracing():
                peak = tracemalloc.get_traced_memory()[1]
                self.peaks[event.place] = max(peak, self.peaks.get(event.place, 0))
                tracemalloc.reset_peak()
        self.since = time.perf_counter()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take the place of anomaly mode's hooks for the block."""
        before = (anomaly.on, anomaly.check_nan, anomaly.check_inf)
        self._packs = anomaly.on
        hooks = ("after_forward", "recorded", "after_backward")
        anomaly.set(True, check_nan=False)
        for name in hooks:
            setattr(anomaly, name, getattr(self, name))
        try:
            yield
        finally:
            for name in hooks:
                delattr(anomaly, name)
            anomaly.set(*before)


def _flat(values: Any) -> list[Array]:
    """Return the arrays in nested lists, tuples and tensors."""
    found: list[Array] = []
    for value in values:
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, engine.Tensor):
            found.append(value._data)
        elif isinstance(value, (list, tuple)):
            found += _flat(value)
    return found


def _shapes(values: Any) -> list[Any]:
    return [Shape(v) if isinstance(v, np.ndarray) else
            _shapes(v) if isinstance(v, (list, tuple)) else v for v in values]


def _predicted(node: Any, op: Any, arrays: list[Any], y: Any) -> Memory:
    """Return the bytes of each kept value by formula; where there is none, as they are."""
    found: Memory = {}
    for name, value in zip(node.plan.names, node.saved, strict=True):
        held = _flat([value])
        if not held:
            continue
        size = kept_bytes(name, op, arrays, y)
        if size is None:
            size = sum(a.nbytes for a in held)
        memory = id(owner(held[0]))
        before = found.get(memory, 0)
        found[memory] = before + size if name in op.aux else max(size, before)
    return found
